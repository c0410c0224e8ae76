import { Type, type Static } from 'typebox';
import { InstantUtc } from '../../schemas/primitives.ts';
import { ToolCall, ToolCallOutcome } from '../../schemas/tool-call.ts';
import { listToolCalls } from '../../store/records/queries/tool-calls.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { checkInterval } from '../http/interval.ts';
import { GUARDED_PROBLEMS } from '../http/openapi.ts';
import { linkNextPage, PageQuery, pageOf, readPage, type PageSource } from '../http/page.ts';
import type { TypedApp } from '../http/typed-app.ts';

const ToolCallQuery = Type.Object(
  {
    session_id: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    outcome: Type.Optional(ToolCallOutcome),
    from: Type.Optional(InstantUtc),
    to: Type.Optional(InstantUtc),
    ...PageQuery,
  },
  { additionalProperties: false },
);
type ToolCallQuery = Static<typeof ToolCallQuery>;

const ToolCallPosition = Type.Object({ session_id: Type.String(), tool_use_id: Type.String() });

/** Tool calls with their outcomes, each derived from all sources that saw the call. */
export function toolCallRoute(app: TypedApp, store: RecordStore): void {
  app.get(
    '/v1/tool-calls',
    {
      schema: {
        tags: ['records'],
        summary: 'Tool calls first received in [from, to), in the order they were first sealed',
        querystring: ToolCallQuery,
        response: { ...GUARDED_PROBLEMS, 200: pageOf(ToolCall) },
      },
    },
    async (request, reply) => {
      checkInterval(request.query, { from: '/querystring/from', to: '/querystring/to' });
      const page = await readPage(request.query, toolCallSource(store, request.query));
      linkNextPage(request, reply, page);
      return page;
    },
  );
}

function toolCallSource(
  store: RecordStore,
  { session_id, outcome, from, to }: ToolCallQuery,
): PageSource<ToolCall, typeof ToolCallPosition, ToolCall> {
  return {
    scope: { list: 'tool-calls', session_id, outcome, from, to },
    position: ToolCallPosition,
    read: (after, limit) => store.read(listToolCalls({ session_id, outcome, from, to, after, limit })),
    positionOf: (call) => ({ session_id: call.session_id, tool_use_id: call.tool_use_id }),
    toItem: (call) => call,
  };
}
