import { collectorKey } from '../../schemas/envelope.ts';
import type { Piece, Unit } from './pieces.ts';
import { createSessionKeys, type RawPairs, type SessionKeys } from './session-attributes.ts';

/** Takes the units of one OTLP body, of whichever encoding, as they are found. */
export interface OtlpUnits extends Pick<SessionKeys, 'isSettledBy'> {
  /** Whether the unit at this pointer will be sealed as quarantined, whatever it holds. */
  readonly isUnsound: (pointer: string) => boolean;
  /** Whether any unit will, so that pointers are worth making. */
  readonly hasUnsound: boolean;
  /** One item, whose key is known once its resource is: a resource may stand behind its items. */
  readonly takeItem: (into: Piece[], bytes: Uint8Array, own: RawPairs) => void;
  readonly takeUnsound: (into: Piece[], bytes: Uint8Array) => void;
  /** A group without items. */
  readonly takeEmpty: (into: Piece[], bytes: Uint8Array) => void;
  /** Gives the items since the last call their keys. */
  readonly endResource: (shared: RawPairs) => void;
}

type OpenUnit = { -readonly [Name in keyof Unit]: Unit[Name] } & { readonly own: RawPairs };

export function createOtlpUnits(
  principal: string,
  unsound: ReadonlySet<string>,
  readPairs: (pairs: RawPairs) => unknown,
): OtlpUnits {
  const { keyOf, isSettledBy } = createSessionKeys(principal, readPairs);
  let open: OpenUnit[] = [];
  return {
    isSettledBy,
    isUnsound: (pointer) => unsound.has(pointer),
    hasUnsound: unsound.size > 0,
    takeItem(into, bytes, own) {
      const unit: OpenUnit = { bytes, itemCount: 1, key: undefined, own };
      open.push(unit);
      into.push(unit);
    },
    takeUnsound: (into, bytes) => void into.push({ bytes, itemCount: 1, key: collectorKey(principal) }),
    takeEmpty: (into, bytes) => void into.push({ bytes, itemCount: 0, key: undefined }),
    endResource(shared) {
      for (const unit of open) unit.key = keyOf(unit.own, shared);
      open = [];
    },
  };
}
