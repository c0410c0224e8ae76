/** How a pull reports itself: a record in the log, and a result for the person or the program that started it. */
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Delivery } from '../send/delivery.ts';

/** PORT: where a pull shows its work. */
export interface PullReporter {
  /** One line for the work in hand. */
  progress(text: string): void;
  /** The result of a pull: an object for programs, lines for people. */
  result(pulled: object, lines: readonly string[]): void;
}

/** Given to every pull of a gateway's logs. */
export interface PullTarget {
  readonly gateway: string;
  /** The source that is read, in one spelling. */
  readonly from: string;
  readonly delivery: Delivery;
  /** Route to post to. */
  readonly path: string;
  readonly reporter: PullReporter;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Sends the record `collector.pulled` of a pull and shows its result. Resolves with false if the signal came before the
 * log had the record. Throws STORE_UNAVAILABLE if the receivers refuse it.
 */
export async function reportPulled(
  { gateway, delivery, reporter, clock }: PullTarget,
  pulled: object,
  lines: readonly string[],
): Promise<boolean> {
  const bytes = toPulledEvent(`gateway:${gateway}`, pulled, clock);
  const answer = await delivery.post('/v1/events', { contentType: 'application/json', bytes });
  reporter.result(pulled, lines);
  if (answer.kind !== 'refused') return answer.kind === 'accepted';
  throw new PipelineError('STORE_UNAVAILABLE', `the receivers refuse the record of the run: ${answer.code}`);
}

/** The event of a pull for `/v1/events`: `source` names what was pulled, `pulled` says how far it came. */
export function toPulledEvent(source: string, pulled: object, clock: Clock): Buffer<ArrayBuffer> {
  const occurred_at = toInstant(clock());
  const content = { source, ...pulled };
  return Buffer.from(JSON.stringify({ type: 'collector.pulled', occurred_at, content }));
}

/** An item that was not taken. */
export interface PullProblem {
  readonly place: string;
  readonly reason: string;
  readonly code?: string | undefined;
}

/** A line for each problem that is listed, and how many more there are. */
export function toProblemLines(problems: readonly PullProblem[], count: number): string[] {
  const more = count - problems.length;
  const lines = problems.map(({ place, reason, code }) => {
    return `not taken: ${place}: ${reason}${code === undefined ? '' : ` (${code})`}`;
  });
  return more > 0 ? [...lines, `and ${String(more)} more`] : lines;
}
