/** Ids of sealed leaves as the archive has them. In: leaf indexes. Out: ids. Holds the bundles that it read last. */
import type { KeyHistory } from '../chain/key-history.ts';
import { readNewestHead, type HeadOptions } from '../ledger/head.ts';
import { findBundle } from '../ledger/sealed-bundles.ts';
import { readSoundBundle } from '../ledger/sound-bundle.ts';

/** Ids that are held; the newest bundle is held whatever its length. */
const MAX_HELD_IDS = 100_000;

export class SealedIds {
  readonly #options: HeadOptions;
  /** Ids of bundles by the index of their first leaf; the one that was used last comes last. */
  readonly #held = new Map<number, readonly string[]>();
  #heldCount = 0;
  /** Read with the first bundle: no process that asks for ids changes the key. */
  #keys: KeyHistory | undefined;

  constructor(options: HeadOptions) {
    this.#options = options;
  }

  /** Holds the ids of a bundle that was just sealed, because repeats most often come soon. */
  hold(startIndex: number, ids: readonly string[]): void {
    this.#heldCount += ids.length - (this.#held.get(startIndex)?.length ?? 0);
    this.#held.delete(startIndex);
    this.#held.set(startIndex, ids);
    for (const [oldest, { length }] of this.#held) {
      if (this.#heldCount <= MAX_HELD_IDS || oldest === startIndex) break;
      this.#held.delete(oldest);
      this.#heldCount -= length;
    }
  }

  /** Undefined where the archive has no such leaf. Throws as `readSoundBundle` does. */
  async idAt(leafIndex: number): Promise<string | undefined> {
    for (const [start, ids] of this.#held) {
      if (leafIndex >= start && leafIndex < start + ids.length) return ids[leafIndex - start];
    }
    const start = await findBundle(this.#options.archive, this.#options.log, leafIndex);
    if (start === undefined) return undefined;
    this.#keys ??= this.#options.keys ?? (await readNewestHead(this.#options)).keys;
    const { ids } = await readSoundBundle({ ...this.#options, keys: this.#keys }, start);
    this.hold(start, ids);
    return ids[leafIndex - start];
  }
}
