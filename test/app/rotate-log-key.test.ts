import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createContext } from '../../app/context.ts';
import { initialise } from '../../app/deployment.ts';
import { CloseStack, openLog, openSealingEngines } from '../../app/logs.ts';
import { createNextSigningKey, openFileSigner } from '../../store/keys/file-signer.ts';
import { rotateLogKey, type LogKeyRotation } from '../../app/rotate-log-key.ts';
import { loadConfig, type Config } from '../../config.ts';
import type { BundleHeader } from '../../schemas/bundle.ts';
import { HEAD_LOG, type HeadEntry } from '../../schemas/head-entry.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { bundleKey, checkpointKey, genesisKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { packageKeyName } from '../../store/chain/key-history.ts';
import { parseNote } from '../../store/chain/note.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { appendWhole } from '../support/ledger.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { auditRecord } from '../support/sealed-rows.ts';
import { makeTempDir } from '../support/server.ts';

/** Tests of whole deployments share a machine with others. */
const TIMEOUT_MS = 60_000;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
let archive: Archive;
let rows: ReturnType<typeof createMemoryRecordStore>;
const at = (...names: string[]) => join(folder.path, 'data', ...names);

beforeEach(async () => {
  folder = await makeTempDir();
  config = loadConfig(undefined, { AFFIDAVIT_DATA: at(), AFFIDAVIT_LOG_LEVEL: 'silent' });
  archive = await openLocalArchive({ dir: at('archive'), clock: Date.now });
  rows = createMemoryRecordStore();
});
afterEach(async () => {
  await archive.close();
  await folder.remove();
});

/** A process on the deployment, with an archive that may end it. */
const contextOf = (used: Archive = archive) => createContext(config, { archive: used, records: rows });

async function seal(...names: readonly string[]): Promise<void> {
  const context = contextOf();
  const { deployment } = await initialise(context);
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack);
    const { ledger } = stack.keep(await openLog(context, engines, deployment.logs[0]!));
    for (const name of names) {
      const records = [auditRecord(name, { received_at: new Date().toISOString() })];
      const next_offset = ledger.nextOffset() + 1n;
      await appendWhole(ledger, { records, next_offset, duplicate_count: 0 });
    }
  } finally {
    await stack.close();
  }
}

const rotate = (used?: Archive): Promise<LogKeyRotation> => rotateLogKey(contextOf(used));
const keyOf = async (log: string) => {
  const genesis = JSON.parse(await readFile(at('archive', genesisKey(log)), 'utf8')) as { vkey: string };
  return genesis.vkey;
};
const noteAt = (log: string, size: number) => readFile(at('archive', checkpointKey(log, size)), 'utf8');
const headersOf = async (log: string) => {
  const headers: BundleHeader[] = [];
  for (let start = 0; existsSync(at('archive', bundleKey(log, start)));) {
    const { headerText } = decodeBundle(await readFile(at('archive', bundleKey(log, start))));
    const header = JSON.parse(headerText) as BundleHeader;
    headers.push(header);
    start = header.tree_size;
  }
  return headers;
};

const packageKeyAtHand = async () => {
  const genesis = JSON.parse(await readFile(at('archive', genesisKey('p0')), 'utf8')) as { origin: string };
  return (await openFileSigner(at('keys/package-key.pem'), packageKeyName(genesis.origin))).vkey;
};

describe('a deployment that changes the key of its logs', () => {
  it(
    'has every log under the next key, and each change is evidence under the first one',
    async () => {
      await seal('one', 'two');
      const before = await readFile(at('keys/signing-key.pem'), 'utf8');
      const { isResumed, logs } = await rotate();
      expect(isResumed).toBe(false);
      expect(logs.map(({ log, tree_size }) => [log, tree_size])).toEqual([
        ['p0', 3],
        [HEAD_LOG, 1],
      ]);
      expect(await readFile(at('keys/signing-key.pem'), 'utf8')).not.toBe(before);
      expect(existsSync(at('keys/signing-key.next.pem'))).toBe(false);
      expect(existsSync(at('keys/package-key.next.pem'))).toBe(false);
      const [change] = (await headersOf('p0')).filter(({ next_vkey }) => next_vkey !== undefined);
      expect(change).toMatchObject({ next_package_key: logs[0]!.new_package_key });
      expect(await packageKeyAtHand()).toBe(logs[0]!.new_package_key);
      expect((await headersOf(HEAD_LOG))[0]).not.toHaveProperty('next_package_key');
      await seal('three');
      const pinnedVkeys = [await keyOf('p0'), logs[0]!.new_vkey];
      for (const vkey of pinnedVkeys) {
        const report = await verifyArchive({ dir: at('archive'), pinnedVkeys: [vkey] });
        expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key', tree_size: 4 });
      }
      expect(rows.rows.map(({ type }) => type).filter((type) => type === 'key.rotated')).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  it(
    'names in the head log the head that both keys signed',
    async () => {
      await seal('one');
      await rotate();
      const { leafTexts } = decodeBundle(await readFile(at('archive', bundleKey(HEAD_LOG, 0))));
      const { heads } = JSON.parse(leafTexts[0]!) as HeadEntry;
      const note = await noteAt('p0', 2);
      expect(heads).toMatchObject([{ log: 'p0', tree_size: 2, note_sha256: sha256Hex(note) }]);
      expect([note, await noteAt(HEAD_LOG, 1)].map((one) => parseNote(one)!.signatures.length)).toEqual([
        2, 2,
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'may do so again',
    async () => {
      await seal('one');
      const first = await rotate();
      const second = await rotate();
      expect(second.logs.map(({ old_vkey }) => old_vkey)).toEqual(first.logs.map(({ new_vkey }) => new_vkey));
      await seal('two');
      expect(await verifyArchive({ dir: at('archive') })).toMatchObject({ ok: true, tree_size: 4 });
    },
    TIMEOUT_MS,
  );

  it('refuses a next key that a log had before, and changes nothing', async () => {
    await seal('one');
    await writeFile(at('keys/signing-key.next.pem'), await readFile(at('keys/signing-key.pem')), {
      mode: 0o600,
    });
    // The logs are under this key already, so there is nothing to change.
    expect((await rotate()).logs.map(({ isResumed }) => isResumed)).toEqual([true, true]);
    const old = await readFile(at('keys/signing-key.pem'));
    await rotate();
    await writeFile(at('keys/signing-key.next.pem'), old, { mode: 0o600 });
    const before = await headersOf('p0');
    await expect(rotate()).rejects.toMatchObject({ code: 'START_REFUSED' });
    expect(await headersOf('p0')).toEqual(before);
  });
});

/** An archive that ends its process at one of its writes: nothing is answered any more. */
function dyingAt(write: number, isApplied: boolean): Archive & { readonly writes: () => number } {
  let writes = 0;
  let isDead = false;
  const alive = <T>(work: () => Promise<T>): Promise<T> =>
    isDead ? Promise.reject(new Error('the process is dead')) : work();
  return {
    ...archive,
    get: (key) => alive(() => archive.get(key)),
    put: (key, bytes, lock) =>
      alive(async () => {
        writes += 1;
        if (writes !== write) return archive.put(key, bytes, lock);
        isDead = true;
        if (isApplied) await archive.put(key, bytes, lock);
        throw new Error('the process is dead');
      }),
    writes: () => writes,
  };
}

describe('a change of key that is killed', () => {
  it(
    'at any write is completed by the next run, and nothing is sealed before that',
    async () => {
      await seal('one');
      const counting = dyingAt(Number.POSITIVE_INFINITY, false);
      await rotate(counting);
      // Payload, bundle and checkpoint of the log, bundle and checkpoint of the head log; heads that are there are put again.
      expect(counting.writes()).toBeGreaterThanOrEqual(5);
      for (let write = 1; write <= counting.writes(); write += 1) {
        for (const isApplied of [false, true]) {
          const place = `write ${String(write)}, ${isApplied ? 'applied' : 'not applied'}`;
          const before = await headersOf('p0');
          await expect(rotate(dyingAt(write, isApplied)), place).rejects.toThrow('dead');
          await expect(seal('between'), place).rejects.toMatchObject({
            code: 'START_REFUSED',
            hint: expect.stringContaining('rotate-log-key') as string,
          });
          expect(await rotate(), place).toMatchObject({ isResumed: true });
          await seal(`after ${place}`);
          const after = await headersOf('p0');
          expect(after.slice(0, before.length), place).toEqual(before);
          expect(
            after.slice(before.length).map(({ next_vkey }) => next_vkey !== undefined),
            place,
          ).toEqual([true, false]);
          const pinnedVkeys = [await keyOf('p0')];
          const report = await verifyArchive({ dir: at('archive'), pinnedVkeys });
          expect([report.failures, report.anchoring], place).toEqual([[], 'signed_by_pinned_key']);
        }
      }
      const indexes = rows.rows.map(({ leaf_index }) => leaf_index);
      expect(indexes).toEqual(indexes.map((_, index) => index));
    },
    2 * TIMEOUT_MS,
  );

  const REFUSED = {
    code: 'START_REFUSED',
    hint: expect.stringContaining('rotate-log-key') as string,
  };
  const keyFiles = ['signing-key', 'package-key'] as const;
  const readKeys = (suffix: 'pem' | 'next.pem') =>
    Promise.all(keyFiles.map((name) => readFile(at('keys', `${name}.${suffix}`), 'utf8')));

  it('before any log knows the next keys goes on with these keys', async () => {
    await seal('one');
    await rotate(dyingAt(1, false)).catch(() => undefined);
    const next = await readKeys('next.pem');
    await rotate();
    expect(await readKeys('pem')).toEqual(next);
  });

  it('between the two next keys goes on with the one that is there', async () => {
    await seal('one');
    await createNextSigningKey(at('keys/package-key.next.pem'));
    const next = await readFile(at('keys/package-key.next.pem'), 'utf8');
    await expect(seal('between')).rejects.toMatchObject(REFUSED);
    await rotate();
    expect(await readFile(at('keys/package-key.pem'), 'utf8')).toBe(next);
    expect((await headersOf('p0')).at(-1)).toMatchObject({ next_package_key: await packageKeyAtHand() });
  });

  it('between the two last steps keeps the package key that the logs name', async () => {
    await seal('one');
    const counting = dyingAt(Number.POSITIVE_INFINITY, false);
    await rotate(counting);
    await expect(rotate(dyingAt(counting.writes(), true))).rejects.toThrow('dead');
    const next = await readKeys('next.pem');
    await rename(at('keys/package-key.next.pem'), at('keys/package-key.pem'));
    await expect(seal('between')).rejects.toMatchObject(REFUSED);
    const before = await headersOf('p0');
    expect(await rotate()).toMatchObject({ isResumed: true });
    expect(await headersOf('p0')).toEqual(before);
    expect(await readKeys('pem')).toEqual(next);
    expect(keyFiles.map((name) => existsSync(at('keys', `${name}.next.pem`)))).toEqual([false, false]);
    await seal('two');
  });
});
