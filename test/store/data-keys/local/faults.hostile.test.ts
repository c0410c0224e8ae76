/** A local key store of which each single call to the file system goes wrong once, in each way. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initKeyStore } from '../../../../store/data-keys/init-key-store.ts';
import type { KeyStore } from '../../../../store/data-keys/key-store.ts';
import { openLocalKeyObjects } from '../../../../store/data-keys/local/key-objects.ts';
import type { FileCalls } from '../../../../store/data-keys/local/file-calls.ts';
import { rotateMasterKey } from '../../../../store/data-keys/rotate-master-key.ts';
import {
  breakFileCalls,
  QUICK_FILE_CALLS,
  type BrokenFileCalls,
  type CallFault,
} from '../../../support/broken-file-calls.ts';
import {
  addressOf,
  createMemoryMasterKeys,
  everything,
  fingerprints,
  nameOf,
  openTestKeyStore,
  type MemoryMasterKeys,
} from '../../../support/key-store.ts';

const FAULTS: readonly CallFault[] = ['fails', 'fails-after', 'dies-after', 'dies-within'];
const PEOPLE = ['jane', 'john'].map(nameOf);
/** More calls than any of the works makes. */
const MAX_CALLS = 400;

let dir: string;
let masterKeys: MemoryMasterKeys;
/** Keys that were given to somebody, by address. */
let given: Map<string, string>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'affidavit-keys-'));
  masterKeys = createMemoryMasterKeys();
  given = new Map();
});

afterEach(() => rm(dir, { recursive: true }));

const openObjects = (calls: FileCalls = QUICK_FILE_CALLS) =>
  openLocalKeyObjects({
    dir: join(dir, 'store'),
    purpose: 'begin',
    clock: Date.now,
    newId: randomUUID,
    calls,
  });

async function open(calls?: FileCalls): Promise<KeyStore> {
  const objects = await openObjects(calls);
  await initKeyStore(objects, masterKeys);
  return openTestKeyStore(objects, masterKeys);
}

/** Two batches, so that the second meets folders that are there. */
async function seal(store: KeyStore): Promise<void> {
  for (const people of [PEOPLE.slice(0, 1), PEOPLE]) {
    const addresses = [...(await store.subjects(people)), null].map((subject) => addressOf(subject));
    const keys = fingerprints(await store.keysFor(addresses));
    addresses.forEach((address, place) => given.set(JSON.stringify(address), keys[place]!));
  }
}

/** Everything that was given is still there, for a process that begins now. */
async function expectGiven(except?: string | null): Promise<void> {
  const store = await open();
  for (const [text, key] of given) {
    const address = JSON.parse(text) as ReturnType<typeof addressOf>;
    if (address.subject === except) continue;
    expect(fingerprints(await store.find([address])), text).toEqual([key]);
  }
}

/** Runs the work with the n-th call broken, for each n, and judges the store after each. */
async function breakEach(
  fault: CallFault,
  steps: {
    readonly prepare?: () => Promise<void>;
    readonly work: (calls: BrokenFileCalls) => Promise<unknown>;
    readonly judge: () => Promise<void>;
  },
): Promise<number> {
  for (let at = 1; at < MAX_CALLS; at += 1) {
    given.clear();
    masterKeys.known.clear();
    await rm(join(dir, 'store'), { recursive: true, force: true });
    await steps.prepare?.();
    const calls = breakFileCalls(at, fault);
    await steps.work(calls).catch((error: unknown) => {
      if (!calls.hasFired) throw error;
    });
    if (!calls.hasFired) return at - 1;
    if (fault.startsWith('dies')) await calls.losePower();
    await steps.judge();
  }
  throw new Error('the work makes more calls than this test tries');
}

const sealed = async () => seal(await open());

describe.each(FAULTS)('a call that %s', (fault) => {
  it('loses no key that was given, and leaves no half file that reads as a key', async () => {
    const tried = await breakEach(fault, {
      work: async (calls) => seal(await open(calls)),
      judge: async () => {
        await expectGiven();
        // The same work again ends, with the same keys.
        const before = new Map(given);
        await seal(await open());
        for (const [address, key] of before) expect(given.get(address)).toBe(key);
        await expectGiven();
      },
    });
    expect(tried).toBeGreaterThan(fault === 'dies-within' ? 5 : 30);
  });

  it('leaves a destruction that can be finished, and then nothing of the subject', async () => {
    let jane = '';
    const tried = await breakEach(fault, {
      prepare: async () => {
        await sealed();
        [jane = ''] = await (await open()).subjects(PEOPLE);
      },
      work: async (calls) => (await open(calls)).destroy({ subject: jane }),
      judge: async () => {
        await expectGiven(jane);
        await (await open()).destroy({ subject: jane });
        const store = await open();
        expect(await store.find([addressOf(jane)])).toEqual(['destroyed']);
        const texts = await textsBelow(dir);
        const naming = [...texts].filter(([path, text]) => `${path}${text}`.includes(jane));
        expect(naming.map(([path]) => path)).toEqual([expect.stringContaining('destroyed-subjects')]);
        expect([...texts.keys()].filter((path) => path.includes(PEOPLE[0]!))).toEqual([]);
        expect((await store.subjects(PEOPLE))[0]).not.toBe(jane);
        await expectGiven(jane);
      },
    });
    expect(tried).toBeGreaterThan(fault === 'dies-within' ? 0 : 10);
  });

  it('leaves a rotation that goes on, under which every key opens at each moment', async () => {
    let old = '';
    const tried = await breakEach(fault, {
      prepare: async () => {
        await sealed();
        [old = ''] = masterKeys.known.keys();
      },
      work: async (calls) => {
        const objects = await openObjects(calls);
        return rotateMasterKey({ objects, masterKeys, clock: Date.now });
      },
      judge: async () => {
        await expectGiven();
        const objects = await openObjects();
        await rotateMasterKey({ objects, masterKeys, clock: Date.now });
        masterKeys.known.delete(old);
        for (const [name, bytes] of await everything(objects)) expect(bytes.includes(old), name).toBe(false);
        await expectGiven();
        expect(await (await open()).subjects(PEOPLE)).toHaveLength(PEOPLE.length);
      },
    });
    expect(tried).toBeGreaterThan(fault === 'dies-within' ? 5 : 20);
  });
});

/** Each file below a folder with its text, staged ones too. */
async function textsBelow(path: string): Promise<Map<string, string>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const)));
}
