import type { JsonObject, JsonValue } from '../../schemas/json.ts';
import type { Facts } from '../../schemas/record.ts';

/** Longer text is no identifier; it stays where it was, among the content. */
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
  /** What no fact carries, of the given layer. */
  rest(layer?: number): JsonObject;
}

/** Reads members out of layers, the first layer before the second: a record's attributes before its resource's. */
export function openMembers(...layers: readonly JsonObject[]): Members {
  const taken = layers.map(() => new Set<string>());

  function read<Fact extends string | number | boolean>(
    names: readonly string[],
    coerce: (value: JsonValue) => Fact | undefined,
  ): Fact | undefined {
    for (const name of names) {
      const layer = layers.find((candidate) => Object.hasOwn(candidate, name));
      const fact = layer === undefined ? undefined : coerce(layer[name] ?? null);
      if (fact === undefined) continue;
      layers.forEach((candidate, index) => {
        if (isSame(candidate[name], fact)) taken[index]?.add(name);
      });
      return fact;
    }
    return undefined;
  }

  return {
    text: (...names) => read(names, toText),
    word: (...names) => read(names, toWord),
    count: (...names) => read(names, toCount),
    flag: (...names) => read(names, toFlag),
    rest: (layer = 0) => {
      const members = Object.entries(layers[layer] ?? {});
      return Object.fromEntries(members.filter(([name]) => taken[layer]?.has(name) !== true));
    },
  };
}

function isSame(value: JsonValue | undefined, fact: string | number | boolean): boolean {
  return (typeof value === 'object' ? undefined : value?.toString()) === String(fact);
}

function toText(value: JsonValue): string | undefined {
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  if (typeof text !== 'string' || text === '' || text.length > MAX_FACT_CHARACTERS) return undefined;
  return text;
}

function toWord(value: JsonValue): string | undefined {
  const text = toText(value);
  return text !== undefined && /^[\w.:/-]{1,64}$/.test(text) ? text : undefined;
}

function toCount(value: JsonValue): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const text = String(value);
  if (!/^[0-9]{1,16}(?:\.[0-9]{1,20})?$/.test(text)) return undefined;
  const number = Math.round(Number(text));
  return Number.isSafeInteger(number) ? number : undefined;
}

function toFlag(value: JsonValue): boolean | undefined {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : undefined;
}

type Claimed<Shape> = { readonly [Name in keyof Shape]: Shape[Name] | undefined };

/** Facts without the members that the source did not say: absent and undefined must hash alike. */
export function toFacts(claimed: Claimed<Partial<Facts>> & Pick<Facts, 'source_event' | 'collector'>): Facts {
  const { source_event, collector } = claimed;
  const said = Object.entries(claimed).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(said) as Partial<Facts>), source_event, collector };
}

/** The given parts without those that are absent; null if none is left. */
export function toContent(parts: Readonly<Record<string, JsonValue | undefined>>): JsonObject | null {
  const content = withoutAbsent(parts);
  return Object.keys(content).length === 0 ? null : content;
}

export function withoutAbsent(parts: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const said: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(parts)) {
    if (value !== undefined) said.push([name, value]);
  }
  return Object.fromEntries(said);
}

/** The object, or undefined if it has no members, so that content holds no empty parts. */
export function ifAny(object: JsonObject): JsonObject | undefined {
  return Object.keys(object).length === 0 ? undefined : object;
}

export function omitMembers(object: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/**
 * RFC 3339 instant in UTC of Unix nanoseconds, exact: three fraction digits, and more only as far as they are not
 * zero. Undefined for zero, by which OTLP says "not known".
 */
export function toExactInstant(unixNano: JsonValue | undefined): string | undefined {
  if (typeof unixNano !== 'number' && typeof unixNano !== 'string') return undefined;
  if (!/^[1-9][0-9]{0,19}$/.test(String(unixNano))) return undefined;
  const nanos = BigInt(unixNano);
  const beyondMs = (nanos % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  return new Date(Number(nanos / 1_000_000n)).toISOString().replace('Z', `${beyondMs}Z`);
}
