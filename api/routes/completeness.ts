import { Type } from 'typebox';
import type { ReadBacklog } from '../../schemas/backlog.ts';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { CompletenessStatement } from '../../schemas/control.ts';
import { InstantUtc } from '../../schemas/primitives.ts';
import { assessCompleteness } from '../../reports/completeness/completeness.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { checkInterval } from '../http/interval.ts';
import { GUARDED_PROBLEMS } from '../http/openapi.ts';
import type { TypedApp } from '../http/typed-app.ts';

const CompletenessQuery = Type.Object(
  {
    from: Type.Optional(InstantUtc),
    to: Type.Optional(InstantUtc),
    session_id: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  },
  { additionalProperties: false },
);

/** The completeness statement of a period; by default of all time up to and including this millisecond. */
export function completenessRoute(
  app: TypedApp,
  { store, readBacklog }: { readonly store: RecordStore; readonly readBacklog?: ReadBacklog | undefined },
  clock: Clock,
): void {
  app.get(
    '/v1/completeness',
    {
      schema: {
        tags: ['completeness'],
        summary: 'Statistics and findings on holes in [from, to), on the received_at clock',
        querystring: CompletenessQuery,
        response: { ...GUARDED_PROBLEMS, 200: CompletenessStatement },
      },
    },
    async (request) => {
      // One more than now: the interval is half-open, and a record may have arrived in this millisecond.
      const { from = toInstant(0), to = toInstant(clock() + 1), session_id } = request.query;
      checkInterval({ from, to }, { from: '/querystring/from', to: '/querystring/to' });
      const backlog = await readBacklog?.();
      return assessCompleteness(store, { from, to }, { session_id, backlog });
    },
  );
}
