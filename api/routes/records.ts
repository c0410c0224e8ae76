import { Type, type Static } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import { InstantUtc, SafeCount } from '../../schemas/primitives.ts';
import { RecordSource, RecordType } from '../../schemas/record.ts';
import {
  getRecord,
  listRecords,
  type DetailedRecord,
  type ListedRecord,
  type RecordFilters,
} from '../../store/records/queries/records.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import { linkNextPage, PageQuery, pageOf, readPage, type PageSource } from '../http/page.ts';
import { checkInterval } from '../http/interval.ts';
import { IncludeContent, RecordView, toRecordView, type RecordShown } from './record-view.ts';
import type { TypedApp } from '../http/typed-app.ts';

const Name = Type.Optional(Type.String({ minLength: 1, maxLength: 1024 }));
const Bound = Type.Optional(InstantUtc);

/** Filters of a list of records; a record must match all of them. Intervals are half-open. */
const RecordFilterQuery = {
  type: Type.Optional(
    Type.Array(RecordType, { maxItems: 32, description: 'may be repeated; a record must match one of them' }),
  ),
  source: Type.Optional(RecordSource),
  session_id: Name,
  tool_use_id: Name,
  prompt_id: Name,
  request_id: Name,
  claimed_user: Name,
  collector: Name,
  tool_name: Name,
  decision: Name,
  received_from: Bound,
  received_to: Bound,
  occurred_from: Bound,
  occurred_to: Bound,
  q: Type.Optional(
    Type.String({
      maxLength: 256,
      pattern: '[\\p{L}\\p{N}]',
      description: 'whole words; the content holds all of them, in any order, upper or lower case',
    }),
  ),
};

const ListQuery = Type.Object(
  { ...RecordFilterQuery, include: IncludeContent, ...PageQuery },
  { additionalProperties: false },
);
type ListQuery = Static<typeof ListQuery>;

const RecordPosition = Type.Object({ log: Type.String(), leaf_index: SafeCount });

export const RecordId = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });
export const NO_RECORD = problemAnswer('NOT_FOUND: no record has this id');

/** Records in the order of the log, and a single record by its id. */
export function recordRoutes(app: TypedApp, store: RecordStore): void {
  app.get(
    '/v1/records',
    {
      schema: {
        tags: ['records'],
        summary: 'Records in the order they were sealed, narrowed by filters',
        querystring: ListQuery,
        response: { ...GUARDED_PROBLEMS, 200: pageOf(RecordView) },
      },
    },
    async (request, reply) => {
      checkBounds(request.query);
      const page = await readPage(request.query, recordSource(store, request.query));
      linkNextPage(request, reply, page);
      return page;
    },
  );
  app.get(
    '/v1/records/:id',
    {
      schema: {
        tags: ['records'],
        summary: 'One record',
        params: RecordId,
        querystring: Type.Object({ include: IncludeContent }, { additionalProperties: false }),
        response: { ...GUARDED_PROBLEMS, 200: RecordView, 404: NO_RECORD },
      },
    },
    async (request) => {
      const withContent = request.query.include !== undefined;
      return toRecordView(await findRecord(store, request.params.id, withContent));
    },
  );
}

/** Throws NOT_FOUND. */
export async function findRecord(
  store: RecordStore,
  id: string,
  withContent = false,
): Promise<DetailedRecord> {
  const [row] = await store.read(getRecord({ id, withContent }));
  if (row === undefined) throw new PipelineError('NOT_FOUND', 'no record has this id');
  return row;
}

function checkBounds(query: ListQuery): void {
  checkInterval(
    { from: query.received_from, to: query.received_to },
    { from: '/querystring/received_from', to: '/querystring/received_to' },
  );
  checkInterval(
    { from: query.occurred_from, to: query.occurred_to },
    { from: '/querystring/occurred_from', to: '/querystring/occurred_to' },
  );
}

function recordSource(
  store: RecordStore,
  query: ListQuery,
): PageSource<ListedRecord, typeof RecordPosition, RecordShown> {
  const filters = toFilters(query);
  const withContent = query.include !== undefined;
  return {
    scope: { list: 'records', ...filters },
    position: RecordPosition,
    read: (after, limit) => store.read(listRecords({ filters, after, limit, withContent })),
    positionOf: ({ log, leaf_index }) => ({ log, leaf_index }),
    toItem: toRecordView,
  };
}

function toFilters(query: ListQuery): RecordFilters {
  return {
    type: query.type,
    source: query.source,
    session_id: query.session_id,
    tool_use_id: query.tool_use_id,
    prompt_id: query.prompt_id,
    request_id: query.request_id,
    claimed_user: query.claimed_user,
    collector: query.collector,
    tool_name: query.tool_name,
    decision: query.decision,
    received_from: query.received_from,
    received_to: query.received_to,
    occurred_from: query.occurred_from,
    occurred_to: query.occurred_to,
    // Content is stored as JSON text, so the words are searched for as JSON spells them.
    text: query.q === undefined ? undefined : JSON.stringify(query.q).slice(1, -1),
  };
}
