import { collectorKey, sessionKey } from '../../schemas/envelope.ts';
import { isJsonObject, type JsonObject } from '../../schemas/json.ts';
import { normaliseMessage } from '../wire/otlp/values.ts';
import { openMembers } from '../drafts/members.ts';
import { SESSION_ATTRIBUTES } from '../sources/otlp/otel-facts.ts';

/**
 * Attribute pairs that name a session, as they stand in the body, one character a byte, so that equal bytes need be
 * read once. '' where there are none.
 */
export type RawPairs = string;

export interface SessionKeys {
  /** Key of an item by the pairs of its own and those of its resource. */
  readonly keyOf: (own: RawPairs, shared: RawPairs) => string;
  /** Whether these pairs of an item tell its session, whatever others it has. */
  readonly isSettledBy: (own: RawPairs) => boolean;
}

/**
 * Keys of the items of one body. What the pairs say is decided by the same functions as the facts of the records are.
 * `readPairs` decodes pairs into key-value messages.
 */
export function createSessionKeys(principal: string, readPairs: (pairs: RawPairs) => unknown): SessionKeys {
  const attributesOf = remember((pairs) => (pairs === '' ? {} : toAttributes(readPairs(pairs))));
  const keysOf = remember((shared) =>
    remember((own) => {
      const session = openMembers(attributesOf(own), attributesOf(shared)).text(...SESSION_ATTRIBUTES);
      return session === undefined ? collectorKey(principal) : sessionKey(session);
    }),
  );
  return {
    keyOf: (own, shared) => keysOf(shared)(own),
    isSettledBy: remember((own) => openMembers(attributesOf(own)).text(SESSION_ATTRIBUTES[0]) !== undefined),
  };
}

/** The items of one body say the same few things. */
function remember<Told>(tell: (pairs: RawPairs) => Told): (pairs: RawPairs) => Told {
  const told = new Map<RawPairs, Told>();
  return (pairs) => {
    const known = told.get(pairs);
    if (known !== undefined) return known;
    const fresh = tell(pairs);
    told.set(pairs, fresh);
    return fresh;
  };
}

function toAttributes(pairs: unknown): JsonObject {
  const walk = { path: [], problem: undefined, builds: true };
  const { attributes } = normaliseMessage(walk, 'Resource', { attributes: pairs });
  return isJsonObject(attributes) ? attributes : {};
}
