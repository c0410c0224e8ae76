/** Statistics of the log and of the sources' clocks: timeliness (S5) and integrity (S6). */
import type { CompletenessFinding, CompletenessStatistic } from '../../schemas/control.ts';
import { OWN_COLLECTOR } from '../../schemas/native-event.ts';
import type { Query } from '../../store/records/record-store.ts';
import {
  clockSkew,
  clockSteps,
  type ClockSkew,
  type ClockSteps,
} from '../../store/records/queries/completeness.ts';
import { equals, paramsOf, where } from '../../store/records/queries/conditions.ts';
import { receivedWithin } from '../../store/records/queries/instants.ts';
import { coveredBy } from '../../store/records/queries/records.ts';
import { askedOf, type Assessment, type Measured } from './assessment.ts';
import { backlogFigures, waitingDetail } from './backlog.ts';
import { counted } from '../controls/counted.ts';

interface LogRow {
  readonly log: string;
  readonly row_count: number;
  readonly index_count: number;
  readonly next_index: number;
}

function logShape({ scope }: Assessment): Query<LogRow> {
  const conditions = coveredBy(scope);
  return {
    name: 'completeness.log_shape',
    sql: `SELECT log, count() AS row_count, uniqExact(leaf_index) AS index_count, max(leaf_index) + 1 AS next_index
FROM records
${where(conditions)}
GROUP BY log
ORDER BY log`,
    params: paramsOf(conditions),
  };
}

/** Records of the period that were sealed after the checkpoint. */
function tail({ scope, period }: Assessment): Query<{ readonly row_count: number }> {
  const conditions = [...equals('log', scope.log), ...receivedWithin(period)];
  return {
    name: 'completeness.tail',
    sql: `SELECT count() AS row_count
FROM records
${where([...conditions, { sql: 'leaf_index >= {tail_from: UInt64}', params: {} }])}`,
    params: { ...paramsOf(conditions), tail_from: scope.below ?? 0 },
  };
}

/**
 * S6: one row for each leaf, from the first to the last, and nothing of the period above the checkpoint. Where every
 * row was compared with its leaf before, the statistic says so.
 */
export async function measureIntegrity(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const logs = await store.read(logShape(assessment), scope.limits);
  const broken = logs.filter((row) => row.row_count !== row.next_index || row.index_count !== row.next_index);
  const rowCount = logs.reduce((sum, { row_count }) => sum + row_count, 0);
  const [above] = scope.below === undefined ? [] : await store.read(tail(assessment), scope.limits);
  const tailCount = above?.row_count ?? 0;
  const missesRows = scope.below !== undefined && rowCount !== scope.below;
  const isOneEach = broken.length === 0 && !missesRows;
  const waiting = waitingDetail(assessment);
  const figures = [{ name: 'rows', value: String(rowCount) }];
  if (scope.below !== undefined)
    figures.push({ name: 'rows of the period above the checkpoint', value: String(tailCount) });
  figures.push(...backlogFigures(scope.backlog));
  if (scope.verifiedRows !== undefined)
    figures.push({ name: 'rows compared with their leaves', value: String(scope.verifiedRows) });
  const statistic: CompletenessStatistic = {
    id: 'S6',
    name: 'Integrity',
    state: isOneEach && tailCount === 0 && waiting === '' ? 'ok' : 'failed',
    figures,
    detail: `${integrityDetail({ isOneEach, tailCount, isVerified: scope.verifiedRows !== undefined })}${waiting}`,
  };
  return { statistic, findings: [] };
}

function integrityDetail(found: {
  readonly isOneEach: boolean;
  readonly tailCount: number;
  readonly isVerified: boolean;
}): string {
  const rows = rowsDetail(found);
  if (!found.isVerified) return rows;
  return `${rows}; every row under the checkpoint is what its leaf commits to, and the leaves lead to the signed root`;
}

function rowsDetail({
  isOneEach,
  tailCount,
}: {
  readonly isOneEach: boolean;
  readonly tailCount: number;
}): string {
  if (!isOneEach) return 'the record store does not have exactly one row for each leaf of the log';
  if (tailCount > 0) return `${counted(tailCount, 'record')} of the period not under the checkpoint yet`;
  return 'the record store has exactly one row for each leaf';
}

/**
 * S5: how long records were on their way, whether the clock of a source is ahead of the receiver's, and whether our own
 * clock was set back.
 */
export async function measureClock(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const asked = askedOf(assessment);
  const rows = await store.read(clockSkew(asked), scope.limits);
  const [steps = NO_STEPS] = await store.read(clockSteps(asked), scope.limits);
  const dated = rows.filter(({ clocked_count }) => clocked_count > 0);
  const figures = [...dated.flatMap(clockFigures), ...stepFigures(steps)];
  return {
    statistic: { id: 'S5', name: 'Timeliness and clock', ...clockVerdict(dated, steps), figures },
    findings: [
      ...dated.filter(({ far_ahead_count }) => far_ahead_count > 0).map(clockFinding),
      ...stepFindings(steps),
    ],
  };
}

const NO_STEPS: ClockSteps = { step_count: 0, behind_ms_max: 0 };

function clockVerdict(dated: readonly ClockSkew[], { step_count, behind_ms_max }: ClockSteps) {
  const ahead = dated.reduce((sum, { far_ahead_count }) => sum + far_ahead_count, 0);
  const claimed = `${counted(ahead, 'record')} claimed to have occurred more than 5 s after being received`;
  const stepped = `${counted(step_count, 'time')} our own clock was found behind the newest bundle or the receipt of a record, by up to ${behind_ms_max} ms: it had been ahead, so records were received at other times than they say`;
  const wrong = [...(ahead > 0 ? [claimed] : []), ...(step_count > 0 ? [stepped] : [])];
  if (wrong.length > 0) return { state: 'failed', detail: wrong.join('; ') } as const;
  if (dated.length === 0) {
    const detail = 'no record of the period has an occurred_at of its source';
    return { state: 'not_measured', detail } as const;
  }
  const detail =
    'no source was more than 5 s ahead of the receiver; no delay is declared that the records could be compared with';
  return { state: 'ok', detail } as const;
}

function stepFigures({ step_count, behind_ms_max }: ClockSteps): { name: string; value: string }[] {
  if (step_count === 0) return [];
  return [
    { name: 'times our own clock was set back', value: String(step_count) },
    { name: 'largest of these steps', value: `${behind_ms_max} ms` },
  ];
}

function stepFindings({ step_count, behind_ms_max }: ClockSteps): CompletenessFinding[] {
  if (step_count === 0) return [];
  const detail = `${counted(step_count, 'time')} set back, by up to ${behind_ms_max} ms`;
  return [{ code: 'clock_stepped', session_id: null, tool_use_id: null, source: OWN_COLLECTOR, detail }];
}

function clockFigures(row: ClockSkew): { name: string; value: string }[] {
  return [
    { name: `${row.source} records with a clock`, value: `${row.clocked_count} of ${row.record_count}` },
    { name: `${row.source} delay, median`, value: `${row.delay_ms_p50 ?? 0} ms` },
    { name: `${row.source} delay, 99th percentile`, value: `${row.delay_ms_p99 ?? 0} ms` },
    { name: `${row.source} delay, largest`, value: `${row.delay_ms_max ?? 0} ms` },
  ];
}

function clockFinding({ source, far_ahead_count }: ClockSkew): CompletenessFinding {
  const detail = `${counted(far_ahead_count, 'record')} more than 5 s ahead of the receiver`;
  return { code: 'clock_ahead', session_id: null, tool_use_id: null, source, detail };
}
