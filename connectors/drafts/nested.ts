/** Reads values that lie several objects deep. Names may come from outside, so prototypes are never searched. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import type { StatedFacts } from '../../schemas/record.ts';
import { toUtcInstant } from './instants.ts';
import { toCount, toText, toWord } from './members.ts';

/** The value at the end of a path of names; undefined if the path ends early. */
export function valueAt(value: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  let found = value;
  for (const name of path) {
    if (!isJsonObject(found) || !Object.hasOwn(found, name)) return undefined;
    found = found[name];
  }
  return found;
}

/** The object at the path, or an empty object. */
export function objectAt(value: JsonValue | undefined, ...path: readonly string[]): JsonObject {
  const found = valueAt(value, ...path);
  return isJsonObject(found) ? found : {};
}

/** The identifier at the path, as facts take it. */
export function textAt(value: JsonValue | undefined, ...path: readonly string[]): string | undefined {
  return toText(valueAt(value, ...path) ?? null);
}

/** The word at the path, from a closed list of the source. */
export function wordAt(value: JsonValue | undefined, ...path: readonly string[]): string | undefined {
  return toWord(valueAt(value, ...path) ?? null);
}

/** The count at the path. */
export function countAt(value: JsonValue | undefined, ...path: readonly string[]): number | undefined {
  return toCount(valueAt(value, ...path) ?? null);
}

/** The instant at the path, if it names its offset from UTC. */
export function instantAt(value: JsonValue | undefined, ...path: readonly string[]): string | undefined {
  return toUtcInstant(valueAt(value, ...path));
}

/** StatedFacts of which a source may leave out any. */
export type PossibleFacts = { readonly [Name in keyof StatedFacts]?: StatedFacts[Name] | undefined };

/** The facts that are defined: absent and undefined must hash alike. */
export function statedFacts(possible: PossibleFacts): Partial<StatedFacts> {
  const stated = Object.entries(possible).filter(([, fact]) => fact !== undefined);
  return Object.fromEntries(stated);
}
