import { Type, type Static } from 'typebox';
import { HashHex, InstantUtc, SafeCount } from './primitives.ts';

/** Id of a control framework, e.g. `soc2`. The list of those that packages are made for is reports/frameworks/index.ts. */
export const FrameworkId = Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' });
export type FrameworkId = Static<typeof FrameworkId>;

/** Half-open interval [from, to) on the `received_at` clock. */
export const Period = Type.Object({ from: InstantUtc, to: InstantUtc }, { additionalProperties: false });
export type Period = Static<typeof Period>;

/** Four states, never two: nothing wrong in an incomplete population is "not tested". */
export const ControlState = Type.Union([
  Type.Literal('met'),
  Type.Literal('exception'),
  Type.Literal('not_tested'),
  Type.Literal('not_applicable'),
]);
export type ControlState = Static<typeof ControlState>;

/** A rule outside the record store: its version, and the query whose rows it judged. */
const StatisticRule = Type.Object({
  id: Type.String(),
  version: SafeCount,
  sql: Type.String(),
  params: Type.Record(Type.String(), Type.Unknown()),
});

/** One base statistic of the catalogue (S1 to S10) as measured for a control and period. */
export const CompletenessStatistic = Type.Object({
  id: Type.String({ pattern: '^S[0-9]{1,2}$' }),
  name: Type.String(),
  state: Type.Union([Type.Literal('ok'), Type.Literal('failed'), Type.Literal('not_measured')]),
  figures: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
  detail: Type.String(),
  /** Of a statistic that a query alone does not decide. Packages made before it was added have none. */
  rule: Type.Optional(StatisticRule),
});
export type CompletenessStatistic = Static<typeof CompletenessStatistic>;

export const CompletenessFinding = Type.Object({
  code: Type.String({ description: 'closed list in docs/formats/completeness.md' }),
  session_id: Type.Union([Type.String(), Type.Null()]),
  tool_use_id: Type.Union([Type.String(), Type.Null()]),
  source: Type.Union([Type.String(), Type.Null()]),
  detail: Type.String(),
});
export type CompletenessFinding = Static<typeof CompletenessFinding>;

/** The completeness of a period; `state` is complete only if every measured statistic is ok. */
export const CompletenessStatement = Type.Object({
  period: Period,
  state: Type.Union([Type.Literal('complete'), Type.Literal('incomplete')]),
  statistics: Type.Array(CompletenessStatistic),
  findings: Type.Array(CompletenessFinding),
});
export type CompletenessStatement = Static<typeof CompletenessStatement>;

/** A drawn population: its definition in words and as a query, its count and the digest of its CSV. */
export const PopulationResult = Type.Object({
  id: Type.String(),
  title: Type.String(),
  definition: Type.String(),
  sql: Type.String(),
  params: Type.Record(Type.String(), Type.Unknown()),
  row_count: SafeCount,
  record_count: SafeCount,
  csv_path: Type.String(),
  csv_sha256: HashHex,
});
export type PopulationResult = Static<typeof PopulationResult>;

/** One run of a rule, with the query to repeat it. Rules without exceptions are listed too. */
export const RuleResult = Type.Object({
  id: Type.String(),
  description: Type.String(),
  sql: Type.String(),
  params: Type.Record(Type.String(), Type.Unknown()),
  exception_count: SafeCount,
});
export type RuleResult = Static<typeof RuleResult>;

export const ControlException = Type.Object({
  rule: Type.String(),
  description: Type.String(),
  session_id: Type.Union([Type.String(), Type.Null()]),
  tool_use_id: Type.Union([Type.String(), Type.Null()]),
  record_ids: Type.Array(Type.String()),
});
export type ControlException = Static<typeof ControlException>;

export const ControlResult = Type.Object({
  control_id: Type.String(),
  framework: FrameworkId,
  title: Type.String(),
  state: ControlState,
  state_reason: Type.String(),
  populations: Type.Array(PopulationResult),
  figures: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
  rules: Type.Optional(Type.Array(RuleResult)),
  exceptions: Type.Array(ControlException),
  completeness: CompletenessStatement,
  not_proven: Type.Array(Type.String()),
});
export type ControlResult = Static<typeof ControlResult>;
