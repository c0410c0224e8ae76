/**
 * Canaries: made-up events that are sent at intervals and looked for later. If one is missing, real events may be too.
 */
import { SYNTHETIC_ATTRIBUTE, SYNTHETIC_MEMBER } from '../drafts/synthetic.ts';

/** Sources of records that canaries go through, as `source` of a record spells them. */
export const CANARY_SOURCES = ['hook', 'otel', 'gateway', 'transcript'] as const;
export type CanarySource = (typeof CANARY_SOURCES)[number];

export interface Canary {
  readonly through: CanarySource;
  readonly path: string;
  readonly contentType: 'application/json' | 'application/x-ndjson';
  readonly text: string;
}

export interface CanaryRound {
  /** Names the session of all canaries of a round. */
  readonly session_id: string;
  /** RFC 3339 with milliseconds, UTC. */
  readonly occurred_at: string;
}

const NAME = 'affidavit.canary';

/** One canary through a source. It names no tool and no person, so that it counts only in the statistic of canaries. */
export function toCanary(through: CanarySource, round: CanaryRound): Canary {
  return { through, ...BODIES[through](round) };
}

type Body = Omit<Canary, 'through'>;

const BODIES: Readonly<Record<CanarySource, (round: CanaryRound) => Body>> = {
  hook: ({ session_id }) => ({
    path: '/v1/hooks/claude-code',
    contentType: 'application/json',
    text: JSON.stringify({
      session_id,
      hook_event_name: 'SessionEnd',
      reason: 'other',
      [SYNTHETIC_MEMBER]: true,
    }),
  }),
  otel: (round) => ({
    path: '/v1/logs',
    contentType: 'application/json',
    text: JSON.stringify({ resourceLogs: [toResourceLogs(round)] }),
  }),
  gateway: ({ session_id, occurred_at }) => ({
    path: '/v1/gateways/litellm',
    contentType: 'application/json',
    text: JSON.stringify([
      {
        id: session_id,
        call_type: NAME,
        status: 'success',
        startTime: Date.parse(occurred_at) / 1000,
        session_id,
        [SYNTHETIC_MEMBER]: true,
      },
    ]),
  }),
  transcript: ({ session_id, occurred_at }) => ({
    path: '/v1/transcripts/claude-code',
    contentType: 'application/x-ndjson',
    text: `${JSON.stringify({
      type: 'user',
      uuid: session_id,
      sessionId: session_id,
      timestamp: occurred_at,
      message: { role: 'user', content: NAME },
      [SYNTHETIC_MEMBER]: true,
    })}\n`,
  }),
};

function toResourceLogs({ session_id, occurred_at }: CanaryRound): object {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  return {
    resource: {
      attributes: [text('service.name', NAME), { key: SYNTHETIC_ATTRIBUTE, value: { boolValue: true } }],
    },
    scopeLogs: [
      {
        scope: { name: NAME },
        logRecords: [
          {
            timeUnixNano: `${String(Date.parse(occurred_at))}000000`,
            eventName: NAME,
            attributes: [text('session.id', session_id)],
          },
        ],
      },
    ],
  };
}
