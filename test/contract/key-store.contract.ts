import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fitsCommitment } from '../../store/chain/data-key.ts';
import { initKeyStore } from '../../store/data-keys/init-key-store.ts';
import type { KeyObjects } from '../../store/data-keys/key-objects.ts';
import type { KeyStore } from '../../store/data-keys/key-store.ts';
import type { KeyReadOutcome } from '../../store/data-keys/data-keys.ts';
import { rotateMasterKey } from '../../store/data-keys/rotate-master-key.ts';
import {
  addressOf,
  CACHE,
  createMemoryMasterKeys,
  everything,
  fingerprint,
  fingerprints,
  nameOf,
  openTestKeyStore,
  type MemoryMasterKeys,
} from '../support/key-store.ts';

export interface KeyObjectsFixture {
  /** A handle on the same empty place each time it is called within one test. */
  open(): Promise<KeyObjects>;
  /** Removes everything; called after each test. */
  dispose(): Promise<void>;
}

const NOVEMBER = '2026-11';
const DECEMBER = '2026-12';

/** What every adapter must do below a key store, and so what a key store does on it. */
export function keyStoreContract(adapter: string, makeFixture: () => Promise<KeyObjectsFixture>): void {
  describe(`a key store on ${adapter}`, () => {
    let fixture: KeyObjectsFixture;
    let objects: KeyObjects;
    let masterKeys: MemoryMasterKeys;
    let store: KeyStore;
    let now: number;
    let reads: KeyReadOutcome[];
    const opened: KeyStore[] = [];

    /** A handle as another process has it. */
    const open = async () => {
      const options = { clock: () => now, onKeyRead: (outcome: KeyReadOutcome) => void reads.push(outcome) };
      const handle = await openTestKeyStore(await fixture.open(), masterKeys, options);
      opened.push(handle);
      return handle;
    };

    beforeEach(async () => {
      now = Date.parse('2026-11-30T12:00:00Z');
      reads = [];
      fixture = await makeFixture();
      objects = await fixture.open();
      masterKeys = createMemoryMasterKeys();
      await initKeyStore(objects, masterKeys);
      store = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((handle) => handle.close()));
      await objects.close();
      await fixture.dispose();
    });

    const subjectOf = async (person: string, from = store) => (await from.subjects([nameOf(person)]))[0]!;

    it('gives one key for an address, to every process and for good', async () => {
      const address = addressOf(await subjectOf('jane'));
      const [key] = await store.keysFor([address]);
      expect(key).toMatchObject({ address });
      if (typeof key === 'string' || key === undefined) throw new Error('there is a key');
      expect(key.key.symmetricKeySize).toBe(32);
      expect(fitsCommitment(key.key, address, key.commitment)).toBe(true);
      const other = await open();
      expect(fingerprints(await other.keysFor([address]))).toEqual([fingerprint(key)]);
      expect(fingerprints(await (await open()).find([address]))).toEqual([fingerprint(key)]);
    });

    it('gives other keys for another subject, class, month, and for nobody', async () => {
      const [jane, john] = [await subjectOf('jane'), await subjectOf('john')];
      const addresses = [
        addressOf(jane),
        addressOf(john),
        addressOf(jane, 'person'),
        addressOf(jane, 'content', DECEMBER),
        addressOf(null),
        addressOf(null, 'content', DECEMBER),
      ];
      expect(new Set(fingerprints(await store.keysFor(addresses))).size).toBe(addresses.length);
    });

    it('answers a batch in its order, with repeats', async () => {
      const people = await store.subjects(['a', 'b', 'a', 'c'].map(nameOf));
      expect(people[0]).toBe(people[2]);
      expect(new Set(people).size).toBe(3);
      const found = await store.keysFor([...people, null].map((subject) => addressOf(subject)));
      expect(fingerprint(found[0])).toBe(fingerprint(found[2]));
      expect(new Set(fingerprints(found)).size).toBe(4);
      const again = await (
        await open()
      ).keysFor([...people, null].map((subject) => addressOf(subject)).reverse());
      expect(fingerprints(again).reverse()).toEqual(fingerprints(found));
      expect(await store.subjects([])).toEqual([]);
      expect(await store.keysFor([])).toEqual([]);
    });

    it('lets exactly one of eight concurrent creators win', async () => {
      const handles = await Promise.all(Array.from({ length: 8 }, open));
      const people = Array.from({ length: 5 }, (_, index) => nameOf(`person ${String(index)}`));
      const subjects = await Promise.all(handles.map((handle) => handle.subjects(people)));
      for (const each of subjects) expect(each).toEqual(subjects[0]);
      const addresses = [...subjects[0]!, null].map((subject) => addressOf(subject));
      const keys = await Promise.all(handles.map((handle) => handle.keysFor(addresses)));
      for (const each of keys) expect(fingerprints(each)).toEqual(fingerprints(keys[0]!));
    });

    it('makes nothing when it is asked to find', async () => {
      const subject = await subjectOf('jane');
      const before = await everything(objects);
      expect(await store.find([addressOf(subject), addressOf(null)])).toEqual(['absent', 'absent']);
      expect(await everything(objects)).toEqual(before);
    });

    it('draws surrogates that do not follow from the name', async () => {
      const subject = await subjectOf('jane');
      expect(Buffer.from(subject, 'base64url')).toHaveLength(16);
      expect(await subjectOf('jane', await open())).toBe(subject);
      await store.destroy({ subject });
      expect(await subjectOf('jane')).not.toBe(subject);
    });

    it.each(['', 'Jane', nameOf('a').toUpperCase(), `${nameOf('a')}0`, '../../master-key'])(
      'refuses the name %j',
      async (name) => {
        await expect(store.subjects([name])).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
        await expect(store.destroy({ name })).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
      },
    );

    it.each([
      addressOf('../../../etc'),
      addressOf(''),
      addressOf(null, 'a/b' as 'content'),
      addressOf(null, 'Content' as 'content'),
      addressOf(null, 'content', '2026-13'),
      addressOf(null, 'content', '2026'),
    ])('refuses the address %j', async (address) => {
      const invalid = { code: 'PARAMETER_INVALID' };
      await expect(store.keysFor([address])).rejects.toMatchObject(invalid);
      await expect(store.find([address])).rejects.toMatchObject(invalid);
      await expect(store.destroy({ subject: address.subject ?? '' })).rejects.toMatchObject(invalid);
    });

    it('destroys a subject: its keys, its surrogate, and nothing else', async () => {
      const [jane, john] = [await subjectOf('jane'), await subjectOf('john')];
      const hers = [addressOf(jane), addressOf(jane, 'person'), addressOf(jane, 'content', DECEMBER)];
      const others = [addressOf(john), addressOf(null)];
      await store.keysFor(hers);
      const kept = fingerprints(await store.keysFor(others));
      expect(await store.destroy({ subject: jane })).toEqual({
        outcome: 'destroyed',
        subject: jane,
        key_count: 3,
      });
      expect(await store.find(hers)).toEqual(['destroyed', 'destroyed', 'destroyed']);
      expect(await store.keysFor([...hers, addressOf(jane, 'content', '2027-01')])).toEqual(
        Array.from({ length: 4 }, () => 'destroyed'),
      );
      expect(fingerprints(await (await open()).find(others))).toEqual(kept);
      expect(await subjectOf('john')).toBe(john);
      expect(await store.destroy({ subject: jane })).toMatchObject({
        outcome: 'destroyed_before',
        key_count: 0,
      });
    });

    it('leaves of a destroyed subject its tombstone alone, which does not name the person', async () => {
      const jane = await subjectOf('jane');
      await store.keysFor([addressOf(jane), addressOf(jane, 'person')]);
      await store.destroy({ subject: jane });
      const left = [...(await everything(objects))].filter(
        ([name, bytes]) => name.includes(jane) || name.includes(nameOf('jane')) || bytes.includes(jane),
      );
      expect(left.map(([name, bytes]) => [name, bytes.toString()])).toEqual([
        [
          `destroyed-subjects/${jane.slice(0, 1)}/${jane}`,
          `{"destroyed_at":"2026-11-30T12:00:00.000Z","kind":"destroyed","scope":{"subject":"${jane}"},"v":1}\n`,
        ],
      ]);
    });

    it('destroys the subject of a name, and says where a name has none', async () => {
      const jane = await subjectOf('jane');
      await store.keysFor([addressOf(jane)]);
      const destroyed = { outcome: 'destroyed', subject: jane, key_count: 1 };
      expect(await store.destroy({ name: nameOf('jane') })).toEqual(destroyed);
      const absent = { outcome: 'absent', subject: null, key_count: 0 };
      expect(await store.destroy({ name: nameOf('jane') })).toEqual(absent);
      expect(await store.destroy({ name: nameOf('nobody') })).toEqual(absent);
    });

    it('destroys a class and month of every subject and of nobody, and keeps surrogates', async () => {
      const [jane, john] = [await subjectOf('jane'), await subjectOf('john')];
      const gone = [jane, john, null].map((subject) => addressOf(subject));
      const kept = [
        addressOf(jane, 'person'),
        addressOf(john, 'content', DECEMBER),
        addressOf(null, 'person'),
      ];
      await store.keysFor(gone);
      const before = fingerprints(await store.keysFor(kept));
      const scope = { retention_class: 'content', month: NOVEMBER } as const;
      expect(await store.destroy(scope)).toEqual({ outcome: 'destroyed', subject: null, key_count: 3 });
      const late = addressOf(await subjectOf('newcomer'));
      for (const handle of [store, await open()]) {
        expect(await handle.find(gone)).toEqual(['destroyed', 'destroyed', 'destroyed']);
        expect(await handle.keysFor([...gone, late])).toEqual(Array.from({ length: 4 }, () => 'destroyed'));
        expect(fingerprints(await handle.find(kept))).toEqual(before);
      }
      expect(await subjectOf('jane')).toBe(jane);
      expect(await store.destroy(scope)).toMatchObject({ outcome: 'destroyed_before', key_count: 0 });
    });

    it('stops giving a key in another process when its cache is old, and makes none there', async () => {
      const other = await open();
      const jane = await subjectOf('jane', other);
      const cached = addressOf(jane);
      const [key] = await other.keysFor([cached]);
      await store.destroy({ subject: jane });
      now += CACHE.maxAgeMs - 1;
      expect(fingerprints(await other.find([cached]))).toEqual([fingerprint(key)]);
      expect(await other.keysFor([addressOf(jane, 'person')])).toEqual(['destroyed']);
      expect(await subjectOf('jane', other)).not.toBe(jane);
      now += 1;
      expect(await other.find([cached])).toEqual(['destroyed']);
      expect(await other.keysFor([cached])).toEqual(['destroyed']);
    });

    it('counts each read of a key by its outcome', async () => {
      const address = addressOf(null);
      await store.find([address]);
      await store.keysFor([address, address]);
      await store.keysFor([address]);
      await (await open()).find([address]);
      await store.destroy({ retention_class: 'content', month: NOVEMBER });
      await store.find([address]);
      expect(reads).toEqual(['absent', 'created', 'cached', 'read', 'destroyed']);
    });

    it('stores keys, surrogates and names wrapped, and shows no key to a log', async () => {
      const jane = await subjectOf('jane');
      const [key] = await store.keysFor([addressOf(jane)]);
      if (typeof key === 'string' || key === undefined) throw new Error('there is a key');
      const secrets = [key.key.export(), Buffer.from(jane, 'base64url'), Buffer.from(nameOf('jane'), 'hex')];
      for (const [name, bytes] of await everything(objects)) {
        const wrapped = (JSON.parse(bytes.toString()) as { wrapped?: string }).wrapped ?? '';
        for (const secret of secrets)
          expect(Buffer.from(wrapped, 'base64url').includes(secret), name).toBe(false);
        expect(bytes.includes(key.key.export().toString('base64url')), name).toBe(false);
        expect(bytes.includes(key.key.export().toString('hex')), name).toBe(false);
      }
      const shown = `${inspect(key, { depth: 9 })}${JSON.stringify(key)}`;
      for (const form of ['hex', 'base64', 'base64url'] as const)
        expect(shown).not.toContain(key.key.export().toString(form));
      expect(JSON.stringify(key)).not.toContain(JSON.stringify([...key.key.export()]).slice(1, 12));
    });

    it('refuses a changed, cut or moved object, and never gives a key from it', async () => {
      const [jane, john] = [await subjectOf('jane'), await subjectOf('john')];
      await store.keysFor([addressOf(jane), addressOf(john)]);
      const name = `subject-keys/${jane.slice(0, 1)}/${jane}.content.${NOVEMBER}`;
      const [good] = await objects.read([name]);
      const [other] = await objects.read([`subject-keys/${john.slice(0, 1)}/${john}.content.${NOVEMBER}`]);
      const wrapped = (JSON.parse(good!.toString()) as { wrapped: string }).wrapped;
      const flipped = wrapped.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'));
      for (const bad of [
        other!,
        good!.subarray(0, -1),
        good!.subarray(0, good!.length / 2),
        Buffer.alloc(0),
        Buffer.from(good!.toString().replace(wrapped, flipped)),
        Buffer.from(good!.toString().replace('"v":1', '"v": 1')),
        Buffer.from(good!.toString().replace(/"commitment":"./, '"commitment":"_')),
      ]) {
        const [before] = await objects.read([name]);
        expect(await objects.change([{ name, from: before, to: bad }])).toEqual([true]);
        const fresh = await open();
        const damaged = { code: 'KEY_STORE_DAMAGED', place: name };
        await expect(fresh.find([addressOf(jane)])).rejects.toMatchObject(damaged);
        await expect(fresh.keysFor([addressOf(jane)])).rejects.toMatchObject(damaged);
      }
    });

    it('is not begun a second time, and not over keys that lost the name of their master key', async () => {
      const [id] = masterKeys.known.keys();
      expect(await initKeyStore(objects, masterKeys)).toBe(id);
      expect(masterKeys.known.size).toBe(1);
      await store.keysFor([addressOf(null)]);
      await objects.change([{ name: 'master-key', from: undefined, to: undefined }]);
      await expect(initKeyStore(objects, masterKeys)).rejects.toMatchObject({ code: 'START_REFUSED' });
      await expect(open()).rejects.toMatchObject({ code: 'START_REFUSED' });
    });

    it('needs its master key, and goes on when the key is there', async () => {
      const [[id, key] = never()] = [...masterKeys.known];
      masterKeys.known.clear();
      await expect(open()).rejects.toMatchObject({
        code: 'MASTER_KEY_MISSING',
        detail: expect.stringContaining(id) as string,
      });
      masterKeys.known.set(id, key);
      await open();
    });

    it('rotates the master key under readers, and the old one opens nothing afterwards', async () => {
      const people = await store.subjects(Array.from({ length: 7 }, (_, index) => nameOf(String(index))));
      const addresses = [...people, null].map((subject) => addressOf(subject));
      const keys = fingerprints(await store.keysFor(addresses));
      const reader = await open();
      const [old] = masterKeys.known.keys();
      const progress: (readonly [number, number])[] = [];
      const rotation = await rotateMasterKey({
        objects,
        masterKeys,
        clock: () => now,
        onProgress: (looked, rewrapped) => void progress.push([looked, rewrapped]),
      });
      // Seven surrogates with their ways back, and eight keys.
      expect(rotation).toMatchObject({ retired: old, rewrapped: 22, isResumed: false });
      expect(progress).toEqual([
        [22, 22],
        [22, 22],
      ]);
      expect(fingerprints(await reader.find(addresses))).toEqual(keys);
      for (const [name, bytes] of await everything(objects)) expect(bytes.includes(old!), name).toBe(false);
      masterKeys.known.delete(old!);
      const later = await open();
      expect(fingerprints(await later.find(addresses))).toEqual(keys);
      expect(await later.subjects(Array.from({ length: 7 }, (_, index) => nameOf(String(index))))).toEqual(
        people,
      );
      await later.destroy({ subject: people[0]! });
      expect(await subjectOf('0', later)).not.toBe(people[0]);
    });

    it('is closed for good', async () => {
      await store.keysFor([addressOf(null)]);
      await store.close();
      await store.close();
      await expect(store.find([addressOf(null)])).rejects.toMatchObject({ code: 'KEY_STORE_UNAVAILABLE' });
    });
  });
}

function never(): never {
  throw new Error('there is a master key');
}
