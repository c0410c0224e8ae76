import { Type, type Static } from 'typebox';
import { RecordSource } from './record.ts';

export const ToolCallOutcome = Type.Union([
  Type.Literal('executed'),
  Type.Literal('failed'),
  Type.Literal('denied'),
  Type.Literal('unavailable'),
  Type.Literal('unresolved'),
]);
export type ToolCallOutcome = Static<typeof ToolCallOutcome>;

/** One tool call with its outcome, derived from every source that saw it. */
export const ToolCall = Type.Object({
  tool_use_id: Type.String(),
  session_id: Type.String(),
  tool_name: Type.String(),
  outcome: ToolCallOutcome,
  decided_by: Type.Union([
    Type.Literal('rule'),
    Type.Literal('user'),
    Type.Literal('hook'),
    Type.Literal('classifier'),
    Type.Null(),
  ]),
  reason: Type.Union([Type.String({ description: 'closed list in docs/formats/tool-call.md' }), Type.Null()]),
  seen_by: Type.Array(RecordSource),
  occurred_at: Type.Union([Type.String(), Type.Null()]),
  record_ids: Type.Array(Type.String()),
});
export type ToolCall = Static<typeof ToolCall>;
