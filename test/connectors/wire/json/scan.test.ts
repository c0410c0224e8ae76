import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeString, JsonScanner } from '../../../../connectors/wire/json/scan.ts';

/** Tokens with their texts, and the place at which the text ends or stops being JSON. */
function tokensOf(text: string, options: { readonly isSequence?: boolean } = {}): string[] {
  const scanner = new JsonScanner(text, options);
  const tokens: string[] = [];
  for (;;) {
    const token = scanner.next();
    if (token === 'end' || token === 'invalid') return [...tokens, `${token} ${scanner.from}`];
    tokens.push(`${token} ${text.slice(scanner.from, scanner.to)} /${scanner.path.join('/')}`);
  }
}

describe('JsonScanner', () => {
  it('tells each token, its text and its place', () => {
    expect(tokensOf(' {"a" : [1, {"b~":null}], "c":"x\\"" } ')).toEqual([
      'open { /',
      'name "a" /a',
      'open [ /a/-1',
      'number 1 /a/0',
      'open { /a/1/',
      'name "b~" /a/1/b~',
      'literal null /a/1/b~',
      'close } /a/1',
      'close ] /a',
      'name "c" /c',
      'string "x\\"" /c',
      'close } /',
      'end 38',
    ]);
  });

  it('reads several texts one after another where it may', () => {
    expect(tokensOf('1 "a"\n', { isSequence: true })).toEqual(['number 1 /', 'string "a" /', 'end 6']);
    expect(tokensOf('', { isSequence: true })).toEqual(['end 0']);
    expect(tokensOf('1 2')).toEqual(['number 1 /', 'invalid 2']);
    expect(tokensOf('')).toEqual(['invalid 0']);
  });

  it('accepts what JSON.parse accepts, and a container is skipped to its end', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        expect(tokensOf(text).at(-1)).toBe(`end ${text.length}`);
        const scanner = new JsonScanner(`[${text},7]`);
        scanner.next();
        expect(scanner.endOfValue(scanner.next())).toBe(text.length + 1);
        expect([scanner.next(), scanner.path]).toEqual(['number', [1]]);
      }),
    );
  });

  it('finds the same tokens in the bytes of a text', () => {
    const text = '{"ä😀":["ü",{"n":1}]}';
    const bytes = Buffer.from(text).toString('latin1');
    const kinds = (one: string) => tokensOf(one).map((token) => token.split(' ')[0]);
    expect(kinds(bytes)).toEqual(kinds(text));
    expect(tokensOf(bytes).at(-1)).toBe(`end ${Buffer.byteLength(text)}`);
  });

  it.each(['[', '{"a":', '[{"a":', '"', '\\', '"\\', '-', '1,'])(
    'takes time in proportion to the text: %j two million times',
    (piece) => {
      const scanner = new JsonScanner(piece.repeat(2_000_000 / piece.length));
      let tokens = 0;
      for (let token = scanner.next(); token !== 'invalid'; token = scanner.next()) tokens += 1;
      expect(tokens).toBeLessThanOrEqual(2_000_000);
    },
  );
});

describe('decodeString', () => {
  it('reads a token as JSON.parse does, lone surrogates too', () => {
    const piece = fc.constantFrom(
      'a',
      'é',
      '😀',
      '\\n',
      '\\"',
      '\\\\',
      '\\/',
      '\\u0041',
      '\\ud83d',
      '\\uDE00',
      '\\b',
      '\\f',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const token = `"${pieces.join('')}"`;
        expect(decodeString(token)).toBe(JSON.parse(token));
      }),
    );
  });
});
