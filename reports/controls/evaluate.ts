import type { CompletenessStatement, CompletenessStatistic, ControlState } from '../../schemas/control.ts';
import type { Control } from './control.ts';
import { counted } from './counted.ts';

/** The figures that a verdict on one control rests on. */
export interface ControlFigures {
  /** Rows by population id. */
  readonly counts: ReadonlyMap<string, number>;
  readonly exception_count: number;
  /** As `restrictTo` gives it for this control. */
  readonly completeness: CompletenessStatement;
  /** Whether the period lay wholly in the past when the checkpoint was taken. */
  readonly period_ended: boolean;
}

export interface Verdict {
  readonly state: ControlState;
  readonly state_reason: string;
}

/**
 * The state of a control. An exception counts even where the population is incomplete. The absence of exceptions counts
 * only where the population is complete.
 */
export function evaluateControl(control: Control, found: ControlFigures): Verdict {
  const gaps = gapsOf(control, found);
  if (found.exception_count > 0) return { state: 'exception', state_reason: exceptionReason(found, gaps) };
  if (gaps.length > 0) return { state: 'not_tested', state_reason: sentences(gaps) };
  const isEmpty = (population: string) => (found.counts.get(population) ?? 0) === 0;
  if (control.activity.every(isEmpty)) {
    return { state: control.when_no_activity.state, state_reason: control.when_no_activity.reason };
  }
  const missing = control.needed.filter(({ population }) => isEmpty(population));
  if (missing.length > 0) {
    return { state: 'not_tested', state_reason: sentences(missing.map(({ when_empty }) => when_empty)) };
  }
  const met =
    'Every item of the populations was tested, the required statistics are ok, and no rule found an exception.';
  const unmeasured = unmeasuredOf(found.completeness).map(({ id }) => id);
  if (unmeasured.length === 0) return { state: 'met', state_reason: met };
  return {
    state: 'met',
    state_reason: `${met} Not measured: ${unmeasured.join(', ')}; see what is not proven.`,
  };
}

/**
 * The sentences on limits of the evidence: those of the control, and one for each statistic that was not measured. The
 * absence of a known hole does not prove that everybody was seen.
 */
export function notProven(control: Control, completeness: CompletenessStatement): string[] {
  const unmeasured = unmeasuredOf(completeness).map(
    ({ id, name, detail }) =>
      `That ${id} (${name}) holds, which was not measured: ${detail.replace(/\.$/, '')}.`,
  );
  return [...control.not_proven, ...unmeasured];
}

function unmeasuredOf({ statistics }: CompletenessStatement): readonly CompletenessStatistic[] {
  return statistics.filter(({ state }) => state === 'not_measured');
}

/**
 * The statement for one control: `complete` only if every statistic that the control requires was measured and is ok.
 * All statistics stay in it, so that a reader also sees those that the control does not require.
 */
export function restrictTo(
  statement: CompletenessStatement,
  required: readonly string[],
): CompletenessStatement {
  const isOk = (id: string) =>
    statement.statistics.some((statistic) => statistic.id === id && statistic.state === 'ok');
  const isComplete = required.every(isOk) && failedOf(statement).length === 0;
  return { ...statement, state: isComplete ? 'complete' : 'incomplete' };
}

/**
 * A statistic that a control does not require may be unmeasured. One that failed is a known hole: people or records are
 * missing. S5 fails for the clocks of senders too, and no population is cut by those. Our own clock cuts all of them, so
 * where it was found behind, records lie in another period than their own.
 */
function failedOf({
  statistics,
  findings,
}: Pick<CompletenessStatement, 'statistics' | 'findings'>): readonly CompletenessStatistic[] {
  const isOwnClock = findings.some(({ code }) => code === 'clock_stepped');
  return statistics.filter(({ id, state }) => state === 'failed' && (id !== 'S5' || isOwnClock));
}

function gapsOf(control: Control, { completeness, period_ended }: ControlFigures): string[] {
  const running = period_ended ? [] : ['the period had not ended when this package was made'];
  const required = control.required_statistics.map((id) => gapOf(id, completeness.statistics));
  const failed = failedOf(completeness)
    .filter(({ id }) => !control.required_statistics.includes(id))
    .map(({ id }) => gapOf(id, completeness.statistics));
  return [...running, ...[...required, ...failed].filter((gap) => gap !== undefined)];
}

function gapOf(id: string, statistics: readonly CompletenessStatistic[]): string | undefined {
  const statistic = statistics.find((each) => each.id === id);
  if (statistic === undefined) return `${id} was not measured`;
  if (statistic.state === 'ok') return undefined;
  const verb = statistic.state === 'failed' ? 'failed' : 'was not measured';
  return `${id} (${statistic.name}) ${verb}: ${statistic.detail}`;
}

function exceptionReason({ exception_count }: ControlFigures, gaps: readonly string[]): string {
  const found = `${counted(exception_count, 'exception')} found.`;
  return gaps.length === 0
    ? found
    : `${found} The population is incomplete, so there may be more. ${sentences(gaps)}`;
}

function sentences(parts: readonly string[]): string {
  return parts.map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1).replace(/\.$/, '')}.`).join(' ');
}
