import { Type, type Static } from 'typebox';

/** The state of a commit on its way to an independent approver; docs/formats/change.md defines each. */
export const ChangeState = Type.Union([
  Type.Literal('approved'),
  Type.Literal('approved_before_last_push'),
  Type.Literal('merged_without_independent_approval'),
  Type.Literal('pushed_to_default_branch'),
  Type.Literal('open'),
  Type.Literal('closed'),
  Type.Literal('not_proposed'),
  Type.Literal('not_pushed'),
  Type.Literal('ambiguous'),
]);
export type ChangeState = Static<typeof ChangeState>;

const Names = Type.Array(Type.String());
const MaybeText = Type.Union([Type.String(), Type.Null()]);

/** One commit of an agent with the reports of the forge on it. */
export const Change = Type.Object({
  git_commit_id: Type.String({ description: 'as the agent reported it; may be abbreviated' }),
  forge_commit_id: Type.Union([Type.String({ description: 'the same as the forge spells it' }), Type.Null()]),
  session_ids: Names,
  tool_use_ids: Names,
  claimed_users: Names,
  occurred_at: MaybeText,
  pushed_to: Type.Array(Type.String(), { description: 'repositories that it was pushed to' }),
  pushers: Names,
  on_default_branch: Type.Boolean(),
  change_ids: Type.Array(Type.String(), { description: 'pull or merge requests that hold it' }),
  change_id: Type.Union([
    Type.String({ description: 'the one that decides the state; the members below are about it' }),
    Type.Null(),
  ]),
  joined_by: Type.Array(
    Type.Union([Type.Literal('branch'), Type.Literal('head'), Type.Literal('merge'), Type.Literal('push')]),
    { description: 'why the commit is part of the change' },
  ),
  author: MaybeText,
  head_commit_id: MaybeText,
  merge_commit_id: MaybeText,
  merged_at: MaybeText,
  merged_by: MaybeText,
  approvers: Type.Array(Type.String(), { description: 'independent, and not withdrawn before the merge' }),
  late_approvers: Type.Array(Type.String(), { description: 'independent, and after the merge' }),
  withdrawn_approvers: Type.Array(Type.String(), {
    description: 'whose approval was dismissed or superseded before the merge',
  }),
  approved_head: Type.Union([
    Type.Boolean({ description: 'whether an approval is of the last commit; null where that is not known' }),
    Type.Null(),
  ]),
  checks: Type.Union([Type.Literal('passed'), Type.Literal('failed'), Type.Literal('none')]),
  state: ChangeState,
  record_ids: Names,
});
export type Change = Static<typeof Change>;
