/** Sends canaries, made-up events, through the receivers and announces them, so that reports can look for them. */
import { SYSTEM } from '../app/context.ts';
import type { Config } from '../config.ts';
import {
  CANARY_SOURCES,
  toCanary,
  type CanaryRound,
  type CanarySource,
} from '../connectors/simulation/canary.ts';
import { call, expectStatus, urlBelow, type Call } from '../ingest/send/http.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { toJsonLine, type Output } from './output.ts';
import { requireCollectorToken } from './tokens.ts';

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
 * One round: a canary through each source, then the announcement of all of them. A canary that was not acknowledged is
 * announced too, and reports will find it missing. Resolves with whether all were acknowledged. Throws STORE_UNAVAILABLE
 * if the announcement was not.
 */
export async function sendCanaries(config: Config, options: CanaryOptions, output: Output): Promise<boolean> {
  const token = requireCollectorToken(config);
  const { clock, newId } = SYSTEM;
  const round = { session_id: `canary-${newId()}`, occurred_at: toInstant(clock()) };
  const sent: Sent[] = [];
  for (const through of sourcesOf(options.through)) {
    const { path, contentType, text } = toCanary(through, round);
    const url = urlBelow(options.to, path);
    const acknowledged = await isAcknowledged(url, { method: 'POST', token, contentType, body: text });
    sent.push({ through, acknowledged });
  }
  const body = JSON.stringify(sent.map((one) => toAnnouncement(one, round)));
  const announcement = { method: 'POST', token, contentType: 'application/json', body } as const;
  await expectStatus(await call(urlBelow(options.to, '/v1/events'), announcement), 200);
  output.write(options.json ? toJsonLine({ session_id: round.session_id, sent }) : sent.map(toLine).join(''));
  return sent.every(({ acknowledged }) => acknowledged);
}

/** Throws USAGE_INVALID for an unknown source. */
function sourcesOf(names: string | undefined): readonly CanarySource[] {
  if (names === undefined) return CANARY_SOURCES;
  return names.split(',').map((name) => {
    const source = CANARY_SOURCES.find((known) => known === name.trim());
    if (source !== undefined) return source;
    throw new PipelineError(
      'USAGE_INVALID',
      `--through takes ${CANARY_SOURCES.join(', ')}, joined by commas`,
    );
  });
}

async function isAcknowledged(url: string, request: Call): Promise<boolean> {
  try {
    const answer = await call(url, request);
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    // Nobody answered. The announcement says so.
    return false;
  }
}

function toAnnouncement({ through, acknowledged }: Sent, { session_id, occurred_at }: CanaryRound): object {
  const facts = { reason: through, success: acknowledged };
  return { type: 'canary.sent', session_id, event_id: `${session_id} ${through}`, occurred_at, facts };
}

function toLine({ through, acknowledged }: Sent): string {
  return `${through}: ${acknowledged ? 'acknowledged' : 'not acknowledged, but announced'}\n`;
}
