import { METRIC_KINDS, OTLP_SIGNALS, type OtlpSignal } from './descriptor.ts';
import { isMessage, ownMember } from './raw-message.ts';
import { givenName } from './spelling.ts';

/**
 * How many items their sender counts in a part of a request that is kept as one: at least one. `depth` is the number of
 * segments of the part's pointer. A value that is not a list holds no items.
 */
export function countItems(signal: OtlpSignal, depth: number, part: unknown): number {
  return Math.max(countIn(signal, depth, part), 1);
}

function countIn(signal: OtlpSignal, depth: number, part: unknown): number {
  const { resourceGroups, scopeGroups, items } = OTLP_SIGNALS[signal];
  const list = [resourceGroups, scopeGroups, items][depth / 2];
  if (list !== undefined) {
    return elementsOf(part, list).reduce<number>((sum, one) => sum + countIn(signal, depth + 2, one), 0);
  }
  return signal === 'metrics' && depth === 6 ? countPoints(part) : 1;
}

function countPoints(metric: unknown): number {
  return METRIC_KINDS.reduce((sum, kind) => sum + elementsOf(memberOf(metric, kind), 'dataPoints').length, 0);
}

function elementsOf(part: unknown, name: string): readonly unknown[] {
  const list = memberOf(part, name);
  return Array.isArray(list) ? list : [];
}

function memberOf(part: unknown, name: string): unknown {
  return isMessage(part) ? ownMember(part, givenName(part, name)) : undefined;
}
