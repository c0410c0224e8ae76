/**
 * Follows the keys of one log, bundle by bundle. In: its genesis and its headers in order. Out: the key for each bundle and
 * each checkpoint. The one invariant: a key counts from the bundle on that the key before it signed.
 */
import type { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { isHeaderSigned } from '../chain/bundle-signature.ts';
import {
  keysAfter,
  keysOfGenesis,
  rotationProblem,
  termOfBundle,
  termsOfCheckpoint,
  type KeyHistory,
} from '../chain/key-history.ts';

/** The verdict of the keys on a header. */
export interface HeaderVerdict {
  /** Whether the key whose turn it is signed the header; undefined where that key is not known. */
  readonly isSigned: boolean | undefined;
  /** In words, why a signed header does not fit the keys of its log. */
  readonly problem: string | undefined;
}

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
  /** Keys that signed a checkpoint over leaves that were read. */
  readonly #vouching = new Set<string>();

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

  /** Judges a header. The key that it names takes its turn where nothing is wrong. */
  take(header: BundleHeader): HeaderVerdict {
    const { rotated_at } = header;
    if (
      rotated_at !== undefined &&
      this.#gaps.some(({ from, upTo }) => from <= rotated_at && rotated_at < upTo)
    )
      this.#isLost = true;
    const keys = this.current();
    if (keys === undefined) return { isSigned: undefined, problem: undefined };
    const isSigned = isHeaderSigned(header, termOfBundle(keys, header.start_index).key);
    const problem = isSigned ? rotationProblem(keys, header) : undefined;
    if (isSigned && problem === undefined) this.#keys = keysAfter(keys, header);
    return { isSigned, problem };
  }

  skip(gap: Gap): void {
    this.#gaps.push(gap);
  }

  /** The checkpoint of this size is good and fits the leaves. */
  vouch(size: number): void {
    const keys = this.current();
    if (keys !== undefined) for (const { vkey } of termsOfCheckpoint(keys, size)) this.#vouching.add(vkey);
  }

  /**
   * The keys under which somebody may know the log: that of the genesis, and each later one that signed. A bundle names its
   * next key without it, so a key that signed nothing vouches for nothing.
   */
  pinnable(): string[] {
    const [first, ...later] = this.#keys ?? [];
    if (first === undefined) return [];
    return [first.vkey, ...later.map(({ vkey }) => vkey).filter((vkey) => this.#vouching.has(vkey))];
  }
}
