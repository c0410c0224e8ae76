/**
 * How long logs sealed nothing although work waited. In: acknowledgements, the moments at which bundles were stored, and
 * the events of each bundle. Out: the longest wait in a time span. Pure.
 */
import type { SealedBundleRead } from '../torture/judge.ts';

/** Times of `performance.now`. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface StallWatch {
  acknowledged(event: number, atMs: number): void;
  /** The bundle that begins at this leaf is in the bucket. */
  stored(log: string, startIndex: number, atMs: number): void;
  /** Bundles come in the order of their log, each once. */
  sealed(log: string, bundle: Pick<SealedBundleRead, 'startIndex' | 'events'>): void;
  /** Between two bundles of the log, or from an acknowledgement to the next bundle, as far as it lies in the span. */
  longestMs(log: string, span: TimeSpan): number;
}

interface Bundle {
  readonly storedAtMs: number;
  /** Acknowledgement of the event of the bundle that waited longest; infinite where none was acknowledged before. */
  readonly waitsFromMs: number;
}

export function createStallWatch(): StallWatch {
  const ackedAtMs = new Map<number, number>();
  const storedAtMs = new Map<string, number>();
  const bundles = new Map<string, Bundle[]>();
  const noteFirst = <K>(times: Map<K, number>, key: K, atMs: number): void => {
    if (!times.has(key)) times.set(key, atMs);
  };
  return {
    acknowledged: (event, atMs) => noteFirst(ackedAtMs, event, atMs),
    stored: (log, startIndex, atMs) => noteFirst(storedAtMs, `${log} ${String(startIndex)}`, atMs),
    sealed(log, { startIndex, events }) {
      const atMs = storedAtMs.get(`${log} ${String(startIndex)}`);
      if (atMs === undefined) return;
      const acks = events.map((event) => ackedAtMs.get(event) ?? Infinity);
      const ofLog = bundles.get(log) ?? [];
      ofLog.push({ storedAtMs: atMs, waitsFromMs: Math.min(Infinity, ...acks) });
      bundles.set(log, ofLog);
    },
    longestMs: (log, span) =>
      waits(bundles.get(log) ?? []).reduce((longest, wait) => Math.max(longest, overlapMs(wait, span)), 0),
  };
}

/** From the newest bundle on a log waits for whatever is sealed later, in whichever bundle. */
function waits(bundles: readonly Bundle[]): TimeSpan[] {
  const found: TimeSpan[] = [];
  let waitsFromMs = Infinity;
  for (let at = bundles.length - 1; at >= 0; at -= 1) {
    const bundle = bundles[at];
    if (bundle === undefined) continue;
    waitsFromMs = Math.min(waitsFromMs, bundle.waitsFromMs);
    const beforeMs = bundles[at - 1]?.storedAtMs ?? -Infinity;
    found.push({ fromMs: Math.max(beforeMs, waitsFromMs), toMs: bundle.storedAtMs });
  }
  return found;
}

function overlapMs(one: TimeSpan, other: TimeSpan): number {
  return Math.max(0, Math.min(one.toMs, other.toMs) - Math.max(one.fromMs, other.fromMs));
}
