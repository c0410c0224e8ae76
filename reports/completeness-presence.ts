/** Who and what was there at all: coverage (S1), silence (S7), arrival (S8), canaries (S9). */
import type { Query } from '../store/record-store.ts';
import { hookDeliveryErrors } from '../store/queries/completeness.ts';
import { equals, paramsOf, where, type Condition } from '../store/queries/conditions.ts';
import { receivedWithin } from '../store/queries/instants.ts';
import { quarantineCounts } from '../store/queries/quarantine.ts';
import { silentWitnesses, witnessCounts } from '../store/queries/session-witnesses.ts';
import { belowSize } from '../store/queries/records.ts';
import { ALL_ROWS, LISTED_FINDINGS, type Assessment, type Measured } from './assessment.ts';
import { counted } from './counted.ts';

/** Conditions that keep a question to the period and scope of an assessment. */
export function withinAssessment({ period, scope }: Assessment): Condition[] {
  return [
    ...equals('log', scope.log),
    ...belowSize(scope.below),
    ...equals('session_id', scope.session_id),
    ...receivedWithin(period),
  ];
}

interface PresenceRow {
  readonly session_count: number;
  readonly collector_count: number;
  readonly person_count: number;
  readonly source_names: readonly string[];
  readonly heartbeat_count: number;
  readonly synthetic_count: number;
}

function presence(conditions: readonly Condition[]): Query<PresenceRow> {
  return {
    name: 'completeness.presence',
    sql: `SELECT
  uniqExactIf(session_id, session_id != '') AS session_count,
  uniqExact(collector) AS collector_count,
  uniqExactIf(claimed_user, claimed_user != '') AS person_count,
  arraySort(groupUniqArray(toString(source))) AS source_names,
  countIf(type = 'collector.heartbeat') AS heartbeat_count,
  countIf(synthetic = true) AS synthetic_count
FROM records
${where(conditions)}`,
    params: paramsOf(conditions),
  };
}

async function readPresence(assessment: Assessment): Promise<PresenceRow> {
  const [row] = await assessment.store.read(presence(withinAssessment(assessment)), assessment.scope.limits);
  return (
    row ?? {
      session_count: 0,
      collector_count: 0,
      person_count: 0,
      source_names: [],
      heartbeat_count: 0,
      synthetic_count: 0,
    }
  );
}

const WITNESSES = ['hook', 'otel', 'gateway', 'transcript'] as const;
const WITNESS_NAMES = {
  hook: 'the hooks',
  otel: 'the telemetry',
  gateway: 'a gateway',
  transcript: 'the transcript',
} as const;

/** S1: who was seen, and by which witnesses; who should have been seen is not known here. */
export async function measureCoverage(assessment: Assessment): Promise<Measured> {
  const { store, period, scope } = assessment;
  const row = await readPresence(assessment);
  const asked = { ...period, session_id: scope.session_id, below: scope.below };
  const [counts] = await store.read(witnessCounts(asked), scope.limits);
  const silent = await store.read(silentWitnesses({ ...asked, limit: LISTED_FINDINGS }), scope.limits);
  return {
    statistic: {
      id: 'S1',
      name: 'Coverage',
      state: 'not_measured',
      figures: [
        { name: 'sessions', value: String(row.session_count) },
        { name: 'claimed users', value: String(row.person_count) },
        { name: 'collectors', value: String(row.collector_count) },
        { name: 'sources', value: row.source_names.join(' ') },
        { name: 'sessions with tool calls', value: String(counts?.session_count ?? 0) },
        ...WITNESSES.map((witness) => ({
          name: `of them seen by ${WITNESS_NAMES[witness]}`,
          value: String(counts?.[`${witness}_count`] ?? 0),
        })),
      ],
      detail: 'there is no roster of expected people, hosts and keys to hold against those that were seen',
    },
    findings: silent.map(({ session_id, witness, seen_by }) => ({
      code: `session_without_${witness}`,
      session_id,
      tool_use_id: null,
      source: seen_by.join(' '),
      detail: `tools were called, and ${WITNESS_NAMES[witness]} told nothing of the session, though of others`,
    })),
  };
}

/** S7: silence of a collector shows only where it sends heartbeats. */
export async function measureSilence(assessment: Assessment): Promise<Measured> {
  const { heartbeat_count } = await readPresence(assessment);
  const detail =
    heartbeat_count === 0
      ? 'no collector sent a heartbeat in the period, so silence cannot be told from absence of activity'
      : 'heartbeats arrived, but no interval is declared that gaps could be judged by';
  return {
    statistic: {
      id: 'S7',
      name: 'Silence',
      state: 'not_measured',
      figures: [{ name: 'heartbeats', value: String(heartbeat_count) }],
      detail,
    },
    findings: [],
  };
}

/** S8: what arrived and could not be sealed as what it claims to be, and what the client says it failed to deliver. */
export async function measureArrival({ store, period, scope }: Assessment): Promise<Measured> {
  const { session_id, below, limits } = scope;
  const quarantined = await store.read(quarantineCounts({ ...period, below }), limits);
  const failedRuns = await store.read(
    hookDeliveryErrors({ ...period, session_id, below, limit: ALL_ROWS }),
    limits,
  );
  const items = quarantined.reduce((sum, { item_count }) => sum + item_count, 0);
  return {
    statistic: {
      id: 'S8',
      name: 'Loss and fidelity',
      state: items === 0 && failedRuns.length === 0 ? 'ok' : 'failed',
      figures: [
        { name: 'items in quarantine', value: String(items) },
        ...quarantined.map((row) => ({
          name: `${row.source_event} ${row.quarantine_reason}`,
          value: String(row.item_count),
        })),
        { name: 'hook runs with errors', value: String(failedRuns.length) },
      ],
      detail: arrivalDetail(items, failedRuns.length),
    },
    findings: [
      ...quarantined.map((row) => ({
        code: 'quarantined',
        session_id: null,
        tool_use_id: null,
        source: row.source_event,
        detail: `${counted(row.item_count, 'item')}: ${row.quarantine_reason}`,
      })),
      ...failedRuns.slice(0, LISTED_FINDINGS).map((row) => ({
        code: 'hook_delivery_error',
        session_id: row.session_id === '' ? null : row.session_id,
        tool_use_id: null,
        source: 'hook',
        detail: `${counted(row.hook_error_count, 'hook')} for ${row.hook_event} ended in an error that did not block`,
      })),
    ],
  };
}

function arrivalDetail(items: number, failedRuns: number): string {
  const kept = `${counted(items, 'item')} kept in quarantine: received, and not such that they could be sealed as what they claim to be`;
  const failed = `${counted(failedRuns, 'hook run')} ended in an error, so a hook that records may not have been heard`;
  const said = [...(items > 0 ? [kept] : []), ...(failedRuns > 0 ? [failed] : [])];
  if (said.length > 0) return said.join('; ');
  return 'every item that was received was sealed as what it claims to be; what a source cut or left out before sending does not show here';
}

/** S9: synthetic events put in at the source and looked for here. */
export async function measureCanaries(assessment: Assessment): Promise<Measured> {
  const { synthetic_count } = await readPresence(assessment);
  return {
    statistic: {
      id: 'S9',
      name: 'Canary',
      state: 'not_measured',
      figures: [{ name: 'synthetic records', value: String(synthetic_count) }],
      detail:
        synthetic_count === 0
          ? 'no synthetic event was found, and none is known to have been put in'
          : 'synthetic events were found, but how many were put in is not recorded',
    },
    findings: [],
  };
}
