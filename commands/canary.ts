/** Sends made-up events through the receivers and tells of them, so that reports can look for them again. */
import { systemClock, systemId } from '../app/paths.ts';
import type { Config } from '../config.ts';
import {
  CANARY_SOURCES,
  toCanary,
  type CanaryRound,
  type CanarySource,
} from '../connectors/simulation/canary.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { requireCollectorToken } from './collect/delivery.ts';
import { call, expectStatus } from './http.ts';
import { toJsonLine, type Output } from './output.ts';

export interface CanaryOptions {
  /** Base URL of the receivers. */
  readonly to: string;
  /** Names of sources, joined by commas. */
  readonly through?: string;
  readonly json: boolean;
}

interface Sent {
  readonly through: CanarySource;
  readonly acknowledged: boolean;
}

/**
 * One round: a canary through each source, once, then the word of it. A canary that was not taken is told of as well,
 * and will be found missing. Resolves to whether all were taken. Throws STORE_UNAVAILABLE if the word of them is not.
 */
export async function sendCanaries(config: Config, options: CanaryOptions, output: Output): Promise<boolean> {
  const token = requireCollectorToken(config);
  const url = options.to.replace(/\/+$/, '');
  const round = { session_id: `canary-${systemId()}`, occurred_at: toInstant(systemClock()) };
  const sent: Sent[] = [];
  for (const through of sourcesOf(options.through)) {
    const { path, contentType, text } = toCanary(through, round);
    sent.push({ through, acknowledged: await isTaken(`${url}${path}`, { token, contentType, body: text }) });
  }
  const word = JSON.stringify(sent.map((one) => toWord(one, round)));
  const told = { method: 'POST', token, contentType: 'application/json', body: word } as const;
  await expectStatus(await call(`${url}/v1/events`, told), 200);
  output.write(options.json ? toJsonLine({ session_id: round.session_id, sent }) : sent.map(toLine).join(''));
  return sent.every(({ acknowledged }) => acknowledged);
}

/** Throws CONFIG_INVALID for a name that is none of a source. */
function sourcesOf(names: string | undefined): readonly CanarySource[] {
  if (names === undefined) return CANARY_SOURCES;
  return names.split(',').map((name) => {
    const source = CANARY_SOURCES.find((known) => known === name.trim());
    if (source !== undefined) return source;
    throw new PipelineError(
      'CONFIG_INVALID',
      `--through takes ${CANARY_SOURCES.join(', ')}, joined by commas`,
    );
  });
}

async function isTaken(
  url: string,
  {
    token,
    contentType,
    body,
  }: { readonly token: string; readonly contentType: string; readonly body: string },
): Promise<boolean> {
  try {
    const answer = await call(url, { method: 'POST', token, contentType, body });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    // Nobody answered; the word of it tells.
    return false;
  }
}

function toWord({ through, acknowledged }: Sent, { session_id, occurred_at }: CanaryRound): object {
  const facts = { reason: through, success: acknowledged };
  return { type: 'canary.sent', session_id, event_id: `${session_id} ${through}`, occurred_at, facts };
}

function toLine({ through, acknowledged }: Sent): string {
  return `${through}: ${acknowledged ? 'acknowledged' : 'not acknowledged, and told of'}\n`;
}
