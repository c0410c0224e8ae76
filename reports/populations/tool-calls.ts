import { CALL_RECORDS } from '../../store/records/queries/tool-call-verdict.ts';
import { countToolCalls, listToolCalls, selectCalls } from '../../store/records/queries/tool-calls.ts';
import type { Covered } from '../../store/records/queries/records.ts';
import type { Query } from '../../store/records/record-store.ts';
import type { ExceptionRule, FigureRow, Population, PopulationRow, Scope } from '../controls/control.ts';

/** Tool calls with their outcomes, each derived from every source that saw the call. */
export const toolCallPopulation: Population = {
  id: 'tool-calls',
  title: 'Tool calls and their outcomes',
  definition:
    'Every tool call whose first record was received in the period, with the outcome that follows from all its records under the checkpoint (docs/formats/tool-call.md states the rules). Refused calls are included.',
  columns: [
    'session_id',
    'tool_use_id',
    'tool_name',
    'outcome',
    'decided_by',
    'reason',
    'seen_by',
    'occurred_at',
    'record_ids',
  ],
  page: (scope, { after, limit }) => ({
    ...listToolCalls({
      ...bounds(scope),
      ...(after === undefined ? {} : { after: callPosition(after) }),
      limit,
    }),
    name: 'population.tool-calls',
  }),
  members: (scope, { from_index, to_index }) => {
    const calls = selectCalls(bounds(scope));
    return {
      name: 'members.tool-calls',
      sql: `SELECT leaf_index
FROM records
WHERE log = {log: String} AND leaf_index >= {from_index: UInt64} AND leaf_index < {to_index: UInt64}
  AND ${CALL_RECORDS}
  AND (session_id, tool_use_id) IN (SELECT session_id, tool_use_id FROM
(
${calls.sql}
))`,
      params: { ...calls.params, log: scope.log, from_index, to_index },
    };
  },
};

/** Tool parameters in telemetry: JSON text in an attribute, sent by clients that are set to send details. */
const TELEMETRY_INPUT = `JSONExtractString(content, 'attributes', 'tool_parameters')`;

/** SQL for the shell command of a record, from a hook or from telemetry; '' where the record has none. */
export const SHELL_COMMAND = `concat(JSONExtractString(content, 'tool_input', 'command'), JSONExtractString(${TELEMETRY_INPUT}, 'full_command'))`;

/** SQL for whether a record asks for a command outside the sandbox. */
export const OUTSIDE_SANDBOX = `(JSONExtractBool(content, 'tool_input', 'dangerouslyDisableSandbox')
    OR JSONExtractBool(${TELEMETRY_INPUT}, 'dangerouslyDisableSandbox'))`;

/** Refused calls that ran nevertheless: an exception in every control that draws tool calls. */
export const rejectedButExecuted: ExceptionRule = {
  id: 'rejected-but-executed',
  description: 'The call was rejected by a rule, a person, a hook or the classifier, and ran nevertheless.',
  rows: (scope, limit) => {
    const calls = selectCalls(bounds(scope));
    return {
      name: 'exception.rejected-but-executed',
      sql: `SELECT session_id, tool_use_id, record_ids
FROM
(
${calls.sql}
)
WHERE verdict.reason = 'rejected_but_executed'
ORDER BY first_position
LIMIT {limit: UInt32}`,
      params: { ...calls.params, limit },
    };
  },
};

/** The number of calls with each outcome. */
export function callsByOutcome(scope: Scope): Query<FigureRow> {
  const counts = countToolCalls(bounds(scope));
  return {
    name: 'figure.calls-by-outcome',
    sql: `SELECT concat('tool calls ', outcome) AS name, toString(call_count) AS value
FROM
(
${counts.sql}
)
ORDER BY name`,
    params: counts.params,
  };
}

function bounds({ period, log, tree_size }: Scope): Covered & { from: string; to: string } {
  return { from: period.from, to: period.to, log, below: tree_size };
}

function callPosition(row: PopulationRow): { session_id: string; tool_use_id: string } {
  return { session_id: String(row['session_id']), tool_use_id: String(row['tool_use_id']) };
}
