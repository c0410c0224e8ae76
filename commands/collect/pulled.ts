/** How a pull of a gateway's logs tells of itself: a record in the log, and text or JSON on standard output. */
import { PipelineError } from '../../schemas/errors.ts';
import { toPulledEvent, type Delivery } from './delivery.ts';
import { toJsonLine, type Output } from '../output.ts';

/** What all pulls of a gateway's logs have. */
export interface PullTarget {
  readonly gateway: string;
  /** One spelling of the place that is read. */
  readonly from: string;
  readonly delivery: Delivery;
  /** Route to post to. */
  readonly path: string;
  readonly output: Output;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/**
 * Resolves whether the log has the record; it has not where the signal came first. Throws STORE_UNAVAILABLE where the
 * receivers do not take it.
 */
export async function tellPulled(
  { gateway, delivery, output, json }: PullTarget,
  pulled: object,
  lines: readonly string[],
): Promise<boolean> {
  const bytes = toPulledEvent(`gateway:${gateway}`, pulled);
  const answer = await delivery.post('/v1/events', { contentType: 'application/json', bytes });
  output.write(json ? toJsonLine(pulled) : `${lines.join('\n')}\n`);
  if (answer.kind !== 'refused') return answer.kind === 'accepted';
  throw new PipelineError('STORE_UNAVAILABLE', `the receivers refuse the record of the run: ${answer.code}`);
}

export interface ToldProblem {
  readonly place: string;
  readonly reason: string;
  readonly code?: string;
}

/** A line for each that is listed, and how many there are beside them. */
export function toProblemLines(problems: readonly ToldProblem[], count: number): string[] {
  const more = count - problems.length;
  return [
    ...problems.map(({ place, reason, code }) => {
      return `not taken: ${place}: ${reason}${code === undefined ? '' : ` (${code})`}`;
    }),
    ...(more > 0 ? [`and ${String(more)} more`] : []),
  ];
}
