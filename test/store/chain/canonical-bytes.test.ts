import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../schemas/canonical.ts';
import type { JsonValue } from '../../../schemas/json.ts';
import { isCanonicalJson } from '../../../store/chain/canonical-bytes.ts';

/** What the scan must agree with: read the text, write its value again, compare. */
function isWrittenAgain(bytes: Buffer): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return canonicalJson(JSON.parse(text) as JsonValue) === text;
  } catch {
    return false;
  }
}

/** Texts that lie close together, so that names share beginnings and differ where orders differ. */
const closeText = fc.string({
  unit: fc.constantFrom(
    ...[
      'a',
      'b',
      '!',
      '"',
      '#',
      '\\',
      '/',
      '\n',
      '\u0000',
      '\u001f',
      '\u007f',
      'é',
      '\u2028',
      '\ufb33',
      '😂',
    ],
  ),
  maxLength: 5,
});
const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc
      .oneof(fc.maxSafeInteger(), fc.integer({ min: -20, max: 20 }))
      .map((number) => (number === 0 ? 0 : number)),
    fc.oneof(closeText, fc.string({ unit: 'binary' })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(closeText, fc.string()), tie('value'), { maxKeys: 5 }),
  ),
}));

describe('the scan for canonical JSON', () => {
  it('accepts whatever the writer writes', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(isCanonicalJson(Buffer.from(canonicalJson(value)))).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('agrees with reading and writing again on texts with some bytes changed, gone, doubled or put in', () => {
    const byte = fc.oneof(
      fc.constantFrom(...Buffer.from('{}[]",:\\u0019-+.eE \n\ttrfnabd')),
      fc.integer({ min: 0, max: 255 }),
    );
    const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'cut', 'add', 'double'), byte });
    fc.assert(
      fc.property(anyValue, fc.array(change, { minLength: 1, maxLength: 3 }), (value, changes) => {
        let bytes = Buffer.from(canonicalJson(value));
        for (const { at, kind, byte: put } of changes) {
          const place = at % (bytes.length + 1);
          const taken = kind === 'add' ? [] : bytes.subarray(place, place + 1);
          const given = { set: [put], cut: [], add: [put], double: [...taken, ...taken] }[kind];
          bytes = Buffer.concat([
            bytes.subarray(0, place),
            Buffer.from(given),
            bytes.subarray(place + taken.length),
          ]);
        }
        expect(isCanonicalJson(bytes), bytes.toString('latin1')).toBe(isWrittenAgain(bytes));
      }),
      { numRuns: 20_000 },
    );
  });

  it('agrees with reading and writing again on texts with members in any order', () => {
    const member = fc.tuple(closeText, fc.constantFrom('1', '""', '[]'));
    fc.assert(
      fc.property(fc.array(member, { maxLength: 4 }), (members) => {
        const text = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`;
        const bytes = Buffer.from(text);
        expect(isCanonicalJson(bytes), text).toBe(isWrittenAgain(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['white space', '{"a": 1}'],
    ['white space behind', '1\n'],
    ['a byte order mark', '\ufeff1'],
    ['nothing', ''],
    ['two values', '1 2'],
    ['a member twice', '{"a":1,"a":1}'],
    ['a comma at the end', '[1,]'],
    ['an object that does not end', '{"a":1'],
    ['a name that does not end', '{"a'],
    ['a fraction', '1.0'],
    ['an exponent', '1e2'],
    ['a negative zero', '-0'],
    ['a leading zero', '01'],
    ['a lone minus', '-'],
    ['2^53', '9007199254740992'],
    ['an escape that is not needed', '"\\u0041"'],
    ['an escaped slash', '"\\/"'],
    ['an escape in capitals', '"\\u001F"'],
    ['a long escape for a short one', '"\\u000a"'],
    ['an escaped lone surrogate', '"\\ud800"'],
    ['an escape that does not end', '"\\'],
    ['a bare control', '"\u0001"'],
    ['names in the order of UTF-8 instead of UTF-16', '{"\ufb33":1,"😂":2}'],
  ])('refuses %s', (_, text) => {
    expect(isCanonicalJson(Buffer.from(text))).toBe(false);
    expect(isWrittenAgain(Buffer.from(text))).toBe(false);
  });

  it.each([
    '9007199254740991',
    '-9007199254740991',
    '{"😂":1,"\ufb33":2}',
    '"\\u001f\\b\u007f\u2028"',
    '{"":0,"__proto__":1}',
  ])('accepts %s', (text) => {
    expect(isCanonicalJson(Buffer.from(text))).toBe(true);
    expect(isWrittenAgain(Buffer.from(text))).toBe(true);
  });

  it.each([
    ['an overlong form', [0xc0, 0xa2]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character cut off', [0xe2, 0x82]],
  ])('refuses bytes that are no UTF-8: %s', (_, bytes) => {
    expect(isCanonicalJson(Buffer.from([0x22, ...bytes, 0x22]))).toBe(false);
  });

  it('refuses nesting beyond the stack instead of throwing', () => {
    expect(isCanonicalJson(Buffer.from('['.repeat(1_000_000)))).toBe(false);
  });
});
