import { Type, type Static } from 'typebox';
import { SafeCount } from '../../schemas/primitives.ts';
import { GUARDED_PROBLEMS } from '../openapi.ts';
import type { TypedApp } from '../typed-app.ts';

/**
 * Whether the process does its whole job, and as far as that is its part, how far sealing is behind intake. One that
 * only receives is ready while it listens: what it cannot take it refuses itself, with 503.
 */
export const Readiness = Type.Object({
  ready: Type.Boolean(),
  reasons: Type.Array(Type.String(), { description: 'error codes of what is missing, empty when ready' }),
  role: Type.Optional(Type.String({ description: 'the one thing that this process does' })),
  lag: Type.Optional(Type.Object({ envelopes: SafeCount, bytes: SafeCount })),
  logs: Type.Optional(
    Type.Array(Type.String(), {
      description: 'logs that this process seals, where it shares them with others',
    }),
  ),
  tree_size: Type.Optional(SafeCount),
  published_tree_size: Type.Optional(SafeCount),
});
export type Readiness = Static<typeof Readiness>;

/** Probes come every few seconds and say nothing of evidence. */
const PROBE_LOG_LEVEL = 'warn';

/** For probes and clients without a token: nothing here tells of records. */
export function publicRoutes(app: TypedApp, readiness: () => Promise<Readiness>): void {
  app.get(
    '/livez',
    {
      logLevel: PROBE_LOG_LEVEL,
      schema: {
        tags: ['operation'],
        summary: 'The process runs',
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
        summary: 'What this process does works; with what is not sealed yet',
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

/** Guarded, because figures of activity tell when people work. */
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
