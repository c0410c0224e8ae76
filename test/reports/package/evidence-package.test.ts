import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Framework } from '../../../reports/controls/control.ts';
import { SOC2 } from '../../../reports/frameworks/soc2/soc2.ts';
import { createPackageBuilder } from '../../../reports/package/evidence-package.ts';
import { recordPopulation, recordRule } from '../../../reports/populations/population.ts';
import type { PackageManifest, PackageRecord, PackageResults } from '../../../schemas/evidence-package.ts';
import { sha256Hex } from '../../../store/chain/leaf.ts';
import { leafHash } from '../../../store/chain/merkle.ts';
import { openContainer } from '../../../store/verify/container.ts';
import { verifyPackage } from '../../../store/verify/verify-package.ts';
import { createFindings } from '../../../store/verify/report.ts';
import type { PublishedLog } from '../../../store/ledger/published-log.ts';
import type { RecordRow } from '../../../store/records/record-store.ts';
import { createTestSigner, packageSignerOf, testGenesis } from '../../support/ledger.ts';
import { readRecording, RECORDING_NAMES } from '../../support/recorded-records.ts';
import { sealedRows } from '../../support/sealed-rows.ts';
import { agentWeek } from '../agent-week.ts';
import { pdfPages } from '../render/pdf-text.ts';
import { openTestStore, publishedBy, type TestStore } from '../support.ts';

const MARCH = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };
const NOVEMBER = { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' };
const run = promisify(execFile);
/** Not every machine that runs the tests has the tools of an auditor. */
const HAS_TOOLS = ['bash', 'jq', 'openssl', 'sha256sum'].every(
  (tool) => spawnSync('which', [tool]).status === 0,
);

type Files = ReadonlyMap<string, Buffer>;

/** A framework that nobody has: one control over the prompts of a period. */
const HOUSE_RULES: Framework = {
  id: 'house-rules',
  version: 'house-rules-7',
  title: 'House rules',
  criteria: 'Rules on the fridge (2026)',
  controls: [
    {
      id: 'H1',
      title: 'Nobody calls a tool on a whim',
      criterion: 'Every call of a tool is decided.',
      asks: 'Which decisions there were, and which went against the call.',
      populations: [
        recordPopulation({
          id: 'decisions',
          title: 'Decisions',
          definition: 'Every decision on a tool call.',
          where: `type = 'tool.decided'`,
          columns: ['session_id', 'decision'],
        }),
      ],
      activity: ['decisions'],
      when_no_activity: { state: 'not_applicable', reason: 'Nothing was decided.' },
      needed: [],
      rules: [recordRule('refused', 'The call was refused.', `decision = 'reject'`)],
      figures: [],
      required_statistics: ['S6'],
      not_proven: ['That the fridge is cold.'],
    },
  ],
};

interface BuildOptions {
  readonly period?: { readonly from: string; readonly to: string };
  readonly framework?: Framework;
  readonly synthetic?: boolean;
  readonly signal?: AbortSignal;
}

describe('an evidence package', () => {
  let store: TestStore;
  let dir: string;
  let count = 0;
  const signer = createTestSigner('log.test.example/p0');

  beforeAll(async () => {
    store = await openTestStore();
    dir = await mkdtemp(join(tmpdir(), 'affidavit-package-'));
  });
  afterAll(async () => {
    await store.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  async function fill(rows: readonly RecordRow[]): Promise<void> {
    await store.clear();
    await store.insert('p0', rows, 'bundle');
  }
  async function build(
    published: PublishedLog,
    {
      period = MARCH,
      framework = SOC2,
      synthetic = false,
      signal = new AbortController().signal,
    }: BuildOptions = {},
  ): Promise<string> {
    const path = join(dir, `${(count += 1)}.zip`);
    const builder = createPackageBuilder({
      store,
      published,
      genesis: await testGenesis(signer, synthetic),
      logCount: 1,
      openSigner: () => Promise.resolve(packageSignerOf(signer)),
      clock: () => Date.parse('2026-12-02T08:00:00Z'),
      logger: pino({ level: 'silent' }),
    });
    const request = { framework: framework.id, period, requested_by: 'auditor-desk' };
    await builder({ package_id: 'pkg-1', request, framework, path, signal });
    return path;
  }
  async function filesOf(path: string): Promise<Files> {
    const container = (await openContainer(path, createFindings()))!;
    const files = new Map<string, Buffer>();
    for (const name of container.files.keys()) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of container.read(name)) chunks.push(chunk);
      files.set(name, Buffer.concat(chunks));
    }
    container.close();
    return files;
  }
  const resultsOf = (files: Files) => JSON.parse(files.get('results.json')!.toString()) as PackageResults;
  const recordsOf = (files: Files) =>
    files
      .get('records.jsonl')!
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as PackageRecord);
  const statesOf = (files: Files) =>
    Object.fromEntries(resultsOf(files).results.map(({ control_id, state }) => [control_id, state]));

  let weekBuilt: Promise<{ path: string; files: Files }> | undefined;
  /** The package of the agent week, built once for the tests that only read it. */
  function week() {
    return (weekBuilt ??= (async () => {
      await fill(agentWeek());
      const path = await build(await publishedBy(signer, agentWeek()));
      return { path, files: await filesOf(path) };
    })());
  }

  it('verifies offline, with the key it names and with the same key pinned', async () => {
    const { path } = await week();
    const report = await verifyPackage({ path, pinnedVkeys: [signer.vkey] });
    expect(report).toMatchObject({
      ok: true,
      integrity: 'intact',
      failures: [],
      tree_size: agentWeek().length,
    });
    const stranger = createTestSigner('log.test.example/p0');
    expect((await verifyPackage({ path, pinnedVkeys: [stranger.vkey] })).ok).toBe(false);
  });

  it('says in every document that its log is synthetic, and carries the genesis that says so', async () => {
    await fill(agentWeek());
    const path = await build(await publishedBy(signer, agentWeek()), { synthetic: true });
    const files = await filesOf(path);
    const textOf = (name: string) => files.get(name)!.toString();
    for (const name of ['manifest.json', 'results.json', 'genesis'])
      expect(JSON.parse(textOf(name))).toMatchObject({ synthetic: true });
    expect(textOf('README.txt')).toContain('SYNTHETIC');
    expect(pdfPages(files.get('report.pdf')!)[0]).toContain('SYNTHETIC');
    expect(await verifyPackage({ path })).toMatchObject({ ok: true, synthetic: true });
  });

  it('has the same bytes when it is made again', async () => {
    await fill(agentWeek());
    const again = await build(await publishedBy(signer, agentWeek()));
    expect((await readFile(again)).equals(await readFile((await week()).path))).toBe(true);
  });

  it('covers one log alone, and the same as if the record store held no other', async () => {
    const { files: alone } = await week();
    await fill(agentWeek());
    const other = agentWeek().map((row) => ({
      ...row,
      log: 'p1',
      session_id: `other ${row.session_id ?? ''}`,
    }));
    await store.insert('p1', other, 'bundle');
    const files = await filesOf(await build(await publishedBy(signer, agentWeek())));
    const populations = [...alone.keys()].filter((name) => name.endsWith('.csv'));
    expect(populations.length).toBeGreaterThan(4);
    for (const name of [...populations, 'records.jsonl', 'proofs.jsonl']) {
      expect(files.get(name)!.toString(), name).toBe(alone.get(name)!.toString());
    }
    const counts = (one: Files) =>
      resultsOf(one).results.map(({ control_id, rules, figures }) => ({
        control_id,
        figures,
        rules: rules!.map(({ id, exception_count }) => ({ id, exception_count })),
      }));
    expect(counts(files)).toEqual(counts(alone));
  });

  it('leaves nothing behind but the ZIP', async () => {
    const { path } = await week();
    const names = await readdir(dir);
    expect(names.filter((name) => !name.endsWith('.zip'))).toEqual([]);
    expect(names).toContain(path.split('/').at(-1));
  });

  it('proves each record of an exception and of the sample on its own', async () => {
    const { files } = await week();
    const records = recordsOf(files);
    const root = Buffer.from(
      (JSON.parse(files.get('manifest.json')!.toString()) as PackageManifest).root_hash,
      'hex',
    );
    const ranked = records
      .map(({ index, leaf }) => ({
        index,
        rank: createHash('sha256')
          .update(root)
          .update(leafHash(Buffer.from(leaf)))
          .digest('hex'),
      }))
      .sort((left, right) => (left.rank < right.rank ? -1 : 1));
    const indexOf = new Map(
      records.map(({ index, leaf }) => [(JSON.parse(leaf) as { id: string }).id, index]),
    );
    const exceptional = resultsOf(files).results.flatMap(({ exceptions }) =>
      exceptions.flatMap(({ record_ids }) => record_ids.map((id) => indexOf.get(id)!)),
    );
    const expected = new Set([...ranked.slice(0, 25).map(({ index }) => index), ...exceptional]);
    const proven = [...files.keys()].filter((name) => name.startsWith('proofs/'));
    expect(exceptional.length).toBeGreaterThan(5);
    expect(proven.sort()).toEqual(
      [...expected].map((index) => `proofs/${String(index).padStart(20, '0')}.tlog-proof`).sort(),
    );
  });

  it('names in the report and the results every rule that was run, also those that found nothing', async () => {
    const { files } = await week();
    const rules = resultsOf(files).results.flatMap((result) => result.rules!);
    expect(Object.fromEntries(rules.map(({ id, exception_count }) => [id, exception_count]))).toEqual({
      'bypass-permissions-mode': 1,
      'rejected-but-executed': 1,
      'no-resolvable-person': 1,
      'sandbox-disabled': 1,
      'hook-error-not-blocking': 1,
      'commit-without-session': 0,
      'merge-without-independent-approval': 0,
      'agent-commit-merged-without-independent-approval': 0,
      'approval-before-last-push': 0,
      'agent-commit-pushed-to-default-branch': 0,
      'guardrail-changed-by-agent': 1,
      'checks-skipped': 1,
    });
    expect(statesOf(files)).toEqual({ 'CC6.1': 'exception', 'CC7.2': 'not_tested', 'CC8.1': 'exception' });
  });

  it('is made for any framework that is a value of the right shape', async () => {
    await fill(agentWeek());
    const path = await build(await publishedBy(signer, agentWeek()), { framework: HOUSE_RULES });
    const files = await filesOf(path);
    expect(JSON.parse(files.get('manifest.json')!.toString())).toMatchObject({
      framework: 'house-rules',
      catalogue_version: 'house-rules-7',
    });
    expect(resultsOf(files).results).toMatchObject([
      {
        control_id: 'H1',
        framework: 'house-rules',
        state: 'exception',
        not_proven: expect.arrayContaining(['That the fridge is cold.']) as string[],
      },
    ]);
    expect([...files.keys()].filter((name) => name.endsWith('.csv'))).toEqual([
      'populations/H1/decisions.csv',
    ]);
    const report = pdfPages(files.get('report.pdf')!).join('\n');
    expect(report).toContain('House rules, Rules on the fridge (2026)');
    expect(report).not.toContain('SOC 2');
    expect((await verifyPackage({ path, pinnedVkeys: [signer.vkey] })).failures).toEqual([]);
  });

  it('says that each row was compared with its leaf, and how many there were', async () => {
    const { files } = await week();
    const [result] = resultsOf(files).results;
    const integrity = result!.completeness.statistics.find(({ id }) => id === 'S6')!;
    expect(integrity).toEqual({
      id: 'S6',
      name: 'Integrity',
      state: 'ok',
      figures: [
        { name: 'rows', value: String(agentWeek().length) },
        { name: 'rows of the period above the checkpoint', value: '0' },
        { name: 'rows compared with their leaves', value: String(agentWeek().length) },
      ],
      detail:
        'the record store has exactly one row for each leaf; every row under the checkpoint is what its leaf commits to, and the leaves lead to the signed root',
    });
  });

  it('finds the recordings of a real client complete, and tests what can be tested', async () => {
    const seen = new Set<string>();
    const records = RECORDING_NAMES.flatMap((name) => readRecording(name).records).filter(
      ({ id }) => !seen.has(id) && seen.add(id),
    );
    const rows = sealedRows(records);
    await fill(rows);
    const path = await build(await publishedBy(signer, rows), { period: NOVEMBER });
    const files = await filesOf(path);
    expect(statesOf(files)).toEqual({ 'CC6.1': 'met', 'CC7.2': 'not_tested', 'CC8.1': 'not_tested' });
    const [, cc72, cc81] = resultsOf(files).results;
    expect(cc72!.state_reason).toContain('no collector sent heartbeats by a timer');
    expect(cc81!.state_reason).toContain('No merge was reported by a forge in the period');
    expect((await verifyPackage({ path })).failures).toEqual([]);
  });

  it('refers to its checkpoint alone: what came later changes nothing but the statement that it is there', async () => {
    const rows = agentWeek();
    const size = rows.length - 10;
    await fill(rows);
    const files = await filesOf(await build(await publishedBy(signer, rows.slice(0, size))));
    expect(recordsOf(files).every(({ index }) => index < size)).toBe(true);
    const integrity = resultsOf(files).results[0]!.completeness.statistics.find(({ id }) => id === 'S6')!;
    expect(integrity).toMatchObject({
      state: 'failed',
      detail: expect.stringMatching(/^10 records of the period/) as string,
    });
  });

  it('says of a period without records that nothing was tested', async () => {
    await fill(agentWeek());
    const path = await build(await publishedBy(signer, agentWeek()), { period: NOVEMBER });
    const files = await filesOf(path);
    expect(statesOf(files)).toEqual({ 'CC6.1': 'not_tested', 'CC7.2': 'not_tested', 'CC8.1': 'not_tested' });
    expect(recordsOf(files)).toEqual([]);
    expect((await verifyPackage({ path })).failures).toEqual([]);
  });

  it('is not made from a store that was edited', async () => {
    const rows = agentWeek();
    await fill(rows.map((row) => (row.leaf_index === 5 ? { ...row, decision: 'accept' } : row)));
    await expect(build(await publishedBy(signer, rows))).rejects.toMatchObject({
      code: 'STORE_DIVERGED',
      place: '5',
    });
  });

  it('is not made without a checkpoint, nor from one that the key did not sign', async () => {
    await fill(agentWeek());
    const published = await publishedBy(signer, agentWeek());
    await expect(build({ ...published, checkpoint: () => Promise.resolve(undefined) })).rejects.toMatchObject(
      {
        code: 'PACKAGE_NOT_READY',
      },
    );
    const forged = await publishedBy(createTestSigner(signer.name), agentWeek());
    await expect(build({ ...published, checkpoint: () => forged.checkpoint() })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });

  it('is given up when it is stopped', async () => {
    await fill(agentWeek());
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    await expect(build(await publishedBy(signer, agentWeek()), { signal: stop.signal })).rejects.toThrow(
      'stopped',
    );
    expect((await readdir(dir)).filter((name) => !name.endsWith('.zip'))).toEqual([]);
  });

  it('is signed over the digest of its manifest, which names each file', async () => {
    const { files } = await week();
    const manifest = JSON.parse(files.get('manifest.json')!.toString()) as PackageManifest;
    for (const { path, sha256, size_bytes } of manifest.files) {
      expect(sha256Hex(files.get(path)!), path).toBe(sha256);
      expect(files.get(path)!.length).toBe(size_bytes);
    }
    expect(manifest.files.map(({ path }) => path)).toEqual(
      [...files.keys()].filter((name) => !name.startsWith('manifest.')).sort(),
    );
    const [purpose, id, digest] = files.get('manifest.note')!.toString().split('\n');
    expect([purpose, id, digest]).toEqual([
      'log.test.example/p0/evidence-package',
      'pkg-1',
      sha256Hex(files.get('manifest.json')!),
    ]);
  });

  it('holds no content', async () => {
    const { files } = await week();
    const canary = 'canary-of-the-commit-message';
    expect(JSON.stringify(agentWeek())).toContain(canary);
    for (const [name, bytes] of files) expect(bytes.includes(canary), name).toBe(false);
  });

  it.runIf(HAS_TOOLS)('verifies with the commands of its README alone', async () => {
    const { files } = await week();
    const out = await mkdtemp(join(dir, 'unpacked-'));
    for (const [name, bytes] of files) {
      await mkdir(dirname(join(out, name)), { recursive: true });
      await writeFile(join(out, name), bytes);
    }
    const commands = files
      .get('README.txt')!
      .toString()
      .split('\n')
      .filter((line) => /^ {4}(jq|sha256sum|cut|\(printf|sed|tail|openssl)/.test(line));
    expect(commands).toHaveLength(15);
    const check = () => run('bash', ['-euo', 'pipefail', '-c', commands.join('\n')], { cwd: out });
    expect((await check()).stdout.match(/Signature Verified Successfully/g)).toHaveLength(3);
    await writeFile(join(out, 'records.jsonl'), 'other');
    await expect(check()).rejects.toThrow();
    await rm(out, { recursive: true });
  });
});
