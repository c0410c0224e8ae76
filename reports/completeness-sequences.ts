/** What the counters of the sources say: sequences (S2), and which sessions have which witnesses. */
import type { CompletenessFinding, CompletenessStatistic } from '../schemas/control.ts';
import type { Query } from '../store/record-store.ts';
import { sessionsWithoutEnd, type UnendedSession } from '../store/queries/completeness.ts';
import { paramsOf, where, type Condition } from '../store/queries/conditions.ts';
import { sequenceGaps, type SequenceGap } from '../store/queries/sequence-gaps.ts';
import { withinAssessment } from './completeness-presence.ts';
import { ALL_ROWS, LISTED_FINDINGS, type Assessment, type Measured } from './assessment.ts';
import { counted } from './counted.ts';

export interface SessionShape {
  readonly session_count: number;
  readonly uncounted_count: number;
  /** Not seen by both the hooks and the telemetry of the client. */
  readonly single_witness_count: number;
}

/** Sessions in which tools were called: which of them carry a counter, which have more than one witness. */
function sessionShape(conditions: readonly Condition[]): Query<SessionShape> {
  const isSession = { sql: `session_id != ''`, params: {} };
  return {
    name: 'completeness.session_shape',
    sql: `SELECT count() AS session_count, countIf(counted = 0) AS uncounted_count,
  countIf(NOT (by_hook AND by_otel)) AS single_witness_count
FROM
(
  SELECT session_id, countIf(event_sequence IS NOT NULL) AS counted,
    countIf(source = 'hook') > 0 AS by_hook, countIf(source = 'otel') > 0 AS by_otel
  FROM records
  ${where([isSession, ...conditions])}
  GROUP BY session_id
  HAVING countIf(tool_use_id != '') > 0
)`,
    params: paramsOf(conditions),
  };
}

export async function readSessionShape(assessment: Assessment): Promise<SessionShape> {
  const query = sessionShape(withinAssessment(assessment));
  const [row] = await assessment.store.read(query, assessment.scope.limits);
  return row ?? { session_count: 0, uncounted_count: 0, single_witness_count: 0 };
}

/** S2: numbers that a source's counter gave out and that never arrived. */
export async function measureSequences(assessment: Assessment): Promise<Measured> {
  const { store, period, scope } = assessment;
  const shape = await readSessionShape(assessment);
  const gaps = await store.read(
    sequenceGaps({ ...period, session_id: scope.session_id, below: scope.below }),
    scope.limits,
  );
  const unended = await store.read(
    sessionsWithoutEnd({ ...period, session_id: scope.session_id, below: scope.below, limit: ALL_ROWS }),
    scope.limits,
  );
  const missing = gaps.reduce((sum, { missing_from, missing_to }) => sum + missing_to - missing_from + 1, 0);
  return {
    statistic: {
      id: 'S2',
      name: 'Sequence completeness',
      ...sequenceVerdict(gaps.length, missing, shape),
      figures: [
        { name: 'sessions with tool calls', value: String(shape.session_count) },
        { name: 'of them without a counter', value: String(shape.uncounted_count) },
        { name: 'sessions whose end was not reported', value: String(unended.length) },
        { name: 'missing ranges', value: String(gaps.length) },
        { name: 'missing events', value: String(missing) },
      ],
    },
    findings: [
      ...gaps.slice(0, LISTED_FINDINGS).map(gapFinding),
      ...unended.slice(0, LISTED_FINDINGS).map(unendedFinding),
    ],
  };
}

function gapFinding({ session_id, missing_from, missing_to }: SequenceGap): CompletenessFinding {
  const detail = `events ${missing_from} to ${missing_to} are missing`;
  return { code: 'sequence_gap', session_id, tool_use_id: null, source: 'otel', detail };
}

function unendedFinding({ session_id, last_seen_at }: UnendedSession): CompletenessFinding {
  const detail = `no end was reported; last seen at ${last_seen_at}, so it may have been running still`;
  return { code: 'session_without_end', session_id, tool_use_id: null, source: null, detail };
}

function sequenceVerdict(
  gapCount: number,
  missing: number,
  { session_count, uncounted_count }: SessionShape,
): Pick<CompletenessStatistic, 'state' | 'detail'> {
  if (gapCount > 0) {
    return {
      state: 'failed',
      detail: `${counted(missing, 'event')} missing in ${counted(gapCount, 'range')} of the counters`,
    };
  }
  if (session_count === 0) {
    return {
      state: 'not_measured',
      detail: 'no session with tool calls was reported, so there is no counter to follow',
    };
  }
  if (uncounted_count > 0) {
    const detail = `${uncounted_count} of ${counted(session_count, 'session')} carry no event counter, so a loss in them would not show`;
    return { state: 'not_measured', detail };
  }
  return {
    state: 'ok',
    detail:
      'the event counters of every session with tool calls have no hole; a loss at the very end of a process leaves none',
  };
}
