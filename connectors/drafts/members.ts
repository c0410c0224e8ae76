import { setMember, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import type { StatedFacts } from '../../schemas/record.ts';

/** A longer text is not an identifier; it stays in the content. */
export const MAX_FACT_CHARACTERS = 4_096;

/**
 * The members of an item on their way into facts. Each reader returns the first of the given names that has a usable
 * value, whatever its wire type: sources write 122 and "122", true and "true" for the same thing. A member that a
 * fact carries exactly leaves `rest`; one that was rounded or not usable stays in it.
 */
export interface Members {
  text(...names: string[]): string | undefined;
  /** As `text`, but only for words of closed lists: a person may have typed a text that is long or has a blank. */
  word(...names: string[]): string | undefined;
  /** A non-negative integer; fractions are rounded. */
  count(...names: string[]): number | undefined;
  flag(...names: string[]): boolean | undefined;
  /** The members that no fact carries; the object itself if no fact carries any. */
  rest(): JsonObject;
  /** The same for the members that the item shares with others. */
  sharedRest(): JsonObject;
}

const NO_MEMBERS: JsonObject = {};

/**
 * Reads members from two layers: the item's own come before those that it shares, as a record's attributes come
 * before its resource's. The names come from tables and are not members of a prototype, so a plain look-up finds the
 * sent member.
 */
export function openMembers(own: JsonObject, shared: JsonObject = NO_MEMBERS): Members {
  const ownTaken = new Set<string>();
  let sharedTaken: Set<string> | undefined;

  function read<Fact extends string | number | boolean>(
    names: readonly string[],
    coerce: (value: JsonValue) => Fact | undefined,
  ): Fact | undefined {
    for (const name of names) {
      const ownValue = own[name];
      const sharedValue = shared[name];
      const value = ownValue === undefined ? sharedValue : ownValue;
      const fact = value === undefined ? undefined : coerce(value);
      if (fact === undefined) continue;
      if (isSame(ownValue, fact)) ownTaken.add(name);
      if (isSame(sharedValue, fact)) (sharedTaken ??= new Set()).add(name);
      return fact;
    }
    return undefined;
  }

  return {
    text: (...names) => read(names, toText),
    word: (...names) => read(names, toWord),
    count: (...names) => read(names, toCount),
    flag: (...names) => read(names, toFlag),
    rest: () => omitMembers(own, ownTaken),
    sharedRest: () => (sharedTaken === undefined ? shared : omitMembers(shared, sharedTaken)),
  };
}

/** Whether a fact carries the whole value of a member, whatever its spelling. */
function isSame(value: JsonValue | undefined, fact: string | number | boolean): boolean {
  if (value === fact) return true;
  return value !== undefined && typeof value !== 'object' && String(value) === String(fact);
}

/** The identifier that a member holds, as facts take it; undefined for longer text. */
export function toText(value: JsonValue): string | undefined {
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  if (typeof text !== 'string' || text === '' || text.length > MAX_FACT_CHARACTERS) return undefined;
  return text;
}

/** As `toText`, for words of closed lists. */
export function toWord(value: JsonValue): string | undefined {
  const text = toText(value);
  return text !== undefined && /^[\w.:/-]{1,64}$/.test(text) ? text : undefined;
}

/** A non-negative integer; a fraction is rounded. */
export function toCount(value: JsonValue): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const text = String(value);
  if (!/^[0-9]{1,16}(?:\.[0-9]{1,20})?$/.test(text)) return undefined;
  const number = Math.round(Number(text));
  return Number.isSafeInteger(number) ? number : undefined;
}

export function toFlag(value: JsonValue): boolean | undefined {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : undefined;
}

/**
 * Adds a fact that the source stated. An undefined fact is left out, because absent and undefined must hash alike.
 */
export function setFact<Name extends keyof StatedFacts>(
  facts: StatedFacts,
  name: Name,
  fact: StatedFacts[Name] | undefined,
): void {
  if (fact !== undefined) facts[name] = fact;
}

/** Content under construction, without absent or empty parts. */
export type ContentParts = Record<string, JsonValue>;

/** Adds a part unless it is undefined. */
export function setPart(parts: ContentParts, name: string, value: JsonValue | undefined): void {
  if (value !== undefined) setMember(parts, name, value);
}

/** The content, or null if it has no parts. */
export function toContent(parts: JsonObject): JsonObject | null {
  return ifAny(parts) ?? null;
}

/** The object, or undefined if it has no members, so that content holds no empty parts. */
export function ifAny(object: JsonObject): JsonObject | undefined {
  return Object.keys(object).length === 0 ? undefined : object;
}

/** The object without the members of these names; itself where it has none of them. */
export function omitMembers(object: JsonObject, omitted: ReadonlySet<string>): JsonObject {
  return Object.keys(object).some((name) => omitted.has(name)) ? copyWithout(object, omitted) : object;
}

/**
 * A copy without the members of these names, to which members can be added. Members are copied one by one, because
 * adding to an object that a spread made costs the engine ten times as much.
 */
export function copyWithout(object: JsonObject, omitted: ReadonlySet<string>): ContentParts {
  const parts: ContentParts = {};
  for (const name of Object.keys(object)) {
    if (!omitted.has(name)) setMember(parts, name, object[name] ?? null);
  }
  return parts;
}

/**
 * RFC 3339 instant in UTC of Unix nanoseconds, exact: three fraction digits, and more only as far as they are not
 * zero. Undefined for zero, by which OTLP says "not known".
 */
export function toExactInstant(unixNano: JsonValue | undefined): string | undefined {
  if (typeof unixNano !== 'number' && typeof unixNano !== 'string') return undefined;
  const nanos = String(unixNano);
  if (!/^[1-9][0-9]{0,19}$/.test(nanos)) return undefined;
  const toMs = new Date(Number(nanos.slice(0, -6))).toISOString();
  const beyondMs = nanos.slice(-6);
  if (beyondMs === '000000') return toMs;
  return `${toMs.slice(0, -1)}${beyondMs.padStart(6, '0').replace(/0+$/, '')}Z`;
}
