/** Any value that JSON text can carry. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object; members are read with brackets because their names come from outside. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Replaces what must not stand inside hashed bytes: a number with a fraction, or an integer beyond 2^53-1,
 * becomes its decimal string. Everything else is kept as it is. docs/formats/record.md states the rule.
 */
export function toHashable(value: JsonValue): JsonValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(toHashable);
  if (isJsonObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toHashable(member)]));
  }
  return value;
}
