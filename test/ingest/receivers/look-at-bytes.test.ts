import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findSecrets, mayHoldSecret } from '../../../connectors/detect/secrets.ts';
import { redactJson } from '../../../ingest/receivers/redact-json.ts';
import { redactProtobuf } from '../../../ingest/receivers/redact-protobuf.ts';
import { createFingerprint, createMarks } from '../../../ingest/receivers/redact-text.ts';
import { PLANTED } from '../../connectors/detect/planted.ts';
import { field, paddedField, writeJson, type Writing } from './wire-writing.ts';

const fingerprint = createFingerprint(new Uint8Array(32).fill(7));
const RUNS = 2_000;
const SECRETS = PLANTED.filter(({ text }) => findSecrets(text).length > 0);

const text = (...choices: readonly string[]) => fc.constantFrom(...choices);
const several = (characters: readonly string[], maxLength: number) =>
  fc.array(text(...characters), { maxLength }).map((all) => all.join(''));

const label = text(
  'password',
  'DB_PASSWORD',
  'api_key',
  'secretKey',
  'token',
  'password2',
  '_pass',
  'tokens',
);
const value = text('hunter2abcD9', 'gr\u00fcnhaus7', 'hunter2\u0001abcD9', 'geheim7\ud83d\ude00haus');
const blanks = several([' ', '\t'], 9);
const aside = several(
  ['a', '2', '\u00e9', '\u20ac', '\ud83d\ude00', '-', '.', '\t', '\n', '"', '\\', '\u0001'],
  30,
);
const nameText = fc
  .tuple(
    text('', 'a', '\u00e9', '\u20ac'),
    fc.nat({ max: 40 }),
    label,
    text('', '', 'Key', '_access_key', 'to\u212aen'),
  )
  .map(([unit, count, word, end]) => `${unit.repeat(count)}${word}${end}`);
const labelled = fc
  .tuple(
    text('', '--', '<', '--db-'),
    label,
    text('', '"', '\\"', "'"),
    blanks,
    text('=', ':', ':=', '=>', '>', ' '),
    blanks,
    text('', '"', '\\"', '`'),
    value,
  )
  .map((parts) => parts.join(''));
const authority = several(
  ['a', 'b', '7', '\u00fc', '\u20ac', '\ud83d\ude00', ':', '@', '\\', '\u007f', '\u0085'],
  40,
);
const address = fc.tuple(authority, value, authority).map(([a, b, c]) => `postgres://${a}:${b}${c}@db/x`);
const longAddress = fc
  .tuple(fc.integer({ min: 100, max: 480 }), text('\u00fc', '\ud83d\ude00', 'a'))
  .map(([count, unit]) => `db://u:7${unit.repeat(count / unit.length)}@h`);
const key = fc
  .tuple(text('BEGIN', 'END'), several(['R', '\u00e9', '\u0001', '"', '\\', ' '], 24), text('', ' BLOCK'))
  .map(
    ([mark, kind, block]) =>
      `${'abcdEFGH0123+/'.repeat(3)}-----${mark} ${kind}PRIVATE KEY${block}-----\n${'abcdEFGH0123+/'.repeat(3)}`,
  );
const planted = fc
  .constantFrom(...SECRETS.flatMap((one) => one.places.map((place) => ({ ...one, ...place }))))
  .chain(({ text: whole, start, end }) =>
    text(whole, whole.slice(start, end), whole.slice(0, end), whole.slice(start)),
  );
const anyText = fc
  .array(fc.oneof(labelled, address, longAddress, key, planted, aside, nameText, value), { maxLength: 3 })
  .map((parts) => parts.join(''));

/** JSON text, and JSON text within it, in which each level is escaped in ways that it draws. */
const nested = fc
  .tuple(fc.array(fc.tuple(nameText, anyText), { minLength: 1, maxLength: 2 }), fc.nat(), fc.nat({ max: 3 }))
  .map(([members, seed, levels]) => {
    const written = writeJson(Object.fromEntries(members), { seed, escapesAscii: false });
    return Array.from({ length: levels }).reduce<string>(
      (inner, _, level) => writeJson([inner], { seed: seed + level, escapesAscii: false }),
      written,
    );
  });

const writing: fc.Arbitrary<Writing> = fc.record({
  seed: fc.nat(),
  escapesAscii: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
});

/** Of a log record: text, bytes, and a field that this version does not know. */
const OTHER_FIELDS = [3, 9, 10, 12, 15];

describe('a body that the look at raw bytes lets through', () => {
  it('holds nothing to replace in JSON, however its strings are escaped', () => {
    const member = fc.tuple(fc.oneof(nameText, anyText), fc.oneof(anyText, value, nested));
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 3 }), writing, (members, how) => {
        const body = Buffer.from(writeJson(Object.fromEntries(members), how));
        expect(JSON.parse(body.toString())).toEqual(Object.fromEntries(members));
        if (!mayHoldSecret(body)) expect(redactJson(body, createMarks(fingerprint))).toBeUndefined();
      }),
      { numRuns: RUNS },
    );
  });

  it('holds nothing to replace in protobuf, whatever fields come before and behind a text', () => {
    const attribute = fc.tuple(
      fc.oneof(nameText, anyText),
      fc.oneof(anyText, value, nested),
      fc.nat({ max: 7 }),
    );
    fc.assert(
      fc.property(
        fc.array(attribute, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(...OTHER_FIELDS),
        (attributes, id) => {
          const record = attributes.map(([name, content, order]) => writeAttribute(id, name, content, order));
          const body = field(1, field(2, field(2, Buffer.concat(record))));
          if (!mayHoldSecret(body)) {
            expect(redactProtobuf('logs', body, createMarks(fingerprint))).toBeUndefined();
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** The bits of `order`: value before key, a length in more bytes than needed, and a text that is a field alone. */
function writeAttribute(id: number, name: string, content: string, order: number): Buffer {
  const write = (order & 2) === 0 ? field : paddedField;
  const parts = [write(1, Buffer.from(name)), field(2, write(1, Buffer.from(content)))];
  if ((order & 1) !== 0) parts.reverse();
  return Buffer.concat([
    field(6, Buffer.concat(parts)),
    (order & 4) === 0 ? Buffer.of() : field(id, Buffer.from(content)),
  ]);
}
