import { describe, expect, it } from 'vitest';
import { cutValues } from '../../../../connectors/wire/json/cut-values.ts';
import { toPointer } from '../../../../schemas/json-pointer.ts';

function cut(text: string, ...path: (string | number)[]): string {
  const pointer = toPointer(path);
  return Buffer.from(cutValues(text, Buffer.from(text), new Set([pointer])).get(pointer)!).toString();
}

describe('values cut out of JSON text', () => {
  it('are found by names that have to be escaped in the text or in the pointer', () => {
    for (const name of ['a', 'é', '\u0000', '\uffff😀', 'two\nlines', 'a/b', 'a~b', '"', '\\'])
      expect(cut(JSON.stringify({ a: [0], [name]: { b: [1, { c: 2 }] } }), name, 'b', 1)).toBe('{"c":2}');
  });

  it('are found by a name that the text escapes without need', () => {
    expect(cut('{"\\u0061":1,"b":2}', 'a')).toBe('1');
  });

  it('are the last of a repeated name, and the whole text where there is none', () => {
    expect(cut('{"a":1,"a":2}', 'a')).toBe('2');
    expect(cut('{"a":1}', 'b')).toBe('{"a":1}');
  });
});
