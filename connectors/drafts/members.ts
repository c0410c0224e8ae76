import { setMember, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import type { Facts } from '../../schemas/record.ts';

/** A longer text is not an identifier; it stays in the content. */
const MAX_FACT_CHARACTERS = 4_096;

/**
 * The members of an item on their way into facts. Each reader returns the first of the given names that has a usable
 * value, whatever its wire type: sources write 122 and "122", true and "true" for the same thing. A member that a
 * fact carries exactly leaves `rest`; one that was rounded or not usable stays in it.
 */
export interface Members {
  text(...names: string[]): string | undefined;
  /** As `text`, for words out of closed lists only: what holds a blank or is long may be something a person typed. */
  word(...names: string[]): string | undefined;
  /** A non-negative integer; fractions are rounded. */
  count(...names: string[]): number | undefined;
  flag(...names: string[]): boolean | undefined;
  /** What no fact carries; the object itself where that is all of it. */
  rest(): JsonObject;
  /** The same of the members that the item shares with others. */
  sharedRest(): JsonObject;
}

const NO_MEMBERS: JsonObject = {};

/**
 * Reads members out of two layers, an item's own before those that it shares: a record's attributes before its
 * resource's. Names come out of tables and are members of no prototype, so a plain look-up finds what was sent.
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

/** Whether a fact says all that the member did, however it was written. */
function isSame(value: JsonValue | undefined, fact: string | number | boolean): boolean {
  if (value === fact) return true;
  return value !== undefined && typeof value !== 'object' && String(value) === String(fact);
}

/** The identifier that a member holds, as facts take it; longer text is none. */
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

/** Adds a fact that the source said: absent and undefined must hash alike. */
export function setFact<Name extends keyof Facts>(
  facts: Facts,
  name: Name,
  fact: Facts[Name] | undefined,
): void {
  if (fact !== undefined) facts[name] = fact;
}

/** Content that is being put together, without the parts that are absent or empty. */
export type ContentParts = Record<string, JsonValue>;

/** Adds a part that is there. */
export function setPart(parts: ContentParts, name: string, value: JsonValue | undefined): void {
  if (value !== undefined) setMember(parts, name, value);
}

/** The content, or null if nothing is left for it. */
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
 * The members but for those of these names, to be added to. Copied one by one, because the engine adds members to
 * what a spread has made at ten times the cost.
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
