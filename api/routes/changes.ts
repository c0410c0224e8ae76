import { Type, type Static } from 'typebox';
import { Change, ChangeState } from '../../schemas/change.ts';
import { InstantUtc } from '../../schemas/primitives.ts';
import { listChanges } from '../../store/records/queries/changes.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { checkInterval } from '../http/interval.ts';
import { GUARDED_PROBLEMS } from '../http/openapi.ts';
import { linkNextPage, PageQuery, pageOf, readPage, type PageSource } from '../http/page.ts';
import type { TypedApp } from '../http/typed-app.ts';

const Name = Type.Optional(Type.String({ minLength: 1, maxLength: 1024 }));

const ChangeQuery = Type.Object(
  {
    session_id: Name,
    git_commit_id: Name,
    repository: Name,
    state: Type.Optional(ChangeState),
    from: Type.Optional(InstantUtc),
    to: Type.Optional(InstantUtc),
    ...PageQuery,
  },
  { additionalProperties: false },
);
type ChangeQuery = Static<typeof ChangeQuery>;

const ChangePosition = Type.Object({ git_commit_id: Type.String() });

/** Commits of agents, each with its session, its pull or merge request and its approvers. */
export function changeRoute(app: TypedApp, store: RecordStore): void {
  app.get(
    '/v1/changes',
    {
      schema: {
        tags: ['records'],
        summary: 'Commits of agents first named in [from, to), in the order they were first sealed',
        querystring: ChangeQuery,
        response: { ...GUARDED_PROBLEMS, 200: pageOf(Change) },
      },
    },
    async (request, reply) => {
      checkInterval(request.query, { from: '/querystring/from', to: '/querystring/to' });
      const page = await readPage(request.query, changeSource(store, request.query));
      linkNextPage(request, reply, page);
      return page;
    },
  );
}

function changeSource(
  store: RecordStore,
  { session_id, git_commit_id, repository, state, from, to }: ChangeQuery,
): PageSource<Change, typeof ChangePosition, Change> {
  const filters = { session_id, git_commit_id, repository, state, from, to };
  return {
    scope: { list: 'changes', ...filters },
    position: ChangePosition,
    read: (after, limit) => store.read(listChanges({ ...filters, after, limit })),
    positionOf: (change) => ({ git_commit_id: change.git_commit_id }),
    toItem: (change) => change,
  };
}
