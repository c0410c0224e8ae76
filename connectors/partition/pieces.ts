/**
 * A body as pieces: units, which are never divided, inside holders, which are what stands around units. Dividing a
 * body gives each key the units that go by it, with all that stood around them.
 */

/** The bytes of one item, or of a group that is kept as one. */
export interface Unit {
  readonly bytes: Uint8Array;
  /** Items that the sequencer makes of it; 0 for a group without any. */
  readonly itemCount: number;
  /** What it goes by; undefined only where there are no items. */
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

/** What goes by one key. */
export interface Share {
  readonly chunks: Chunks;
  readonly itemCount: number;
}

/** All keys of a body, in the order of their first appearance, and its items. */
export function surveyPieces(body: Holder): {
  readonly keys: ReadonlySet<string>;
  readonly itemCount: number;
} {
  const keys = new Set<string>();
  let itemCount = 0;
  const visit = (piece: Piece): void => {
    if ('within' in piece) piece.within.forEach(visit);
    else {
      itemCount += piece.itemCount;
      if (piece.key !== undefined) keys.add(piece.key);
    }
  };
  visit(body);
  return { keys, itemCount };
}

/**
 * Divides a body among its keys, in the order of their first appearance; pieces keep their order within each. What
 * holds no items goes by `firstKey`. Linear in the pieces and in what is repeated around them.
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
