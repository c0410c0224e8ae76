import { collectorKey, sessionKey } from '../../schemas/envelope.ts';
import type { ItemUnit } from '../drafts/source.ts';
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

export interface OtlpUnitsOptions {
  readonly principal: string;
  /** Pointers of units that will be sealed as quarantined. */
  readonly unsound: ReadonlySet<string>;
  /** Where items may become several records: what each becomes, in the order of the body. */
  readonly units?: readonly ItemUnit[] | undefined;
}

export function createOtlpUnits(
  { principal, unsound, units }: OtlpUnitsOptions,
  readPairs: (pairs: RawPairs) => unknown,
): OtlpUnits {
  const { keyOf, isSettledBy } = createSessionKeys(principal, readPairs);
  let open: OpenUnit[] = [];
  let next = 0;
  return {
    isSettledBy,
    isUnsound: (pointer) => unsound.has(pointer),
    hasUnsound: unsound.size > 0,
    takeItem(into, bytes, own) {
      const told = units?.[next++];
      if (told !== undefined) {
        const { recordCount: itemCount, session } = told;
        const key = session === undefined ? collectorKey(principal) : sessionKey(session);
        into.push({ bytes, itemCount, key });
        return;
      }
      const unit: OpenUnit = { bytes, itemCount: 1, key: undefined, own };
      open.push(unit);
      into.push(unit);
    },
    takeUnsound(into, bytes) {
      next += 1;
      into.push({ bytes, itemCount: 1, key: collectorKey(principal) });
    },
    takeEmpty: (into, bytes) => void into.push({ bytes, itemCount: 0, key: undefined }),
    endResource(shared) {
      for (const unit of open) unit.key = keyOf(unit.own, shared);
      open = [];
    },
  };
}
