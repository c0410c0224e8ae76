import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../schemas/canonical.ts';
import { Leaf } from '../../../schemas/leaf.ts';
import { RECORD_CLASSES } from '../../../schemas/retention.ts';
import { readLeafLine, type LeafOfParts } from '../../../store/verify/leaf-line.ts';
import { parseCanonical } from '../../../store/verify/shape.ts';

const text = (chars: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...chars.split(/(?=.)/)), minLength, maxLength });
const hash = text('0123456789abcdef', 64, 64);
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'));
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const fraction = fc.nat(9).map((places) => (places === 0 ? '' : `.${'7'.repeat(places)}`));
const realDay = fc
  .date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 19));
const instant = fc.tuple(realDay, fraction).map(([second, rest]) => `${second}${rest}Z`);
/** In the form of an instant; hardly any of these days exists. */
const digits = (max: number) => fc.nat({ max }).map((number) => String(number).padStart(2, '0'));
const anyDay = fc
  .tuple(digits(99), digits(99), digits(14), digits(33), digits(25), digits(61), digits(61))
  .map(([c, y, m, d, h, min, s]) => `${c}${y}-${m}-${d}T${h}:${min}:${s}Z`);

const plainLeaf: fc.Arbitrary<Leaf> = fc.record({
  v: fc.constant(1 as const),
  id: hash,
  type: fc.constantFrom('tool.measured', 'a', 'a_1.b2.c', 'z'.repeat(64)),
  source: fc.constantFrom(
    ...(['hook', 'otel', 'gateway', 'transcript', 'forge', 'identity', 'native', 'affidavit'] as const),
  ),
  received_at: instant,
  principal: text('abcz019-', 1, 64),
  subject: orNull(
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  ),
  retention_class: fc.constantFrom(...RECORD_CLASSES),
  parts: fc
    .tuple(fc.option(digest), digest, fc.option(digest))
    .map(
      ([content, facts, person]) =>
        [
          ...(content === null ? [] : [{ digest: content, name: 'content' }]),
          { digest: facts, name: 'facts' },
          ...(person === null ? [] : [{ digest: person, name: 'person' }]),
        ] as Leaf['parts'],
    ),
});
/** Principals that a leaf cannot have. */
const foreignPrincipal = fc.oneof(
  fc
    .tuple(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('"', '\\', '\n', 'é', '😂', '\u007f', ' ', 'A', '.'),
    )
    .map(([beginning, mark]) => beginning + mark),
  fc.constantFrom('', 'a'.repeat(65)),
);

function partsOf({ parts, retention_class, subject }: Leaf): LeafOfParts {
  return { parts, retention_class, subject };
}

describe('reading the line of a leaf at sight', () => {
  it('reads every leaf of plain text as it was written', () => {
    fc.assert(
      fc.property(plainLeaf, (leaf) => {
        expect(readLeafLine(Buffer.from(canonicalJson(leaf)))).toEqual(partsOf(leaf));
      }),
      { numRuns: 1000 },
    );
  });

  it('reads an instant exactly where the judge of all texts does', () => {
    fc.assert(
      fc.property(plainLeaf, anyDay, (leaf, received_at) => {
        const line = Buffer.from(canonicalJson({ ...leaf, received_at }));
        expect(readLeafLine(line) !== undefined).toBe(parseCanonical(Leaf, line) !== undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads no line with a principal that needs an escape, or is empty or long, as the judge does', () => {
    fc.assert(
      fc.property(plainLeaf, foreignPrincipal, (leaf, principal) => {
        const line = Buffer.from(canonicalJson({ ...leaf, principal }));
        expect(readLeafLine(line)).toBeUndefined();
        expect(parseCanonical(Leaf, line)).toBeUndefined();
      }),
    );
  });

  it('agrees with that judge on lines with bytes changed, gone, doubled, put in or exchanged', () => {
    const put = fc.oneof(
      fc.constantFrom(...Buffer.from('{}[]",:\\09afzA.-_ \n')),
      fc.integer({ min: 0, max: 255 }),
    );
    const kind = fc.constantFrom('set', 'cut', 'add', 'double', 'swap');
    const change = fc.record({ at: fc.nat(), other: fc.nat(), kind, put });
    fc.assert(
      fc.property(plainLeaf, fc.array(change, { minLength: 1, maxLength: 2 }), (leaf, changes) => {
        let line = Buffer.from(canonicalJson(leaf));
        for (const each of changes) line = changed(line, each);
        const read = readLeafLine(line);
        const judged = parseCanonical(Leaf, line);
        expect(read, line.toString('latin1')).toEqual(judged && partsOf(judged));
      }),
      { numRuns: 10_000 },
    );
  });

  it('agrees with that judge on members that are missing, foreign or of other values', () => {
    const value = fc.oneof(
      fc.constantFrom<unknown[]>(
        null,
        1,
        2,
        '',
        'a',
        'A',
        'z'.repeat(65),
        'a'.repeat(33),
        'a-',
        '.a',
        'a..b',
      ),
      fc.constantFrom<unknown[]>(
        '2026-01-01T00:00:00Z',
        '2026-01-01T00:00:00.1234567890Z',
        '2026-01-01T00:00:00.Z',
      ),
      hash,
      fc.constant([]),
      fc.constant([{ digest: 'A'.repeat(43), name: 'content' }]),
      fc.constant([{ digest: `${'A'.repeat(42)}B`, name: 'facts' }]),
      fc.constant(['facts', 'content'].map((name) => ({ digest: 'A'.repeat(43), name }))),
      fc.constant(['facts', 'facts'].map((name) => ({ digest: 'A'.repeat(43), name }))),
      fc.constant([{ digest: 'A'.repeat(43), name: 'person' }]),
      fc.constant(['content', 'person'].map((name) => ({ digest: 'A'.repeat(43), name }))),
      fc.constant(['person', 'facts'].map((name) => ({ digest: 'A'.repeat(43), name }))),
    );
    const name = fc.oneof(
      fc.constantFrom(...Object.keys(Leaf.properties)),
      fc.constantFrom('a', 'w', '__proto__'),
    );
    fc.assert(
      fc.property(plainLeaf, name, fc.option(value), (leaf, member, put) => {
        const entries = Object.entries(leaf).filter(([each]) => each !== member);
        const made = Object.fromEntries(put === null ? entries : [...entries, [member, put]]);
        const line = Buffer.from(canonicalJson(made as never));
        const judged = parseCanonical(Leaf, line);
        expect(readLeafLine(line), line.toString()).toEqual(judged && partsOf(judged));
      }),
      { numRuns: 5000 },
    );
  });

  it('reads a hostile line in time that grows with its length alone', () => {
    const leaf = `{"id":"${'0'.repeat(64)}","parts":[{"digest":"${'A'.repeat(43)}","name":"facts"}]`;
    const dots = `"type":"${'a.'.repeat(500_000)}`;
    expect(readLeafLine(Buffer.from(`${leaf},${dots}"`))).toBeUndefined();
  });
});

interface Change {
  readonly at: number;
  readonly other: number;
  readonly kind: string;
  readonly put: number;
}

function changed(line: Buffer, { at, other, kind, put }: Change): Buffer<ArrayBuffer> {
  const place = at % (line.length + 1);
  const taken = kind === 'add' ? Buffer.of() : line.subarray(place, place + 1);
  const partner = line[other % line.length]!;
  const given = { set: [put], cut: [], add: [put], double: [...taken, ...taken], swap: [partner] }[kind]!;
  return Buffer.concat([line.subarray(0, place), Buffer.from(given), line.subarray(place + taken.length)]);
}
