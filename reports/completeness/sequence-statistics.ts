/** Sequences (S2): holes in the counters of sources and collectors, and which sessions have which witnesses. */
import type { CompletenessFinding, CompletenessStatistic } from '../../schemas/control.ts';
import type { Query } from '../../store/records/record-store.ts';
import { sessionsWithoutEnd, type UnendedSession } from '../../store/records/queries/completeness.ts';
import { deliveryGaps, collectorCounts, type DeliveryGap } from '../../store/records/queries/collectors.ts';
import { paramsOf, where, type Condition } from '../../store/records/queries/conditions.ts';
import { sessionCounters } from '../../store/records/queries/session-counters.ts';
import { withinAssessment } from './coverage.ts';
import { ALL_ROWS, askedOf, LISTED_FINDINGS, type Assessment, type Measured } from './assessment.ts';
import { counted } from '../controls/counted.ts';
import { SEQUENCE_RULE, sequenceGaps, type SequenceGap } from './sequences.ts';

export interface SessionShape {
  readonly session_count: number;
  readonly uncounted_count: number;
  /** Not seen by both the hooks and the telemetry of the client. */
  readonly single_witness_count: number;
}

/** Sessions in which tools were called: how many carry no counter, and how many have a single witness. */
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

/** S2: no number is missing from the counters of telemetry and of collectors. */
export async function measureSequences(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const shape = await readSessionShape(assessment);
  const asked = askedOf(assessment);
  const counters = sessionCounters(asked);
  const gaps = sequenceGaps(await store.read(counters, scope.limits), asked);
  const unended = await store.read(sessionsWithoutEnd({ ...asked, limit: ALL_ROWS }), scope.limits);
  const deliveries = await readDeliveries(assessment);
  const missing = missingIn(gaps);
  return {
    statistic: {
      id: 'S2',
      name: 'Sequence completeness',
      ...sequenceVerdict({ ranges: gaps.length, missing, undelivered: missingIn(deliveries.gaps) }, shape),
      figures: [
        { name: 'sessions with tool calls', value: String(shape.session_count) },
        { name: 'of them without a counter', value: String(shape.uncounted_count) },
        { name: 'sessions whose end was not reported', value: String(unended.length) },
        { name: 'missing ranges', value: String(gaps.length) },
        { name: 'missing events', value: String(missing) },
        { name: 'rule for missing events', value: `${SEQUENCE_RULE.id}, version ${SEQUENCE_RULE.version}` },
        ...deliveries.figures,
      ],
      rule: { ...SEQUENCE_RULE, sql: counters.sql, params: counters.params },
    },
    findings: [
      ...gaps.slice(0, LISTED_FINDINGS).map(gapFinding),
      ...deliveries.gaps.slice(0, LISTED_FINDINGS).map(deliveryFinding),
      ...unended.slice(0, LISTED_FINDINGS).map(unendedFinding),
    ],
  };
}

/** Missing deliveries of collectors. Their numbers run through all logs, so one log of several cannot show a hole. */
async function readDeliveries(assessment: Assessment) {
  const { store, scope } = assessment;
  const asked = askedOf(assessment);
  const [counts] = await store.read(collectorCounts(asked), scope.limits);
  const isPart = scope.log !== undefined && (counts?.log_count ?? 0) > 1;
  const gaps = isPart ? [] : await store.read(deliveryGaps(asked), scope.limits);
  const figures = [
    { name: 'collectors of the work of agents', value: String(counts?.collector_count ?? 0) },
    { name: 'of them numbering what they send', value: String(counts?.numbering_count ?? 0) },
    {
      name: 'missing deliveries',
      value: isPart ? 'not measured: the numbers run through several logs' : String(missingIn(gaps)),
    },
  ];
  return { gaps, figures };
}

function missingIn(gaps: readonly Pick<SequenceGap, 'missing_from' | 'missing_to'>[]): number {
  return gaps.reduce((sum, { missing_from, missing_to }) => sum + missing_to - missing_from + 1, 0);
}

function deliveryFinding(gap: DeliveryGap): CompletenessFinding {
  const { collector, collector_boot_id, missing_from, missing_to } = gap;
  const detail = `deliveries ${missing_from} to ${missing_to} of its run ${collector_boot_id} are missing: they wait in a spool, were lost, or died with the client`;
  return { code: 'delivery_gap', session_id: null, tool_use_id: null, source: collector, detail };
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
  holes: Readonly<Record<'ranges' | 'missing' | 'undelivered', number>>,
  { session_count, uncounted_count }: SessionShape,
): Pick<CompletenessStatistic, 'state' | 'detail'> {
  const { ranges, missing, undelivered } = holes;
  if (ranges > 0 || undelivered > 0) {
    const said = [
      ...(ranges > 0
        ? [`${counted(missing, 'event')} missing in ${counted(ranges, 'range')} of the counters`]
        : []),
      ...(undelivered > 0
        ? [`${counted(undelivered, 'numbered delivery', 'numbered deliveries')} missing`]
        : []),
    ];
    return { state: 'failed', detail: said.join('; ') };
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
