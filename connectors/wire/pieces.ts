/**
 * A body as a tree of pieces. The leaves are units, which are never divided. The inner nodes are holders, which are
 * the bytes around units. Dividing a body gives each key its units, with the holders around them.
 */

/** The bytes of one item, or of a group that is kept as one. */
export interface Unit {
  readonly bytes: Uint8Array;
  /** Records that the sequencer makes of it; 0 for a group without items. */
  readonly itemCount: number;
  /** The partition key of the unit; undefined only if the unit has no items. */
  readonly key: string | undefined;
}

export interface Holder {
  /** In the order of the body; never empty. */
  readonly within: readonly Piece[];
  /** The holder's bytes around some of its pieces, each given as a run of chunks. */
  readonly wrap: (pieces: readonly Chunks[]) => Chunks;
}

export type Piece = Unit | Holder;
export type Chunks = readonly Uint8Array[];

/** The part of a body that belongs to one key. */
export interface Share {
  readonly chunks: Chunks;
  readonly itemCount: number;
}

/** The key of a unit, and how many records the unit becomes. */
export interface KeyedUnit {
  readonly recordCount: number;
  readonly key: string;
}

/** Gives the pieces of one body their keys, in the order of the body. */
export class UnitSequence {
  readonly #keyed: readonly KeyedUnit[];
  readonly #unsound: ReadonlySet<string>;
  #taken = 0;

  /** `unsound` holds the pointers of units that stay in one piece, whatever is inside them. */
  constructor(keyed: readonly KeyedUnit[], unsound: ReadonlySet<string>) {
    this.#keyed = keyed;
    this.#unsound = unsound;
  }

  /** Whether any unit is unsound. Pointers are only needed if so. */
  get hasUnsound(): boolean {
    return this.#unsound.size > 0;
  }

  isUnsound(pointer: string): boolean {
    return this.#unsound.has(pointer);
  }

  /** The bytes of the next unit of the body, with its key. */
  take(bytes: Uint8Array): Unit {
    const keyed = this.#keyed[this.#taken];
    this.#taken += 1;
    return { bytes, itemCount: keyed?.recordCount ?? 0, key: keyed?.key };
  }

  /** Whether as many pieces were found as there are units. */
  get isComplete(): boolean {
    return this.#taken === this.#keyed.length;
  }
}

/** The bytes of a group without items. */
export function emptyUnit(bytes: Uint8Array): Unit {
  return { bytes, itemCount: 0, key: undefined };
}

/**
 * Divides a body among its keys, in the order of their first appearance; pieces keep their order within each. A unit
 * without items goes to `firstKey`. Linear in the pieces and in the bytes repeated around them.
 */
export function divide({ within, wrap }: Holder, firstKey: string): ReadonlyMap<string, Share> {
  const gathered = new Map<string, { readonly pieces: Chunks[]; itemCount: number }>();
  const add = (key: string, { chunks, itemCount }: Share): void => {
    const held = gathered.get(key) ?? { pieces: [], itemCount: 0 };
    held.pieces.push(chunks);
    held.itemCount += itemCount;
    gathered.set(key, held);
  };
  for (const piece of within) {
    if ('within' in piece) {
      for (const [key, share] of divide(piece, firstKey)) add(key, share);
    } else add(piece.key ?? firstKey, { chunks: [piece.bytes], itemCount: piece.itemCount });
  }
  return new Map(
    [...gathered].map(([key, { pieces, itemCount }]) => [key, { chunks: wrap(pieces), itemCount }]),
  );
}
