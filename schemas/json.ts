/** Any value that JSON text can carry. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object; members are read with brackets because their names come from outside. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a member that JSON text named: plain assignment of `__proto__` would set the prototype instead. */
export function setMember(object: Record<string, JsonValue>, name: string, value: JsonValue): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  } else object[name] = value;
}

/**
 * Replaces numbers that hashed bytes must not hold: a number with a fraction, or an integer beyond 2^53-1, becomes its
 * decimal string. Everything else is kept, and a value without such a number is returned unchanged.
 * docs/formats/record.md states the rule.
 */
export function toHashable(value: JsonValue): JsonValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (!isJsonObject(value)) {
    const elements = value.map(toHashable);
    return elements.some((element, index) => element !== value[index]) ? elements : value;
  }
  let hashable: Record<string, JsonValue> | undefined;
  for (const name of Object.keys(value)) {
    const member = value[name];
    const replaced = toHashable(member ?? null);
    if (replaced !== member) setMember((hashable ??= { ...value }), name, replaced);
  }
  return hashable ?? value;
}
