import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginGeneration, type BegunGeneration } from '../../app/begin-generation.ts';
import { createContext } from '../../app/context.ts';
import { initialise } from '../../app/deployment.ts';
import { readDeployment } from '../../app/deployment-file.ts';
import type { GenerationRequest } from '../../app/generation-plan.ts';
import { CloseStack, openLog, openSealingEngines } from '../../app/logs.ts';
import { originOfGeneration } from '../../app/paths.ts';
import { rotateLogKey } from '../../app/rotate-log-key.ts';
import { loadConfig, type Config } from '../../config.ts';
import type { EventLog } from '../../ingest/event-log.ts';
import type { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { HEAD_LOG } from '../../schemas/head-entry.ts';
import type { Archive } from '../../store/archive/archive.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { bundleKey, checkpointKey, genesisKey } from '../../store/chain/layout.ts';
import { openFolderReader } from '../../store/verify/folder-reader.ts';
import { previousIn } from '../../store/verify/previous-archive.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { appendWhole } from '../support/ledger.ts';
import { createMemoryRecordStore } from '../support/memory-record-store.ts';
import { auditRecord } from '../support/sealed-rows.ts';
import { makeTempDir } from '../support/server.ts';

/** Tests of whole deployments share a machine with others. */
const TIMEOUT_MS = 120_000;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let config: Config;
let rows: ReturnType<typeof createMemoryRecordStore>;
const at = (...names: string[]) => join(folder.path, 'data', ...names);
const old = () => join(folder.path, 'old');

beforeEach(async () => {
  folder = await makeTempDir();
  config = loadConfig(undefined, { AFFIDAVIT_DATA: at(), AFFIDAVIT_LOG_LEVEL: 'silent' });
  rows = createMemoryRecordStore();
});
afterEach(() => folder.remove());

interface Replaced {
  readonly archive?: Archive;
  readonly eventLog?: EventLog;
}
const contextOf = (replaced: Replaced = {}) => createContext(config, { ...replaced, records: rows });

/** Begins a generation. The engine of a record store drops what an earlier one held; the one of these tests is exchanged. */
function begin(replaced: Replaced, request: GenerationRequest): Promise<BegunGeneration> {
  rows = createMemoryRecordStore();
  return beginGeneration(contextOf(replaced), request);
}

/** Where the writers of the event log stand. */
const writersAt = (number: number) => ({
  key_sha256: 'e'.repeat(64),
  heads: [
    {
      writer: '1'.repeat(32),
      number,
      mac: 'a'.repeat(64),
      // Later than any leaf, as a thief would have it: a kept checkpoint covers no header.
      received_at: '2099-01-01T00:00:00.000Z',
    },
  ],
});

async function seal(...names: readonly string[]): Promise<void> {
  const context = contextOf();
  const { deployment } = await initialise(context);
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack);
    const { ledger } = stack.keep(await openLog(context, engines, deployment.logs[0]!));
    for (const name of names) {
      const next = ledger.nextOffset() + 1n;
      await appendWhole(ledger, {
        records: [auditRecord(name, { received_at: new Date().toISOString() })],
        next_offset: next,
        duplicate_count: 0,
        event_log: deployment.event_log,
        writers: writersAt(Number(next)),
      });
    }
  } finally {
    await stack.close();
  }
}

/** Seals, keeps the checkpoint of two records elsewhere, seals more, and moves the archive away. */
async function stealAfterTwo(): Promise<GenerationRequest> {
  await seal('one', 'two');
  const note = await readFile(at('archive', checkpointKey('p0', 2)), 'utf8');
  await seal('three');
  await rename(at('archive'), old());
  return { previous: old(), trusted: [{ name: 'kept', note }], trustNothingOf: [] };
}

const genesisOf = async (dir: string, log = 'p0') =>
  JSON.parse(await readFile(join(dir, genesisKey(log)), 'utf8')) as LogGenesis;
const headerAt = async (start: number, log = 'p0') => {
  const { headerText } = decodeBundle(await readFile(at('archive', bundleKey(log, start))));
  return JSON.parse(headerText) as BundleHeader;
};
/** An event log whose first entry has this offset. */
async function eventLogFrom(first: bigint): Promise<EventLog> {
  const { event_log: id } = (await readDeployment(config))!;
  const settle = (_: number, from: bigint | undefined) => Promise.resolve(from ?? first);
  return { id, settle } as unknown as EventLog;
}
const verifyBoth = (pinned?: string) =>
  verifyArchive({
    dir: at('archive'),
    ...(pinned === undefined ? {} : { pinnedVkeys: [pinned] }),
    checkPrevious: previousIn(openFolderReader(old()), {}),
  });

describe('the name of a log of a later generation', () => {
  it.each([
    ['log.example/agents', 2, 'log.example/agents/g2'],
    ['log.example/agents/g2', 3, 'log.example/agents/g3'],
    ['log.example/p1', 2, 'log.example/g2/p1'],
    ['log.example/g2/p1', 3, 'log.example/g3/p1'],
    ['log.example/g9/p12', 10, 'log.example/g10/p12'],
    // The operator called it so before there was a second generation.
    ['log.example/g1', 2, 'log.example/g1/g2'],
  ])('%s, %i is %s', (origin, generation, name) => {
    expect(originOfGeneration(origin, generation)).toBe(name);
  });
});

describe('a new generation', () => {
  it(
    'continues the old logs from the trusted heads, under new keys and origins',
    async () => {
      const request = await stealAfterTwo();
      const before = await genesisOf(old());
      const keys = await readFile(at('keys/signing-key.pem'), 'utf8');
      const { isResumed, plan } = await begin({}, request);
      expect([isResumed, plan.generation]).toEqual([false, 2]);
      const genesis = await genesisOf(at('archive'));
      expect(genesis).toMatchObject({
        origin: originOfGeneration(before.origin, 2),
        continues: { generation: 2, origin: before.origin, checkpoint: request.trusted[0]!.note },
      });
      expect([genesis.vkey, genesis.package_key]).not.toEqual([before.vkey, before.package_key]);
      expect(await readFile(at('keys/signing-key.pem'), 'utf8')).not.toBe(keys);
      expect(plan.logs).toMatchObject([{ vkey: genesis.vkey, package_key: genesis.package_key }]);
      expect((await readDeployment(config))?.logs).toEqual([{ log: 'p0', origin: genesis.origin }]);
      for (const name of ['generation.next.json', 'generation-signing-key.next.pem'])
        expect(existsSync(at('keys', name))).toBe(false);
      expect(rows.rows.map(({ type }) => type)).toEqual(['generation.begun']);
      await seal('four');
      const report = await verifyBoth(genesis.vkey);
      expect(report).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key', tree_size: 2 });
      expect(report.notices).toMatchObject([{ code: 'untrusted_tail' }]);
      expect(report.head_log).toMatchObject({ entry_count: 1 });
    },
    TIMEOUT_MS,
  );

  it(
    'may itself be continued by a third one, and its keys may rotate',
    async () => {
      await begin({}, await stealAfterTwo());
      await rotateLogKey(contextOf());
      await seal('four');
      const note = await readFile(at('archive', checkpointKey('p0', 3)), 'utf8');
      await rm(old(), { recursive: true });
      await rename(at('archive'), old());
      const request = { previous: old(), trusted: [{ name: 'kept', note }], trustNothingOf: [] };
      const { plan } = await begin({}, request);
      expect(plan.generation).toBe(3);
      expect(plan.logs[0]!.origin).toMatch(/[^2]\/g3\/p0$/);
      expect(await verifyBoth()).toMatchObject({ ok: true, continues: [{ trusted_tree_size: 3 }] });
    },
    TIMEOUT_MS,
  );

  it('reads the event log from the trusted bundle on, with the writers of that bundle', async () => {
    const request = await stealAfterTwo();
    await begin({ eventLog: await eventLogFrom(0n) }, request);
    const { event_log } = (await readDeployment(config))!;
    expect(await headerAt(0)).toMatchObject({ next_offset: '2', event_log, writers: writersAt(2) });
  });

  it('reads it from the first entry that is left, where later ones were removed, and says since when by the trusted leaves', async () => {
    const request = await stealAfterTwo();
    await begin({ eventLog: await eventLogFrom(7n) }, request);
    expect(await headerAt(0)).toMatchObject({ next_offset: '7', writers: writersAt(2) });
    const { leafTexts } = decodeBundle(await readFile(join(old(), bundleKey('p0', 1))));
    const { received_at: missing_since } = JSON.parse(leafTexts[0]!) as { received_at: string };
    expect(rows.rows).toMatchObject([{ missing_since, trusted_tree_size: 2 }]);
  });

  it('may trust nothing, and says so', async () => {
    const request = { ...(await stealAfterTwo()), trusted: [], trustNothingOf: ['p0'] };
    await begin({ eventLog: await eventLogFrom(7n) }, request);
    expect((await genesisOf(at('archive'))).continues).not.toHaveProperty('checkpoint');
    const header = await headerAt(0);
    expect(header).toMatchObject({ next_offset: '7' });
    expect(header).not.toHaveProperty('writers');
    expect(await verifyBoth()).toMatchObject({
      ok: true,
      continues: [{ trusted_tree_size: 0, trusted_root_hash: null }],
    });
  });
});

describe('a new generation is refused', () => {
  const refused = (detail: string, code = 'START_REFUSED') => ({
    code,
    message: expect.stringContaining(detail) as string,
  });

  it('where the archive still holds a log', async () => {
    const request = await stealAfterTwo();
    await rename(old(), at('archive'));
    const here = { ...request, previous: at('archive') };
    await expect(begin({}, here)).rejects.toMatchObject(refused('holds a log'));
  });

  it('without a trusted head of each log, or with others', async () => {
    const request = await stealAfterTwo();
    const headNote = await readFile(join(old(), checkpointKey('p0', 3)), 'utf8');
    const wrong: readonly (readonly [Partial<GenerationRequest>, string])[] = [
      [{ trusted: [] }, 'no trusted checkpoint'],
      [{ trustNothingOf: ['p0'] }, 'is given up'],
      [{ trusted: [], trustNothingOf: ['p1'] }, 'there is no log p1'],
      [{ trusted: [...request.trusted, { name: 'second', note: headNote }] }, 'second checkpoint'],
      [{ trusted: [{ name: 'nonsense', note: 'nonsense' }] }, 'not a checkpoint'],
    ];
    for (const [change, detail] of wrong)
      await expect(begin({}, { ...request, ...change })).rejects.toMatchObject(
        refused(detail, 'USAGE_INVALID'),
      );
    expect(existsSync(at('keys/generation.next.json'))).toBe(false);
  });

  it('where the old archive does not verify up to the trusted head', async () => {
    const request = await stealAfterTwo();
    await rm(join(old(), bundleKey('p0', 1)));
    await expect(begin({}, request)).rejects.toMatchObject(
      refused('does not verify up to the trusted heads'),
    );
    expect(existsSync(at('archive', genesisKey(HEAD_LOG)))).toBe(false);
    expect(existsSync(at('keys/generation-signing-key.next.pem'))).toBe(false);
  });

  it('while the keys change, and the other way round', async () => {
    const request = await stealAfterTwo();
    await writeFile(at('keys/signing-key.next.pem'), '');
    await expect(begin({}, request)).rejects.toMatchObject(refused('signing-key.next.pem'));
    await rm(at('keys/signing-key.next.pem'));
    await writeFile(at('keys/generation.next.json'), '{}');
    await expect(rotateLogKey(contextOf())).rejects.toMatchObject(refused('generation.next.json'));
  });
});

/** An archive that ends its process at one of its writes: nothing is answered any more. */
function dyingAt(archive: Archive, write: number, isApplied: boolean): Archive {
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
  };
}

describe('the beginning of a generation that is killed', () => {
  it(
    'at any write is completed by the next run with the same plan, and nothing is sealed before that',
    async () => {
      const request = await stealAfterTwo();
      const keyFiles = ['signing-key', 'package-key'].map((name) => at(`keys/${name}.pem`));
      const first = await Promise.all(keyFiles.map((path) => readFile(path)));
      const deployment = await readFile(at('keys/deployment.json'));
      const open = () => openLocalArchive({ dir: at('archive'), clock: Date.now });
      let died = 0;
      let isDone = false;
      for (let write = 1; !isDone; write += 1) {
        for (const isApplied of [false, true]) {
          const place = `write ${String(write)}, ${isApplied ? 'applied' : 'not applied'}`;
          const archive = dyingAt(await open(), write, isApplied);
          const outcome = await begin({ archive }, request).catch((error: unknown) => error);
          if (outcome instanceof Error) {
            expect(outcome.message, place).toContain('dead');
            await expect(seal('between'), place).rejects.toMatchObject({
              code: 'START_REFUSED',
              hint: expect.stringContaining('begin-generation') as string,
            });
            const plan = JSON.parse(await readFile(at('keys/generation.next.json'), 'utf8')) as object;
            expect(await begin({}, request), place).toEqual({ isResumed: true, plan });
            died += 1;
          } else isDone = true;
          await seal(place);
          expect(await verifyBoth(), place).toMatchObject({ ok: true, tree_size: 2 });
          expect(rows.rows.map(({ type }) => type)[0], place).toBe('generation.begun');
          // As it was before: the old keys, the old names, no archive.
          for (const [position, path] of keyFiles.entries()) await writeFile(path, first[position]!);
          await writeFile(at('keys/deployment.json'), deployment);
          await rm(at('archive'), { recursive: true });
          await rm(at('keys/head-guard.json'), { force: true });
          await rm(at(`keys/head-guard-${HEAD_LOG}.json`), { force: true });
        }
      }
      // Two geneses, the payload, bundle and checkpoint of the log, the bundle and checkpoint of the head log.
      expect(died).toBeGreaterThanOrEqual(14);
    },
    2 * TIMEOUT_MS,
  );

  it('is not completed with other heads than those of the first run', async () => {
    const request = await stealAfterTwo();
    const archive = dyingAt(await openLocalArchive({ dir: at('archive'), clock: Date.now }), 1, false);
    await begin({ archive }, request).catch(() => undefined);
    const other = { ...request, trusted: [], trustNothingOf: ['p0'] };
    await expect(begin({}, other)).rejects.toMatchObject({ code: 'START_REFUSED' });
    await begin({}, request);
  });

  it('between the steps in the keys folder goes on', async () => {
    const request = await stealAfterTwo();
    const archive = dyingAt(await openLocalArchive({ dir: at('archive'), clock: Date.now }), 2, false);
    await begin({ archive }, request).catch(() => undefined);
    await rename(at('keys/generation-package-key.next.pem'), at('keys/package-key.pem'));
    const { isResumed, plan } = await begin({}, request);
    expect(isResumed).toBe(true);
    await seal('four');
    expect(await verifyBoth(plan.logs[0]!.vkey)).toMatchObject({ ok: true, tree_size: 2 });
  });
});
