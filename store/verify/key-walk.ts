/**
 * Follows the keys of one log, bundle by bundle. In: its genesis and its headers in order. Out: the key for each bundle and
 * each checkpoint. The one invariant: a key counts from the bundle on that the key before it signed.
 */
import type { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import {
  keysAfter,
  keysOfGenesis,
  judgeHeader,
  type HeaderVerdict,
  type KeyHistory,
} from '../chain/key-history.ts';

/** Leaves that were not read, from the first up to, but not including, the last. */
interface Gap {
  readonly from: number;
  readonly upTo: number;
}

/** `take` for each bundle that reads, `skip` for the leaves between them, in order. */
export class KeyWalk {
  #keys: KeyHistory | undefined;
  readonly #gaps: Gap[] = [];
  /** Set by a header whose key was named in a gap: nobody knows from there on which key signs. */
  #isLost = false;
  constructor(genesis: LogGenesis | undefined) {
    this.#keys = genesis && keysOfGenesis(genesis);
  }

  /** The keys up to the bundle that was taken last; undefined where they are not known. */
  current(): KeyHistory | undefined {
    return this.#isLost ? undefined : this.#keys;
  }

  /** The keys as far as they were ever known; undefined where the genesis does not read. */
  known(): KeyHistory | undefined {
    return this.#keys;
  }

  /** Judges a header; undefined where its key is not known. The key that it names takes its turn where nothing is wrong. */
  take(header: BundleHeader): HeaderVerdict | undefined {
    const { rotated_at } = header;
    if (
      rotated_at !== undefined &&
      this.#gaps.some(({ from, upTo }) => from <= rotated_at && rotated_at < upTo)
    )
      this.#isLost = true;
    const keys = this.current();
    if (keys === undefined) return undefined;
    const verdict = judgeHeader(keys, header);
    if (verdict.isSigned && verdict.problem === undefined) this.#keys = keysAfter(keys, header);
    return verdict;
  }

  skip(gap: Gap): void {
    this.#gaps.push(gap);
  }

  /** The keys under which somebody may know the log. Each signed a header that names the genesis, or is its key. */
  pinnable(): string[] {
    return (this.#keys ?? []).map(({ vkey }) => vkey);
  }
}
