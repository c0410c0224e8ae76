import { METRIC_KINDS, OTLP_SIGNALS, type OtlpSignal } from './descriptor.ts';
import { mappedName } from './spelling.ts';

/** The smallest unit of the body that holds a place: an item, a group around it, or '' for the body. */
export function unitPointer(signal: OtlpSignal, pointer: string): string {
  const { resourceGroups, scopeGroups, items } = OTLP_SIGNALS[signal];
  const segments = pointer.split('/').slice(1);
  const names = [resourceGroups, scopeGroups, items];
  let length = 0;
  while (
    length < 6 &&
    mappedName(segments[length] ?? '') === names[length / 2] &&
    /^[0-9]+$/.test(segments[length + 1] ?? '')
  ) {
    length += 2;
  }
  const isInPoint =
    signal === 'metrics' &&
    length === 6 &&
    mappedName(segments[7] ?? '') === 'dataPoints' &&
    segments.length > 8;
  const isKnownKind = METRIC_KINDS.some((kind) => kind === mappedName(segments[6] ?? ''));
  return toUnit(segments.slice(0, isInPoint && isKnownKind ? 9 : length));
}

function toUnit(segments: readonly string[]): string {
  return segments.map((segment) => `/${segment}`).join('');
}
