import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setMember, toHashable, type JsonValue } from '../../schemas/json.ts';

/** The rule, said as a copy of the whole value. */
function copyHashable(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(copyHashable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyHashable(member)]));
}

describe('toHashable', () => {
  it('replaces numbers wherever they stand, and nothing else', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text) as JsonValue;
        expect(JSON.stringify(toHashable(value))).toBe(JSON.stringify(copyHashable(value)));
        expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('returns a value that needs no change itself', () => {
    const value = { a: [1, { b: 'x' }], c: null };
    expect(toHashable(value)).toBe(value);
  });

  it('replaces a number below a member that is named __proto__', () => {
    const value = JSON.parse('{"__proto__":{"n":0.5},"m":[1.5]}') as JsonValue;
    expect(JSON.stringify(toHashable(value))).toBe('{"__proto__":{"n":"0.5"},"m":["1.5"]}');
  });
});

describe('setMember', () => {
  it('sets a member of any name, and no prototype', () => {
    const object: Record<string, JsonValue> = {};
    setMember(object, '__proto__', { a: 1 });
    setMember(object, 'b', 2);
    expect(Object.keys(object)).toEqual(['__proto__', 'b']);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });
});
