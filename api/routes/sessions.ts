import { Type, type Static } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { InstantUtc, SafeCount } from '../../schemas/primitives.ts';
import {
  listSessions,
  sessionTimeline,
  type SessionRow,
  type TimelineRecord,
} from '../../store/records/queries/sessions.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { checkInterval } from '../http/interval.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import { linkNextPage, PageQuery, pageOf, readPage, type PageSource } from '../http/page.ts';
import { IncludeContent, RecordView, toRecordView, type RecordShown } from './record-view.ts';
import type { TypedApp } from '../http/typed-app.ts';

const Names = Type.Array(Type.String());
const MaybeInstant = Type.Union([InstantUtc, Type.Null()]);

const SessionView = Type.Object({
  session_id: Type.String(),
  started_at: InstantUtc,
  last_seen_at: InstantUtc,
  first_occurred_at: MaybeInstant,
  last_occurred_at: MaybeInstant,
  claimed_user: Type.Union([Type.String(), Type.Null()]),
  claimed_users: Names,
  collectors: Names,
  models: Names,
  permission_modes: Names,
  sources: Names,
  record_count: SafeCount,
  tool_call_count: SafeCount,
  ended: Type.Boolean(),
  provisional: Type.Boolean({ description: 'only start-up telemetry of a resumed session has this id' }),
});

const SessionQuery = Type.Object(
  {
    from: Type.Optional(InstantUtc),
    to: Type.Optional(InstantUtc),
    claimed_user: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    ...PageQuery,
  },
  { additionalProperties: false },
);
type SessionQuery = Static<typeof SessionQuery>;

const SessionPosition = Type.Object({ started_at: InstantUtc, session_id: Type.String() });
const TimelinePosition = Type.Object({ ordered_at: InstantUtc, log: Type.String(), leaf_index: SafeCount });

/** Sessions, and the records of one session in the order of events. */
export function sessionRoutes(app: TypedApp, store: RecordStore): void {
  app.get(
    '/v1/sessions',
    {
      schema: {
        tags: ['records'],
        summary: 'Sessions with a record received in [from, to), newest first',
        querystring: SessionQuery,
        response: { ...GUARDED_PROBLEMS, 200: pageOf(SessionView) },
      },
    },
    async (request, reply) => {
      checkInterval(request.query, { from: '/querystring/from', to: '/querystring/to' });
      const page = await readPage(request.query, sessionSource(store, request.query));
      linkNextPage(request, reply, page);
      return page;
    },
  );
  app.get(
    '/v1/sessions/:id/timeline',
    {
      schema: {
        tags: ['records'],
        summary: "A session's records by occurred_at, or by received_at where the source gave no time",
        params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 1024 }) }),
        querystring: Type.Object({ include: IncludeContent, ...PageQuery }, { additionalProperties: false }),
        response: {
          ...GUARDED_PROBLEMS,
          200: pageOf(RecordView),
          404: problemAnswer('NOT_FOUND: no record has this session id'),
        },
      },
    },
    async (request, reply) => {
      const withContent = request.query.include !== undefined;
      const page = await readPage(request.query, timelineSource(store, request.params.id, withContent));
      if (page.data.length === 0 && request.query.cursor === undefined) {
        throw new PipelineError('NOT_FOUND', 'no record has this session id');
      }
      linkNextPage(request, reply, page);
      return page;
    },
  );
}

function sessionSource(
  store: RecordStore,
  { from, to, claimed_user }: SessionQuery,
): PageSource<SessionRow, typeof SessionPosition, SessionRow> {
  return {
    scope: { list: 'sessions', from, to, claimed_user },
    position: SessionPosition,
    read: (after, limit) => store.read(listSessions({ from, to, claimed_user, after, limit })),
    positionOf: ({ started_at, session_id }) => ({ started_at, session_id }),
    toItem: (row) => row,
  };
}

function timelineSource(
  store: RecordStore,
  session_id: string,
  withContent: boolean,
): PageSource<TimelineRecord, typeof TimelinePosition, RecordShown> {
  return {
    scope: { list: 'timeline', session_id },
    position: TimelinePosition,
    read: (after, limit) => store.read(sessionTimeline({ session_id, after, limit, withContent })),
    positionOf: ({ ordered_at, log, leaf_index }) => ({ ordered_at, log, leaf_index }),
    toItem: toRecordView,
  };
}
