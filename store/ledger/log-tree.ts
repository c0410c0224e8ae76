/**
 * PORT: the Merkle tree of one log, as proofs and C2SP tlog-tiles read it. Nothing of it is trusted: a caller checks each
 * path against a signed root. `size` is that of a published checkpoint. All methods throw ARCHIVE_DAMAGED where the
 * archive lacks leaves below `size`, and ARCHIVE_UNAVAILABLE where it does not answer.
 */
export interface LogTree {
  /** Audit path of the leaf at `index` in the tree of the first `size` leaves, from the leaf upwards (RFC 6962 section 2.1.1). */
  path(index: number, size: number): Promise<Uint8Array[]>;
  /** The hashes of a tile, at most 256: as many as the tree of the first `size` leaves has there, none beyond its end. */
  tile(place: TilePlace, size: number): Promise<readonly Uint8Array[]>;
  /** Canonical texts of the leaves [256 * index, 256 * index + count). */
  entries(index: number, count: number): Promise<readonly string[]>;
  /** Forgets what it holds, for use after a path that led to a wrong root: the archive may be repaired. */
  reset(): void;
}

export interface TilePlace {
  readonly level: number;
  readonly index: number;
}
