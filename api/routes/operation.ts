import { Type, type Static } from 'typebox';
import { InstantUtc, SafeCount } from '../../schemas/primitives.ts';
import { GUARDED_PROBLEMS } from '../http/openapi.ts';
import type { TypedApp } from '../http/typed-app.ts';

const Partition = Type.Object({
  log: Type.String(),
  state: Type.Union(
    [
      Type.Literal('sealing'),
      Type.Literal('idle'),
      Type.Literal('filling'),
      Type.Literal('retrying'),
      Type.Literal('parked'),
    ],
    {
      description:
        'filling: rows are brought up to the log first; retrying: tried again by itself; parked: not sealed until the partition is assigned again',
    },
  ),
  reason: Type.Optional(Type.String({ description: 'error code of a partition that is retried or parked' })),
  detail: Type.Optional(Type.String({ description: 'how far it is, or what failed; names no content' })),
});

/**
 * Whether every role of the process works and, where the process seals, how far sealing is behind the event log. A
 * process that only receives is ready while it listens: it answers 503 itself when it cannot accept a request.
 */
export const Readiness = Type.Object({
  ready: Type.Boolean(),
  reasons: Type.Array(Type.String(), {
    description:
      'error codes of what does not work, filling while a partition is brought up to its log, unassigned while no partition belongs to this process; empty when ready',
  }),
  role: Type.Optional(Type.String({ description: 'role of a process that has only one' })),
  lag: Type.Optional(Type.Object({ envelopes: SafeCount, bytes: SafeCount })),
  logs: Type.Optional(
    Type.Array(Type.String(), {
      description: 'logs that this process seals, where several processes share them',
    }),
  ),
  partitions: Type.Optional(
    Type.Array(Partition, {
      description:
        'the partitions that this process seals; with one of them parked it is ready as long as another is not',
    }),
  ),
  tree_size: Type.Optional(SafeCount),
  published_tree_size: Type.Optional(SafeCount),
  head_log: Type.Optional(
    Type.Object(
      { taken_at: Type.Optional(InstantUtc), reason: Type.Optional(Type.String()) },
      {
        description:
          'instant of the newest entry of the head log, and the error code that keeps this process from it; a head log that is behind leaves the process ready',
      },
    ),
  ),
});
export type Readiness = Static<typeof Readiness>;

/** Probes come every few seconds; a log line for each would hide the others. */
const PROBE_LOG_LEVEL = 'warn';

/** Routes without a token, for probes and for clients that read the API's description. None shows records. */
export function publicRoutes(app: TypedApp, readiness: () => Promise<Readiness>): void {
  app.get(
    '/livez',
    {
      logLevel: PROBE_LOG_LEVEL,
      schema: {
        tags: ['operation'],
        summary: 'Whether the process runs',
        security: [],
        response: { 200: Type.Object({ status: Type.Literal('alive') }) },
      },
    },
    () => ({ status: 'alive' as const }),
  );
  app.get(
    '/readyz',
    {
      logLevel: PROBE_LOG_LEVEL,
      schema: {
        tags: ['operation'],
        summary: 'Whether every role of this process works, and how many envelopes are not sealed yet',
        security: [],
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const state = await readiness();
      return reply.code(state.ready ? 200 : 503).send(state);
    },
  );
  app.get(
    '/openapi.json',
    {
      logLevel: PROBE_LOG_LEVEL,
      schema: {
        tags: ['operation'],
        summary: 'This document',
        security: [],
        response: { 200: Type.Unknown({ description: 'OpenAPI 3.1 document' }) },
      },
    },
    () => app.swagger(),
  );
}

/** Needs a token, because figures of activity show when people work. */
export function metricsRoute(app: TypedApp, metrics: () => Promise<string>): void {
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['operation'],
        summary: 'Figures in Prometheus text format 0.0.4',
        response: {
          ...GUARDED_PROBLEMS,
          200: { description: 'figures', content: { 'text/plain': { schema: Type.String() } } },
        },
      },
    },
    async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
  );
}
