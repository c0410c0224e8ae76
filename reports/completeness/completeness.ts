/**
 * The completeness of a period. In: a record store, a period and a scope. Out: the base statistics S1 to S9, each ok,
 * failed or not measured, with findings. Invariant: a statistic is `ok` only where a query could have found the
 * opposite.
 */
import type { CompletenessStatement, Period } from '../../schemas/control.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import type { Assessment, CompletenessScope, Measured } from './assessment.ts';
import { measureArrival, measureCanaries, measureSilence } from './arrival.ts';
import { measureCoverage } from './coverage.ts';
import { measureDecisions, measureReconciliation } from './calls.ts';
import { measureSequences } from './sequence-statistics.ts';
import { measureClock, measureIntegrity } from './log.ts';

/**
 * Measures the base statistics over a period, half-open on received_at. `state` is `complete` only if every measured
 * statistic is ok. Each control names those that it requires (`restrictTo`).
 */
export async function assessCompleteness(
  store: RecordStore,
  period: Period,
  scope: CompletenessScope = {},
): Promise<CompletenessStatement> {
  const assessment = { store, period, scope };
  const measured: Measured[] = [];
  for (const measure of MEASURES) measured.push(await measure(assessment));
  const statistics = measured.map(({ statistic }) => statistic);
  return {
    period,
    state: statistics.some(({ state }) => state === 'failed') ? 'incomplete' : 'complete',
    statistics,
    findings: measured.flatMap(({ findings }) => findings),
  };
}

/** In the order of their numbers. They run one after another because an engine in process answers one query at a time. */
const MEASURES: readonly ((assessment: Assessment) => Promise<Measured>)[] = [
  measureCoverage,
  measureSequences,
  measureReconciliation,
  measureDecisions,
  measureClock,
  measureIntegrity,
  measureSilence,
  measureArrival,
  measureCanaries,
];
