import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointText } from '../../../store/chain/checkpoint.ts';
import {
  currentTerm,
  isOfOtherKey,
  keysAfter,
  keysOfGenesis,
  packageKeyAt,
  openCheckpointOf,
  openExactCheckpoint,
  rotationProblem,
  termOfBundle,
  termsOfCheckpoint,
  type KeyedHeader,
  type KeyHistory,
} from '../../../store/chain/key-history.ts';
import { formatNote, parseVkey } from '../../../store/chain/note.ts';
import type { Signer } from '../../../store/keys/signer.ts';
import { createTestSigner, TEST_ORIGIN } from '../../support/ledger.ts';

/** Keys in the order in which a log takes them up. */
const signers = Array.from({ length: 6 }, () => createTestSigner());
const [first, second, third] = signers as [Signer, Signer, Signer];

const header = (start: number, over: Partial<KeyedHeader> = {}): KeyedHeader => ({
  origin: TEST_ORIGIN,
  start_index: start,
  leaf_count: 1,
  tree_size: start + (over.leaf_count ?? 1),
  ...over,
});

/** A log that changes its key in the bundles at these places. */
function rotatedAt(...starts: readonly number[]): KeyHistory {
  return starts.reduce(
    (keys, start, position) => keysAfter(keys, header(start, { next_vkey: signers[position + 1]!.vkey })),
    keysOfGenesis(first)!,
  );
}

async function note(size: number, by: readonly Signer[], origin = TEST_ORIGIN): Promise<string> {
  const root_hash = createHash('sha256').update(String(size)).digest('hex');
  const text = checkpointText({ origin, tree_size: size, root_hash });
  const lines = by.map(async (signer) => {
    const { name, keyId } = parseVkey(signer.vkey)!;
    return { name, keyId, signature: await signer.sign(Buffer.from(text)) };
  });
  return formatNote(text, await Promise.all(lines));
}

describe('the keys of a log', () => {
  it('begin with that of the genesis, which signs everything where none follows', () => {
    const keys = keysOfGenesis(first)!;
    expect(currentTerm(keys).vkey).toBe(first.vkey);
    expect(termOfBundle(keys, 0).vkey).toBe(first.vkey);
    expect(termsOfCheckpoint(keys, 9).map(({ vkey }) => vkey)).toEqual([first.vkey]);
    expect(keysOfGenesis({ vkey: 'nonsense' })).toBeUndefined();
  });

  it('follow each other by place: the bundle that names a key is the last one of the key before', () => {
    const keys = rotatedAt(10, 25);
    const places = [0, 10, 11, 25, 26, 900];
    expect(places.map((start) => termOfBundle(keys, start).vkey)).toEqual(
      [first, first, second, second, third, third].map(({ vkey }) => vkey),
    );
  });

  it('sign together where the bundle that changes the key ends, and alone elsewhere', () => {
    const keys = rotatedAt(10, 11);
    const sizes = [1, 10, 11, 12, 13].map((size) => termsOfCheckpoint(keys, size).map(({ vkey }) => vkey));
    expect(sizes).toEqual([
      [first.vkey],
      [first.vkey],
      [first.vkey, second.vkey],
      [second.vkey, third.vkey],
      [third.vkey],
    ]);
  });

  it('agree with a walk over the bundles, wherever the key changes', () => {
    const bundles = fc.array(fc.record({ leaves: fc.integer({ min: 1, max: 5 }), rotates: fc.boolean() }), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(bundles, (made) => {
        let keys = keysOfGenesis(first)!;
        const walked: { start: number; end: number; turn: number; rotates: boolean }[] = [];
        let [start, turn] = [0, 0];
        let named: number | undefined;
        for (const { leaves, rotates } of made) {
          const count = rotates ? 1 : leaves;
          const next = rotates ? { next_vkey: signers[turn + 1]!.vkey } : {};
          const at = named === undefined ? {} : { rotated_at: named };
          const one = header(start, { leaf_count: count, ...next, ...at });
          expect(rotationProblem(keys, one)).toBeUndefined();
          keys = keysAfter(keys, one);
          walked.push({ start, end: start + count, turn, rotates });
          if (rotates) [named, turn] = [start, turn + 1];
          start += count;
        }
        expect(currentTerm(keys).vkey).toBe(signers[turn]!.vkey);
        for (const one of walked) {
          expect(termOfBundle(keys, one.start).vkey).toBe(signers[one.turn]!.vkey);
          const asked = one.rotates ? [one.turn, one.turn + 1] : [one.turn];
          expect(termsOfCheckpoint(keys, one.end).map(({ vkey }) => vkey)).toEqual(
            asked.map((position) => signers[position]!.vkey),
          );
        }
      }),
    );
  });
});

/** Verifier key of packages about the test log. */
const packageKey = () => createTestSigner(`${TEST_ORIGIN}/evidence-package`).vkey;

describe('the key of packages', () => {
  const named = [packageKey(), packageKey(), packageKey()] as const;
  const genesis = { vkey: first.vkey, package_key: named[0] };
  const changing = (start: number, next: number, over: Partial<KeyedHeader> = {}) =>
    header(start, { next_vkey: signers[next]!.vkey, next_package_key: named[next]!, ...over });
  const before = keysOfGenesis(genesis)!;
  const once = keysAfter(before, changing(10, 1));
  const twice = keysAfter(once, changing(25, 2));

  it('is that of the newest change below a tree, else that of the genesis', () => {
    const sizes = [0, 1, 10, 11, 25, 26, 900];
    const positions = [0, 0, 0, 1, 1, 2, 2] as const;
    expect(sizes.map((size) => packageKeyAt(twice, size))).toEqual(positions.map((n) => named[n]));
    expect(packageKeyAt(rotatedAt(10), 20)).toBeUndefined();
  });

  it('changes with the key of the log', () => {
    expect(rotationProblem(before, changing(10, 1))).toBeUndefined();
    expect(rotationProblem(once, changing(25, 2, { rotated_at: 10 }))).toBeUndefined();
    expect(rotationProblem(twice, changing(10, 1))).toBeUndefined();
  });

  const next_vkey = second.vkey;
  const cases: readonly (readonly [string, KeyHistory, KeyedHeader, string])[] = [
    ['alone', before, header(10, { next_package_key: named[1] }), 'alone'],
    ['not with that of the log', before, header(10, { next_vkey }), 'not that of packages'],
    ['where there are no packages', rotatedAt(), changing(10, 1), 'no'],
    ['to itself', before, changing(10, 1, { next_package_key: named[0] }), 'was one before'],
    [
      'back to an earlier one',
      once,
      changing(25, 2, { rotated_at: 10, next_package_key: named[0] }),
      'was one before',
    ],
    ['to that of a log', before, changing(10, 1, { next_package_key: third.vkey }), 'none of this log'],
    ['to no key', before, changing(10, 1, { next_package_key: 'key' }), 'none of this log'],
    ['to another than is known', once, changing(10, 1, { next_package_key: named[2] }), named[1]],
  ];

  it.each(cases)('does not change %s', (_, keys, refused, problem) => {
    expect(rotationProblem(keys, refused)).toContain(problem);
  });
});

describe('a header is refused', () => {
  const keys = rotatedAt(10);
  const next_vkey = third.vkey;
  const cases: readonly (readonly [string, KeyHistory, KeyedHeader, string])[] = [
    ['without the place of the change', keys, header(11), 'was by the bundle at 10'],
    ['with a false place', keys, header(11, { rotated_at: 9 }), 'named by the bundle at 9'],
    ['with a place of a log that never changed', rotatedAt(), header(4, { rotated_at: 3 }), 'by the genesis'],
    ['with its own place', keys, header(20, { rotated_at: 20 }), 'named by the bundle at 20'],
    [
      'that changes the key over two leaves',
      rotatedAt(),
      header(4, { next_vkey, leaf_count: 2 }),
      '2 leaves',
    ],
    ['that is known to change the key and does not', keys, header(10), 'does not change the key'],
    ['that changes the key to another', keys, header(10, { next_vkey }), 'does not change the key to'],
    ['that names the same key', rotatedAt(), header(4, { next_vkey: first.vkey }), 'before'],
    ['that goes back', keys, header(11, { rotated_at: 10, next_vkey: first.vkey }), 'before'],
    ['that names no key', rotatedAt(), header(4, { next_vkey: 'key' }), 'none of this log'],
    [
      'that names a key of another log',
      rotatedAt(),
      header(4, { next_vkey: createTestSigner('other.example/p0').vkey }),
      'none of this log',
    ],
  ];

  it.each(cases)('%s', (_, before, refused, problem) => {
    expect(rotationProblem(before, refused)).toContain(problem);
  });

  it('and not where it says what is true', () => {
    expect(rotationProblem(keys, header(10, { next_vkey: second.vkey }))).toBeUndefined();
    expect(rotationProblem(keys, header(11, { rotated_at: 10 }))).toBeUndefined();
    expect(rotationProblem(keys, header(11, { rotated_at: 10, next_vkey }))).toBeUndefined();
    expect(rotationProblem(keys, header(3))).toBeUndefined();
  });
});

describe('a checkpoint opens', () => {
  const keys = rotatedAt(10);

  it('under the key of its size, and under no other key of the log', async () => {
    for (const [size, by, other] of [
      [10, first, second],
      [12, second, first],
    ] as const) {
      const good = await note(size, [by]);
      expect(openCheckpointOf(keys, good)).toMatchObject({ tree_size: size });
      expect(openExactCheckpoint(keys, good)).toMatchObject({ tree_size: size });
      const bad = await note(size, [other]);
      expect(openCheckpointOf(keys, bad)).toBeUndefined();
      expect(isOfOtherKey(keys, bad)).toBe(true);
      expect(isOfOtherKey(keys, good)).toBe(false);
    }
  });

  it('at the change under both keys alone, the old one first', async () => {
    expect(openExactCheckpoint(keys, await note(11, [first, second]))).toMatchObject({ tree_size: 11 });
    for (const by of [[first], [second], [second, first], [first, second, third], [first, second, second]])
      expect(openExactCheckpoint(keys, await note(11, by))).toBeUndefined();
    for (const by of [[first], [second], [first, third]])
      expect(openCheckpointOf(keys, await note(11, by))).toBeUndefined();
  });

  it('with lines of strangers for readers that a witness may add to, and exactly for the archive', async () => {
    const witnessed = await note(9, [first, createTestSigner('witness.example')]);
    expect(openCheckpointOf(keys, witnessed)).toMatchObject({ tree_size: 9 });
    expect(openExactCheckpoint(keys, witnessed)).toBeUndefined();
    expect(openCheckpointOf(keys, await note(9, [first], 'other.example/p0'))).toBeUndefined();
    expect(openCheckpointOf(keys, 'no note')).toBeUndefined();
  });
});
