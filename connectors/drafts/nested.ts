/** Reading values that lie several objects deep. Names may come from outside, so prototypes are never looked at. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import type { Facts } from '../../schemas/record.ts';
import { toUtcInstant } from './instants.ts';
import { toCount, toText, toWord } from './members.ts';

/** The value at the end of a path of names; undefined where the path ends early. */
export function valueAt(value: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  let found = value;
  for (const name of path) {
    if (!isJsonObject(found) || !Object.hasOwn(found, name)) return undefined;
    found = found[name];
  }
  return found;
}

/** The object there, or one without members. */
export function objectAt(value: JsonValue | undefined, ...path: readonly string[]): JsonObject {
  const found = valueAt(value, ...path);
  return isJsonObject(found) ? found : {};
}

/** The identifier there, as facts take them. */
export function textAt(value: JsonValue | undefined, ...path: readonly string[]): string | undefined {
  return toText(valueAt(value, ...path) ?? null);
}

/** The word there, out of a closed list of the source. */
export function wordAt(value: JsonValue | undefined, ...path: readonly string[]): string | undefined {
  return toWord(valueAt(value, ...path) ?? null);
}

/** The count there. */
export function countAt(value: JsonValue | undefined, ...path: readonly string[]): number | undefined {
  return toCount(valueAt(value, ...path) ?? null);
}

/** The instant there, where it names its offset from UTC. */
export function instantAt(value: JsonValue | undefined, ...path: readonly string[]): string | undefined {
  return toUtcInstant(valueAt(value, ...path));
}

/** Facts as a source may leave them out. */
export type PossibleFacts = { readonly [Name in keyof Facts]?: Facts[Name] | undefined };

/** Those that the source said: absent and undefined must hash alike. */
export function statedFacts(possible: PossibleFacts): Partial<Facts> {
  const stated = Object.entries(possible).filter(([, fact]) => fact !== undefined);
  return Object.fromEntries(stated);
}
