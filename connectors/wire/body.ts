import type { QuarantineReason } from '../../schemas/quarantine.ts';
import type { Holder, UnitSequence } from './pieces.ts';

/**
 * Limits of what one body may expand to. Every record repeats the parts that its body states once, so a small body
 * could otherwise fill the memory of the sequencer, and again after each restart. A body beyond them is kept whole,
 * as one quarantined item.
 */
export const MAX_ITEMS = 50_000;
/** Bytes of shared parts, counted once for each item that repeats them. */
export const MAX_SHARED_BYTES = 64 * 1024 * 1024;

/** A part of a body that cannot be sealed as what it claims to be. */
export interface UnitProblem {
  /** Rank among items and problems in the order of the body. */
  readonly index: number;
  /** The item, the smallest group around the place, or '' for the whole body. */
  readonly unit_pointer: string;
  readonly pointer: string;
  readonly reason: QuarantineReason;
  /** How many items of the sender are in the unit. At least one. */
  readonly item_count: number;
}

/** The place of one item in a body, and its bytes. */
export interface ItemPlace {
  readonly pointer: string;
  readonly bytes: Uint8Array;
}

/** A body that was taken apart: sound items, and the units that are not. Both in the order of the body. */
export interface DecodedBody<Item extends { readonly index: number }> {
  readonly items: readonly Item[];
  readonly problems: readonly UnitProblem[];
  /** Items and problems together. */
  readonly unitCount: number;
  /** The bytes of each problem's unit, by its pointer. */
  readonly unitBytes: () => ReadonlyMap<string, Uint8Array>;
  /** The place of a sound item. The first call is linear in the body. */
  readonly placeOf: (item: Item) => ItemPlace;
  /** The bytes of the body as pieces, so that it can be divided; undefined where there is nothing to divide. */
  readonly cut: (units: UnitSequence) => Holder | undefined;
}

/** The decoded form of a body beyond the limits, of which the sender counts so many items. */
export function oversizedBody<Item extends { readonly index: number }>(
  bytes: Uint8Array,
  itemCount: number,
): DecodedBody<Item> {
  const problem: UnitProblem = {
    index: 0,
    unit_pointer: '',
    pointer: '',
    reason: 'body_expands_too_large',
    item_count: Math.max(itemCount, 1),
  };
  return {
    items: [],
    problems: [problem],
    unitCount: 1,
    unitBytes: () => new Map([['', bytes]]),
    placeOf: () => ({ pointer: '', bytes }),
    cut: () => undefined,
  };
}

/** A view of the same bytes, with the methods of a buffer. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The items of the sender in the units that are not sound. */
export function countUnsound(problems: readonly UnitProblem[]): number {
  return problems.reduce((sum, { item_count }) => sum + item_count, 0);
}
