/** Coverage (S1): the people and witnesses that were seen, against the roster from the identity feed. */
import type { CompletenessFinding } from '../../schemas/control.ts';
import { equals, paramsOf, where, type Condition } from '../../store/records/queries/conditions.ts';
import { receivedWithin } from '../../store/records/queries/instants.ts';
import { WITNESSES } from '../../store/records/queries/record-types.ts';
import { coveredBy } from '../../store/records/queries/records.ts';
import {
  rosterCounts,
  rosterDifferences,
  type RosterCounts,
  type RosterDifference,
} from '../../store/records/queries/roster.ts';
import {
  silentWitnesses,
  witnessCounts,
  type SilentWitness,
} from '../../store/records/queries/session-witnesses.ts';
import type { Query } from '../../store/records/record-store.ts';
import { askedOf, LISTED_FINDINGS, type Assessment, type Measured } from './assessment.ts';
import { counted } from '../controls/counted.ts';

/** Conditions that narrow a query to the period and scope of an assessment. */
export function withinAssessment({ period, scope }: Assessment): Condition[] {
  return [...coveredBy(scope), ...equals('session_id', scope.session_id), ...receivedWithin(period)];
}

interface PresenceRow {
  readonly session_count: number;
  readonly collector_count: number;
  readonly source_names: readonly string[];
}

function presence(conditions: readonly Condition[]): Query<PresenceRow> {
  return {
    name: 'completeness.presence',
    sql: `SELECT
  uniqExactIf(session_id, session_id != '') AS session_count,
  uniqExact(collector) AS collector_count,
  arraySort(groupUniqArray(toString(source))) AS source_names
FROM records
${where(conditions)}`,
    params: paramsOf(conditions),
  };
}

const WITNESS_NAMES = {
  hook: 'the hooks',
  otel: 'the telemetry',
  gateway: 'a gateway',
  transcript: 'the transcript',
} as const;

/** S1: each person on the roster of the period was seen. The figures count people and witnesses. */
export async function measureCoverage(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const asked = askedOf(assessment);
  const [row] = await store.read(presence(withinAssessment(assessment)), scope.limits);
  const [counts] = await store.read(witnessCounts(asked), scope.limits);
  const silent = await store.read(silentWitnesses({ ...asked, limit: LISTED_FINDINGS }), scope.limits);
  const [roster = NO_ROSTER] = await store.read(rosterCounts(asked), scope.limits);
  const differences =
    roster.expected_count === 0
      ? []
      : await store.read(rosterDifferences({ ...asked, limit: LISTED_FINDINGS }), scope.limits);
  return {
    statistic: {
      id: 'S1',
      name: 'Coverage',
      ...coverageVerdict(roster),
      figures: [
        { name: 'sessions', value: String(row?.session_count ?? 0) },
        { name: 'collectors', value: String(row?.collector_count ?? 0) },
        { name: 'sources', value: row?.source_names.join(' ') ?? '' },
        { name: 'people on the roster', value: String(roster.expected_count) },
        { name: 'of them seen', value: String(roster.seen_expected_count) },
        { name: 'claimed users', value: String(roster.seen_count) },
        { name: 'sessions with tool calls', value: String(counts?.session_count ?? 0) },
        ...WITNESSES.map((witness) => ({
          name: `of them seen by ${WITNESS_NAMES[witness]}`,
          value: String(counts?.[`${witness}_count`] ?? 0),
        })),
      ],
    },
    findings: [...differences.map(rosterFinding), ...silent.map(silentFinding)],
  };
}

const NO_ROSTER: RosterCounts = { expected_count: 0, seen_expected_count: 0, seen_count: 0 };

function coverageVerdict({ expected_count, seen_expected_count, seen_count }: RosterCounts) {
  if (expected_count === 0) {
    const detail = 'there is no roster of expected people to compare with the people who were seen';
    return { state: 'not_measured', detail } as const;
  }
  const missing = expected_count - seen_expected_count;
  if (missing > 0) {
    const detail = `${missing} of ${counted(expected_count, 'person', 'people')} on the roster not named by any record, and not excused`;
    return { state: 'failed', detail } as const;
  }
  const strangers = seen_count - seen_expected_count;
  const detail = `everybody on the roster was seen; ${counted(strangers, 'claimed user')} beside the roster`;
  return { state: 'ok', detail } as const;
}

function rosterFinding({ person, is_expected }: RosterDifference): CompletenessFinding {
  return {
    code: is_expected ? 'expected_without_records' : 'seen_without_being_expected',
    session_id: null,
    tool_use_id: null,
    source: null,
    detail: is_expected
      ? `${person} is on the roster, and no record names them`
      : `${person} is not on the roster`,
  };
}

function silentFinding({ session_id, witness, seen_by }: SilentWitness): CompletenessFinding {
  return {
    code: `session_without_${witness}`,
    session_id,
    tool_use_id: null,
    source: seen_by.join(' '),
    detail: `tools were called, and ${WITNESS_NAMES[witness]} reported other sessions but not this one`,
  };
}
