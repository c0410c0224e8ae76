import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { lockFileName } from '../../schemas/archive-lock.ts';
import { PACKAGE_PATHS } from '../../schemas/evidence-package.ts';
import { bundleKey, genesisKey, payloadKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { formatLockFile } from '../../store/verify/lock-file.ts';
import { verifyPath } from '../../store/verify/verify-path.ts';
import { buildReport, createFindings, NOTHING_ESTABLISHED } from '../../store/verify/report.ts';
import { openEngine } from '../../store/records/clickhouse/client.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import type { RecordStore } from '../../store/records/record-store.ts';
import { verifyRecordStore } from '../../store/verify/store/store-verification.ts';
import { filesBelow } from '../support/archive-folder.ts';
import { createMemoryKeyStore } from '../support/memory-key-store.ts';
import { chdbPlace } from '../support/chdb-store.ts';
import { createTestLog, createTestSigner, testLock } from '../support/ledger.ts';
import { buildTestPackage, type TestPackage } from '../support/package-builder.ts';
import {
  appendTo,
  copyOf,
  keptAt,
  putObject,
  removeCheckpoints,
  sealArchive,
  signHead,
  TREE_SIZE,
  type SealedArchive,
} from './forge.ts';

const clock = () => Date.UTC(2026, 10, 21, 9);
let place: Awaited<ReturnType<typeof chdbPlace>>;
let store: RecordStore;
let sealed: SealedArchive;

beforeAll(async () => {
  place = await chdbPlace();
  store = await place.open();
  sealed = await sealArchive({ records: store });
});
afterAll(async () => {
  await store.close();
  await place.remove();
  await sealed.dispose();
});

async function eachFile(dir: string, work: (path: string) => Promise<void>): Promise<void> {
  for (const file of await filesBelow(dir)) await work(join(dir, file));
}

/** A payload object that a writer left who died before its bundle. */
async function leavePayload(dir: string, start: number): Promise<void> {
  const bytes = Buffer.from(`left at ${String(start)}`);
  await putObject(dir, payloadKey('p0', start, sha256Hex(bytes)), bytes);
}

/** A lock file that a writer left who died before linking the object. */
async function leaveLock(dir: string, key: string): Promise<void> {
  const sha256 = sha256Hex('lost');
  const lock = { v: 1, key, sha256, size_bytes: 4, legal_hold: false, ...testLock() } as const;
  await writeFile(join(dir, lockFileName(key, sha256)), formatLockFile(lock));
}

interface Harmless {
  readonly name: string;
  readonly change: (dir: string) => Promise<unknown>;
  readonly notices?: readonly string[];
  readonly treeSize?: number;
}

const ON_ARCHIVES: readonly Harmless[] = [
  {
    name: 'other file times',
    change: (dir) => eachFile(dir, (path) => utimes(path, new Date(0), new Date(86_400_000))),
  },
  { name: 'other file modes', change: (dir) => eachFile(dir, (path) => chmod(path, 0o644)) },
  {
    name: 'a copy file by file, without empty folders',
    change: async (dir) => {
      const files = await filesBelow(dir);
      for (const file of files) {
        await mkdir(dirname(join(dir, 'copy', file)), { recursive: true });
        await copyFile(join(dir, file), join(dir, 'copy', file));
      }
      for (const name of await readdir(dir))
        if (name !== 'copy') await rm(join(dir, name), { recursive: true });
      await rename(join(dir, 'copy', 'log'), join(dir, 'log'));
      await rm(join(dir, 'copy'), { recursive: true });
    },
  },
  {
    name: 'half-written files in the staging folder',
    change: async (dir) => {
      await mkdir(join(dir, '.staging/put-abc'), { recursive: true });
      await writeFile(join(dir, '.staging/put-abc/object'), 'half');
    },
  },
  {
    name: 'a payload of no bundle at the end',
    change: (dir) => leavePayload(dir, 30),
    notices: ['leftover'],
  },
  {
    name: 'a payload of no bundle at the start of one',
    change: (dir) => leavePayload(dir, 15),
    notices: ['leftover'],
  },
  {
    name: 'the lock file of a bundle that was never linked',
    change: (dir) => leaveLock(dir, bundleKey('p0', 30)),
    notices: ['leftover'],
  },
  {
    name: 'the lock file of a bundle that lost the race for its place',
    change: (dir) => leaveLock(dir, bundleKey('p0', 15)),
    notices: ['leftover'],
  },
  {
    name: 'a newest bundle without checkpoint',
    change: (dir) => removeCheckpoints(dir, [30]),
    notices: ['unpublished_tail'],
  },
  {
    name: 'the empty folder of a log whose creation was interrupted',
    change: (dir) => mkdir(join(dir, 'log/p1')),
    notices: ['leftover'],
  },
  {
    name: 'the lock file of a genesis that was never linked',
    change: async (dir) => {
      await mkdir(join(dir, 'log/p1'));
      await leaveLock(dir, genesisKey('p1'));
    },
    notices: ['leftover'],
  },
  {
    name: 'an object that was put again with a later date',
    change: async (dir) => {
      const archive = await openLocalArchive({ dir, clock });
      const bytes = await archive.get(genesisKey('p0'));
      const lock = { mode: 'governance', retain_until: '2044-01-01T00:00:00.000Z' } as const;
      expect(await archive.put(genesisKey('p0'), bytes!, lock)).toBe('exists');
    },
  },
  {
    name: 'a start that had nothing to do',
    change: (dir) => appendTo(dir, sealed.signer, [], 0),
  },
  {
    name: 'a log that went on',
    change: (dir) => appendTo(dir, sealed.signer, [2, 9], 500),
    treeSize: TREE_SIZE + 11,
  },
];

describe('an archive raises no alarm after', () => {
  it.each(ON_ARCHIVES)('$name', async ({ change, notices = [], treeSize = TREE_SIZE }) => {
    const copy = await copyOf(sealed.dir);
    await change(copy.dir);
    const report = await verifyArchive({
      dir: copy.dir,
      pinnedVkeys: [sealed.signer.vkey],
      keptCheckpoints: [await keptAt(sealed.dir, 15), await keptAt(sealed.dir, 30)],
    });
    await copy.dispose();
    expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key', failures: [] });
    expect(report.notices.map(({ code }) => code)).toEqual(notices);
    expect(report.tree_size).toBe(treeSize);
  });

  it('being reached through a symbolic link, or as part of a data folder', async () => {
    const copy = await copyOf(sealed.dir);
    await symlink(copy.dir, `${copy.dir}-link`);
    expect(await verifyPath(`${copy.dir}-link`)).toMatchObject({ ok: true, tree_size: TREE_SIZE });
    await rm(`${copy.dir}-link`);
    await mkdir(`${copy.dir}-data`);
    await rename(copy.dir, join(`${copy.dir}-data`, 'archive'));
    expect(await verifyPath(`${copy.dir}-data`)).toMatchObject({ ok: true, tree_size: TREE_SIZE });
    await rm(`${copy.dir}-data`, { recursive: true });
  });

  it('a witness put its signature on the kept checkpoint too', async () => {
    const kept = await keptAt(sealed.dir, 15);
    const witness = createTestSigner('witness.example/w1');
    const theirs = await signHead(witness, { tree_size: 15, root_hash: '0'.repeat(64) });
    const note = `${kept.note}${theirs.slice(theirs.indexOf('\n\n') + 2)}`;
    expect(await verifyArchive({ dir: sealed.dir, keptCheckpoints: [{ name: 'both', note }] })).toMatchObject(
      {
        ok: true,
        failures: [],
      },
    );
  });

  it('being written to while it is verified against a head that was kept', async () => {
    const copy = await copyOf(sealed.dir);
    const kept = [await keptAt(copy.dir, 30)];
    const writing = new AbortController();
    const verifying = (async () => {
      const reports = [];
      while (!writing.signal.aborted)
        reports.push(await verifyArchive({ dir: copy.dir, keptCheckpoints: kept }));
      return reports;
    })();
    await appendTo(copy.dir, sealed.signer, [3, 3, 3, 3, 3, 3], 700);
    writing.abort();
    for (const report of await verifying) expect(report).toMatchObject({ ok: true, failures: [] });
    await copy.dispose();
  });
});

type Entry = readonly [name: string, text: string];

/** Packs files as another tool would. */
async function repack(
  built: TestPackage,
  files: Iterable<Entry>,
  options: { readonly compress: boolean; readonly compressionLevel?: number; readonly mtime: Date },
): Promise<string> {
  const zip = new ZipFile();
  const path = join(built.dir, 'repacked.zip');
  const written = pipeline(zip.outputStream, createWriteStream(path));
  for (const [name, text] of files) zip.addBuffer(Buffer.from(text), name, options);
  zip.end();
  await written;
  return path;
}

describe('a package raises no alarm after', () => {
  let built: TestPackage;
  beforeAll(async () => {
    built = await buildTestPackage();
  });
  afterAll(() => built.dispose());
  const mtime = new Date(2026, 4, 5, 6, 7, 8);

  it.each([
    ['being packed again without compression', { compress: false, mtime }],
    ['being packed again with the fastest compression', { compress: true, compressionLevel: 1, mtime }],
    ['being packed again with the best compression', { compress: true, compressionLevel: 9, mtime }],
    ['being packed again with other times', { compress: true, mtime: new Date(1990, 1, 1) }],
  ])('%s', async (_, options) => {
    const path = await repack(built, built.files, options);
    expect(await verifyPath(path)).toMatchObject({ ok: true, kind: 'package', failures: [] });
  });

  it('being packed again in another order', async () => {
    const path = await repack(built, [...built.files].toReversed(), { compress: true, mtime });
    expect(await verifyPath(path)).toMatchObject({ ok: true, failures: [] });
  });

  it('being copied under another name, with other times and modes', async () => {
    const path = join(built.dir, 'renamed.bin');
    await copyFile(built.path, path);
    await utimes(path, new Date(0), new Date(0));
    await chmod(path, 0o444);
    const note = built.files.get(PACKAGE_PATHS.checkpoint)!;
    const options = { pinnedVkeys: [built.vkey], keptCheckpoints: [{ name: 'its own', note }] };
    expect(await verifyPath(path, options)).toMatchObject({ ok: true, failures: [], notices: [] });
  });
});

describe('the record store raises no alarm after', () => {
  let engine: ClickHouseClient;
  beforeAll(() => {
    engine = openEngine({ kind: 'chdb', path: join(place.dir, 'engine') }).client;
  });
  afterAll(() => engine.close());

  const run = async (...statements: string[]) => {
    for (const query of statements) await engine.command({ query });
  };

  const HARMLESS: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['its parts were merged', () => run('OPTIMIZE TABLE records FINAL')],
    [
      'its rows were written again in another order',
      () =>
        run(
          'CREATE TABLE aside AS records',
          'INSERT INTO aside SELECT * FROM records ORDER BY cityHash64(id)',
          'TRUNCATE TABLE records',
          'INSERT INTO records SELECT * FROM aside ORDER BY leaf_index DESC SETTINGS insert_deduplicate = 0',
          'DROP TABLE aside',
        ),
    ],
    [
      'each row became a part of its own, and parts were merged',
      () =>
        run(
          'CREATE TABLE aside AS records',
          'INSERT INTO aside SELECT * FROM records',
          'TRUNCATE TABLE records',
          ...[0, 1, 2].map(
            (rest) =>
              `INSERT INTO records SELECT * FROM aside WHERE leaf_index % 3 = ${String(rest)} SETTINGS insert_deduplicate = 0`,
          ),
          'DROP TABLE aside',
          'OPTIMIZE TABLE records',
        ),
    ],
    [
      'a partition was detached and attached',
      () =>
        run(
          `ALTER TABLE records DETACH PARTITION (202611, 'file')`,
          `ALTER TABLE records ATTACH PARTITION (202611, 'file')`,
        ),
    ],
    ['its table was detached and attached', () => run('DETACH TABLE records', 'ATTACH TABLE records')],
    ['an index of it was built anew', () => run('ALTER TABLE records MATERIALIZE INDEX id_filter')],
    [
      'it was rebuilt from the archive',
      async () => {
        await store.clear();
        const archive = await openLocalArchive({ dir: sealed.dir, clock });
        await openLedger(await createTestLog({ archive, records: store, signer: sealed.signer, clock }));
      },
    ],
  ];

  it.each(HARMLESS)('%s', async (_, change) => {
    await change();
    const findings = createFindings();
    const archive = await openLocalArchive({ dir: sealed.dir, clock });
    await verifyRecordStore({
      archive,
      dataKeys: createMemoryKeyStore(),
      records: store,
      logs: ['p0'],
      findings,
    });
    const report = buildReport(findings, { ...NOTHING_ESTABLISHED, kind: 'record_store' });
    expect(report).toMatchObject({ ok: true, failures: [], notices: [] });
    expect(await store.size('p0')).toBe(TREE_SIZE);
  });
});
