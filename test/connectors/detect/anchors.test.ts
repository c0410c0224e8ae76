import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAnchorSearch, toBytes } from '../../../connectors/detect/anchors.ts';

const LITERALS = ['abc', 'bcd', '://', 'aab', 'token'] as const;
const search = createAnchorSearch([
  ...LITERALS.map((literal) => ({ literal, kind: literal })),
  { literal: 'key ', ignoresCase: true, kind: 'key ' },
]);

function found(text: string): string[] {
  const places: string[] = [];
  search(toBytes(text), places, (into, kind, at, end) => {
    into.push(`${kind}@${at}-${end}`);
    return undefined;
  });
  return places.sort();
}

function expected(text: string): string[] {
  const places: string[] = [];
  for (let at = 0; at < text.length; at += 1) {
    for (const literal of LITERALS) {
      if (text.startsWith(literal, at)) places.push(`${literal}@${at}-${at + literal.length}`);
    }
    if (text.slice(at, at + 4).toLowerCase() === 'key ') places.push(`key @${at}-${at + 4}`);
  }
  return places.sort();
}

describe('the search for literals', () => {
  it('finds every one wherever it stands, and each once', () => {
    const texts = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd', ':', '/', 'token', 'Key ', 'KEY ', 'x', ''))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        expect(found(text)).toEqual(expected(text));
      }),
      { numRuns: 500 },
    );
  });

  it('ends where it is told to', () => {
    let count = 0;
    const isEnded = search(toBytes('abc abc abc'), undefined, () => (count += 1) === 2);
    expect([isEnded, count]).toEqual([true, 2]);
  });

  it('sees no literal of the text before in a shorter one', () => {
    found('xxxxabc');
    expect(found('xxxxa')).toEqual([]);
  });

  it('cuts characters to 8 bits, so that it may report a literal that is not there', () => {
    expect(found('\u0161\u0162\u0163')).toEqual(['abc@0-3']);
  });

  it('takes texts longer than its own store', () => {
    const text = `${'x'.repeat(70_000)}token`;
    expect(found(text)).toEqual(['token@70000-70005']);
  });

  it('takes no literal that two pairs do not tell', () => {
    expect(() => createAnchorSearch([{ literal: 'ab', kind: 1 }])).toThrow(RangeError);
  });
});
