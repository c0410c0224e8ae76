/** Key stores whose steps come in any order, over objects in memory. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { initKeyStore } from '../../../store/data-keys/init-key-store.ts';
import { rotateMasterKey } from '../../../store/data-keys/rotate-master-key.ts';
import { keyStoreContract } from '../../contract/key-store.contract.ts';
import {
  addressOf,
  createMemoryMasterKeys,
  everything,
  fingerprints,
  nameOf,
  openTestKeyStore,
} from '../../support/key-store.ts';
import { createMemoryKeyObjects } from '../../support/memory-key-objects.ts';

const RUNS = 150;

keyStoreContract('objects in memory', () => {
  const stored = new Map<string, Buffer>();
  return Promise.resolve({
    open: () => Promise.resolve(createMemoryKeyObjects(stored)),
    dispose: () => Promise.resolve(),
  });
});

describe('processes that share a key store', () => {
  let stored: Map<string, Buffer>;
  let masterKeys: ReturnType<typeof createMemoryMasterKeys>;

  const begin = async () => {
    stored = new Map();
    masterKeys = createMemoryMasterKeys();
    await initKeyStore(createMemoryKeyObjects(stored), masterKeys);
  };
  beforeEach(begin);

  /** A process whose steps come when the scheduler lets them. */
  const openUnder = async (scheduler: fc.Scheduler) => {
    let isUnderWay = false;
    const step = () => (isUnderWay ? scheduler.schedule(Promise.resolve()) : Promise.resolve());
    const objects = createMemoryKeyObjects(stored, step);
    const store = await openTestKeyStore(objects, masterKeys);
    isUnderWay = true;
    return { objects, store };
  };

  const obtain = async ({ store }: Awaited<ReturnType<typeof openUnder>>, people: readonly string[]) => {
    const subjects = await store.subjects(people.map(nameOf));
    const addresses = [...subjects, null].map((subject) => addressOf(subject));
    return { subjects, keys: fingerprints(await store.keysFor(addresses)) };
  };

  it('all get one surrogate for a name and one key for an address, in any order of their steps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        await begin();
        const all = await Promise.all([1, 2, 3].map(() => openUnder(scheduler)));
        const work = Promise.all(all.map((process) => obtain(process, ['jane', 'john'])));
        const [first, ...others] = await scheduler.waitFor(work);
        for (const other of others) expect(other).toEqual(first);
        expect(new Set(first!.keys).size).toBe(3);
      }),
      { numRuns: RUNS },
    );
  });

  it('get keys that open under the new master key, where a rotation meets them in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        await begin();
        const [old] = masterKeys.known.keys();
        const [one, other, rotator] = [
          await openUnder(scheduler),
          await openUnder(scheduler),
          await openUnder(scheduler),
        ];
        const work = Promise.all([
          obtain(one, ['jane']),
          obtain(other, ['jane', 'john']),
          rotateMasterKey({ objects: rotator.objects, masterKeys, clock: Date.now }),
        ]);
        const [first, second] = await scheduler.waitFor(work);
        masterKeys.known.delete(old!);
        const later = await openTestKeyStore(createMemoryKeyObjects(stored), masterKeys);
        expect(await later.subjects(['jane', 'john'].map(nameOf))).toEqual(second.subjects);
        expect(first.subjects[0]).toBe(second.subjects[0]);
        const found = await later.find([...second.subjects, null].map((subject) => addressOf(subject)));
        expect(fingerprints(found)).toEqual(second.keys);
      }),
      { numRuns: RUNS },
    );
  });

  it('get no key that lasts where a destruction meets them in any order, and nothing of the subject stays', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        await begin();
        const plain = await openTestKeyStore(createMemoryKeyObjects(stored), masterKeys);
        const [jane = ''] = await plain.subjects([nameOf('jane')]);
        const [creator, destroyer] = [await openUnder(scheduler), await openUnder(scheduler)];
        const address = addressOf(jane);
        const work = Promise.all([
          creator.store.keysFor([address]),
          obtain(creator, ['jane']),
          destroyer.store.destroy({ subject: jane }),
        ]);
        await scheduler.waitFor(work);
        const later = await openTestKeyStore(createMemoryKeyObjects(stored), masterKeys);
        expect(await later.find([address])).toEqual(['destroyed']);
        const naming = [...stored.keys()].filter(
          (name) => name.startsWith('subject-keys/') && name.includes(jane),
        );
        expect(naming).toEqual([]);
        expect((await later.subjects([nameOf('jane')]))[0]).not.toBe(jane);
      }),
      { numRuns: RUNS },
    );
  });

  it('move what they were making under the old master key when the rotation has passed already', async () => {
    const [old] = masterKeys.known.keys();
    const rotate = () =>
      rotateMasterKey({ objects: createMemoryKeyObjects(stored), masterKeys, clock: Date.now });
    let rotation: Promise<unknown> | undefined;
    const slow = createMemoryKeyObjects(stored, (what) => {
      // The new objects are wrapped by now, and stored when the rotation is over.
      return what.startsWith('create ') ? (rotation ??= rotate()) : Promise.resolve();
    });
    const store = await openTestKeyStore(slow, masterKeys);
    const { subjects, keys } = await obtain({ objects: slow, store }, ['jane']);
    expect(masterKeys.known.size).toBe(2);
    masterKeys.known.delete(old!);
    const later = await openTestKeyStore(createMemoryKeyObjects(stored), masterKeys);
    expect(await later.subjects([nameOf('jane')])).toEqual(subjects);
    expect(fingerprints(await later.find([...subjects, null].map((subject) => addressOf(subject))))).toEqual(
      keys,
    );
  });

  it('complete a rotation that was interrupted, under the master key that it began with', async () => {
    const objects = createMemoryKeyObjects(stored);
    const store = await openTestKeyStore(objects, masterKeys);
    const subjects = await store.subjects(Array.from({ length: 4 }, (_, index) => nameOf(String(index))));
    const addresses = subjects.map((subject) => addressOf(subject));
    const keys = fingerprints(await store.keysFor(addresses));
    const [old] = masterKeys.known.keys();
    let steps = 0;
    const dying = createMemoryKeyObjects(stored, (what) => {
      if (what.startsWith('change ') && (steps += 1) > 4)
        return Promise.reject(new Error('the process is dead'));
      return Promise.resolve();
    });
    await expect(rotateMasterKey({ objects: dying, masterKeys, clock: Date.now })).rejects.toThrow('dead');
    expect(masterKeys.known.size).toBe(2);
    const mixed = [...(await everything(objects)).values()].filter((bytes) =>
      bytes.includes(`"master_key":"${old!}"`),
    );
    expect(mixed.length).toBeGreaterThan(0);
    const fresh = await openTestKeyStore(objects, masterKeys);
    expect(fingerprints(await fresh.find(addresses))).toEqual(keys);
    const rotation = await rotateMasterKey({ objects, masterKeys, clock: Date.now });
    expect(rotation).toMatchObject({ retired: old, isResumed: true, rewrapped: mixed.length });
    expect(masterKeys.known.size).toBe(2);
    masterKeys.known.delete(old!);
    const later = await openTestKeyStore(objects, masterKeys);
    expect(fingerprints(await later.find(addresses))).toEqual(keys);
  });

  it('lose restored keys of destroyed subjects and months when their tombstones are back and the key rotates', async () => {
    const objects = createMemoryKeyObjects(stored);
    const store = await openTestKeyStore(objects, masterKeys);
    const [jane = '', john = ''] = await store.subjects(['jane', 'john'].map(nameOf));
    await store.keysFor([addressOf(jane), addressOf(john), addressOf(null), addressOf(null, 'person')]);
    const backup = new Map(stored);
    await store.destroy({ subject: jane });
    await store.destroy({ retention_class: 'person', month: '2026-11' });
    const tombstones = [...stored].filter(([name]) => name.startsWith('destroyed-'));
    stored.clear();
    for (const [name, bytes] of [...backup, ...tombstones]) stored.set(name, bytes);
    const restored = await openTestKeyStore(objects, masterKeys);
    const gone = [addressOf(jane), addressOf(null, 'person')];
    expect(await restored.find(gone)).toEqual(['destroyed', 'destroyed']);
    await rotateMasterKey({ objects, masterKeys, clock: Date.now });
    expect([...stored.keys()].filter((name) => /^(?:subject|class)-keys/.test(name)).sort()).toEqual([
      'class-keys/content.2026-11',
      `subject-keys/${john.slice(0, 1)}/${john}.content.2026-11`,
    ]);
    expect([...stored.keys()].filter((name) => name.startsWith('names/'))).toHaveLength(1);
  });

  it('remember no more keys than their limit, and none beyond its age', async () => {
    let now = 0;
    let reads = 0;
    const objects = createMemoryKeyObjects(stored, (what) => {
      if (what.startsWith('read class-keys/')) reads += 1;
      return Promise.resolve();
    });
    const cache = { maxEntries: 2, maxAgeMs: 1_000 };
    const store = await openTestKeyStore(objects, masterKeys, { cache, clock: () => now });
    const read = async (month: string) => {
      const before = reads;
      await store.find([addressOf(null, 'content', month)]);
      return reads - before;
    };
    await store.keysFor(['2026-01', '2026-02', '2026-03'].map((month) => addressOf(null, 'content', month)));
    expect([await read('2026-03'), await read('2026-02'), await read('2026-01')]).toEqual([0, 0, 1]);
    now = 999;
    expect(await read('2026-03')).toBe(0);
    now = 1_000;
    expect(await read('2026-03')).toBe(1);
    // The clock was set back.
    now = 0;
    expect(await read('2026-03')).toBe(1);
  });
});
