import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAILURES, type FailureCode } from '../../schemas/verification-failures.ts';
import { checkpointKey, genesisKey } from '../../store/chain/layout.ts';
import { leafHash, rootOf } from '../../store/chain/merkle.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import type { VerifyOptions } from '../../store/verify/report.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { filesBelow } from '../support/archive-folder.ts';
import { createTestSigner } from '../support/ledger.ts';
import {
  appendTo,
  copyOf,
  cutBackTo,
  firstIndex,
  keptAt,
  readBundle,
  removeCheckpoints,
  rewriteWithoutKey,
  sealArchive,
  signHead,
  TREE_SIZE,
  type SealedArchive,
} from './forge.ts';

/** The log as it was; what was kept of it; and logs that attackers put in its place. */
let sealed: SealedArchive;
let kept: Record<15 | 23 | 30, { readonly name: string; readonly note: string }>;
/** Another history, sealed by whoever holds the key. */
let secondHistory: SealedArchive;
/** Another history of the same name, sealed with a key that the attacker made. */
let ownKeyHistory: SealedArchive;
const stranger: Signer = createTestSigner();

beforeAll(async () => {
  sealed = await sealArchive();
  kept = {
    15: await keptAt(sealed.dir, 15),
    23: await keptAt(sealed.dir, 23),
    30: await keptAt(sealed.dir, 30),
  };
  secondHistory = await sealArchive({ signer: sealed.signer, firstRecord: 1000 });
  ownKeyHistory = await sealArchive({ signer: stranger, firstRecord: 1000 });
});
afterAll(async () => {
  for (const archive of [sealed, secondHistory, ownKeyHistory]) await archive.dispose();
});

const ALL_SIZES = [4, 10, 15, 23, 30];
const pinned = () => ({ pinnedVkeys: [sealed.signer.vkey] });
const keeping = (...sizes: (15 | 23 | 30)[]) => ({ keptCheckpoints: sizes.map((size) => kept[size]) });

async function replaceAll(dir: string, by: string): Promise<void> {
  await rm(dir, { recursive: true });
  await cp(by, dir, { recursive: true });
}

/** Objects of one kind as they were, put over those of the forged log. */
async function bringBack(dir: string, pattern: RegExp): Promise<void> {
  for (const from of [dir, sealed.dir]) {
    for (const file of await filesBelow(from)) {
      if (!pattern.test(file)) continue;
      if (from === dir) await rm(join(dir, file));
      else await cp(join(from, file), join(dir, file));
    }
  }
}

/** What somebody does who holds the disk and not the key: seals the whole log anew, under the genesis as it was. */
async function rebuildWithoutKey(dir: string): Promise<void> {
  await replaceAll(dir, ownKeyHistory.dir);
  await bringBack(dir, /\/genesis/);
  await removeCheckpoints(dir, ALL_SIZES);
}

async function restoreOldAndGoOn(dir: string): Promise<void> {
  await cutBackTo(dir, 15);
  await appendTo(dir, sealed.signer, [8, 7, 3], 2000);
}

interface Case {
  readonly name: string;
  readonly tamper: (dir: string) => Promise<void>;
  readonly knowing: () => VerifyOptions | Promise<VerifyOptions>;
  readonly code: FailureCode;
  readonly index: number | null;
  readonly names?: string;
}

const untouched = () => Promise.resolve();

const CASES: readonly Case[] = [
  {
    name: 'another log in the folder, while the key is pinned',
    tamper: (dir) => replaceAll(dir, ownKeyHistory.dir),
    knowing: pinned,
    code: 'key_not_pinned',
    index: null,
  },
  {
    name: 'another log in the folder, while a checkpoint was kept',
    tamper: (dir) => replaceAll(dir, ownKeyHistory.dir),
    knowing: () => keeping(15),
    code: 'kept_checkpoint_other_key',
    index: null,
    names: 'kept-15',
  },
  {
    name: 'the whole log rebuilt without the key, while the key is pinned',
    tamper: rebuildWithoutKey,
    knowing: pinned,
    code: 'checkpoint_missing',
    index: 0,
    names: 'the pinned key signed nothing',
  },
  {
    name: 'the whole log rebuilt without the key, while a checkpoint was kept',
    tamper: rebuildWithoutKey,
    knowing: () => keeping(15),
    code: 'kept_checkpoint_mismatch',
    index: 0,
    names: 'kept-15',
  },
  {
    name: 'the whole log rebuilt without the key, its old checkpoints beside it',
    tamper: async (dir) => {
      await replaceAll(dir, ownKeyHistory.dir);
      await bringBack(dir, /\/(genesis|checkpoint\/)/);
    },
    knowing: () => ({}),
    code: 'checkpoint_root_mismatch',
    index: 0,
    names: checkpointKey('p0', 4),
  },
  {
    name: 'the log rewritten from 15 on without the key',
    tamper: (dir) => rewriteWithoutKey(dir, sealed.signer, 15),
    knowing: () => ({}),
    code: 'checkpoint_root_mismatch',
    index: 15,
    names: checkpointKey('p0', 23),
  },
  {
    name: 'the newest bundle rewritten and its checkpoint removed, while a checkpoint of it was kept',
    tamper: async (dir) => {
      await cutBackTo(dir, 23);
      await appendTo(dir, sealed.signer, [7], 3000);
      await removeCheckpoints(dir, [30]);
    },
    knowing: () => keeping(23, 30),
    code: 'kept_checkpoint_mismatch',
    index: 23,
    names: 'kept-30',
  },
  {
    name: 'the log cut back to an older head that the key signed, while a newer one was kept',
    tamper: (dir) => cutBackTo(dir, 15),
    knowing: () => keeping(15, 30),
    code: 'log_truncated',
    index: 15,
    names: 'kept-30 is a head of 30 leaves, p0 has 15',
  },
  {
    name: 'the log emptied, while a checkpoint was kept',
    tamper: (dir) => cutBackTo(dir, 0),
    knowing: () => keeping(15),
    code: 'log_truncated',
    index: 0,
    names: 'kept-15',
  },
  {
    name: 'the whole log rebuilt with the key: two heads of one size',
    tamper: (dir) => replaceAll(dir, secondHistory.dir),
    knowing: () => ({ ...pinned(), ...keeping(30) }),
    code: 'log_equivocation',
    index: 0,
    names: 'kept-30',
  },
  {
    name: 'an old backup restored and gone on with, while newer heads were kept',
    tamper: restoreOldAndGoOn,
    knowing: () => ({ ...pinned(), ...keeping(15, 23, 30) }),
    code: 'log_equivocation',
    index: 15,
    names: 'kept-23',
  },
  {
    name: 'a kept head inside what is one bundle now',
    tamper: async (dir) => {
      await cutBackTo(dir, 15);
      await appendTo(dir, sealed.signer, [15], 2000);
    },
    knowing: () => keeping(15, 23),
    code: 'log_equivocation',
    index: 15,
    names: 'kept-23',
  },
  {
    name: 'two kept heads of one size with two roots, both signed by the key',
    tamper: untouched,
    knowing: async () => ({
      keptCheckpoints: [kept[30], { ...(await keptAt(secondHistory.dir, 30)), name: 'kept-by-another' }],
    }),
    code: 'log_equivocation',
    index: 0,
    names: 'kept-by-another',
  },
  {
    name: 'a kept checkpoint with a letter changed',
    tamper: untouched,
    knowing: () => ({ keptCheckpoints: [{ name: 'kept', note: kept[15].note.replace('\n15\n', '\n16\n') }] }),
    code: 'kept_checkpoint_invalid',
    index: null,
    names: 'kept',
  },
  {
    name: 'a kept checkpoint of a log of another name',
    tamper: untouched,
    knowing: async () => {
      const note = await signHead(createTestSigner('other.example/p0'), {
        tree_size: 1,
        root_hash: '0'.repeat(64),
      });
      return { keptCheckpoints: [{ name: 'foreign', note }] };
    },
    code: 'kept_checkpoint_invalid',
    index: null,
    names: 'foreign',
  },
  {
    name: 'a kept checkpoint that is no note',
    tamper: untouched,
    knowing: () => ({ keptCheckpoints: [{ name: 'empty', note: '' }] }),
    code: 'kept_checkpoint_invalid',
    index: null,
    names: 'empty',
  },
];

describe('heads, keys and whole logs:', () => {
  it('the untouched log verifies under its key and every head that was kept of it', async () => {
    const knowing = { ...pinned(), ...keeping(30, 15, 23) };
    expect(await verifyArchive({ dir: sealed.dir, ...knowing })).toMatchObject({
      ok: true,
      anchoring: 'signed_by_pinned_key',
      tree_size: TREE_SIZE,
      failures: [],
      notices: [],
    });
  });

  it.each(CASES)('names $name: $code at $index', async ({ tamper, knowing, code, index, names = '' }) => {
    const copy = await copyOf(sealed.dir);
    await tamper(copy.dir);
    const report = await verifyArchive({ dir: copy.dir, ...(await knowing()) });
    await copy.dispose();
    const named = report.failures.filter((failure) => failure.code === code);
    expect(named.map((failure) => failure.index)).toContain(index);
    expect(named.map(({ detail }) => detail).join('\n')).toContain(names);
    expect(firstIndex(report)).toBe(index);
    expect(report).toMatchObject({ ok: false, [FAILURES[code].axis]: 'broken' });
  });

  it.each([0, 1, 12, 29])('a head of %i leaves verifies, where no bundle ends', async (tree_size) => {
    const bundles = await Promise.all([0, 4, 10, 15, 23].map((start) => readBundle(sealed.dir, start)));
    const hashes = bundles.flatMap(({ leafTexts }) => leafTexts.map((text) => leafHash(Buffer.from(text))));
    const root_hash = Buffer.from(rootOf(hashes.slice(0, tree_size))).toString('hex');
    const note = await signHead(sealed.signer, { tree_size, root_hash });
    const report = await verifyArchive({ dir: sealed.dir, keptCheckpoints: [{ name: 'inside', note }] });
    expect(report).toMatchObject({ ok: true, failures: [], notices: [] });
  });
});

/** Documentation that fails when it stops being true; docs/threat-model.md says the same in words. */
describe('is not detectable from the archive alone, and says so by what it calls the anchoring:', () => {
  const verifyAfter = async (tamper: (dir: string) => Promise<void>, options: VerifyOptions = {}) => {
    const copy = await copyOf(sealed.dir);
    await tamper(copy.dir);
    const report = await verifyArchive({ dir: copy.dir, ...options });
    await copy.dispose();
    return report;
  };

  it('another log in the folder, where neither key nor head is known: signed, by whomever', async () => {
    const report = await verifyAfter((dir) => replaceAll(dir, ownKeyHistory.dir));
    expect(report).toMatchObject({ ok: true, anchoring: 'signed', failures: [] });
  });

  it('a log cut back to an older head, even where the key is pinned', async () => {
    const report = await verifyAfter((dir) => cutBackTo(dir, 15), pinned());
    expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key', tree_size: 15 });
  });

  it('a log cut back to the head that was kept: what came later, nobody can know', async () => {
    const report = await verifyAfter((dir) => cutBackTo(dir, 15), { ...pinned(), ...keeping(15) });
    expect(report).toMatchObject({ ok: true, tree_size: 15, failures: [] });
  });

  it('another history by whoever holds disk and key, even where the key is pinned', async () => {
    const report = await verifyAfter((dir) => replaceAll(dir, secondHistory.dir), pinned());
    expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key', failures: [] });
  });

  it('an old backup that was gone on with, even where the key is pinned', async () => {
    const report = await verifyAfter(restoreOldAndGoOn, pinned());
    expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key', tree_size: 33 });
  });

  it('the genesis stays the same bytes for one key, so it tells no histories apart', async () => {
    const of = ({ dir }: SealedArchive) => readFile(join(dir, genesisKey('p0')), 'utf8');
    expect(await of(secondHistory)).toBe(await of(sealed));
    expect(await of(ownKeyHistory)).not.toBe(await of(sealed));
  });
});
