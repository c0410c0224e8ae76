import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SOC2 } from '../../../reports/frameworks/soc2/soc2.ts';
import { createPackageBuilder } from '../../../reports/package/evidence-package.ts';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import { KEY_CHANGES_PATH } from '../../../schemas/evidence-package.ts';
import { openContainer } from '../../../store/verify/container.ts';
import { createFindings } from '../../../store/verify/report.ts';
import { verifyPackage } from '../../../store/verify/verify-package.ts';
import { createTestSigner, packageSignerOf, testGenesis } from '../../support/ledger.ts';
import { changeHeader } from '../../support/rotated-log.ts';
import { agentWeek } from '../agent-week.ts';
import { openTestStore, publishedBy, type TestStore } from '../support.ts';

const run = promisify(execFile);
/** Not every machine that runs the tests has the tools of an auditor. */
const HAS_TOOLS = ['bash', 'jq', 'openssl', 'sha256sum'].every(
  (tool) => spawnSync('which', [tool]).status === 0,
);
const MARCH = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };

describe('an evidence package about a log that changed its key', () => {
  let store: TestStore;
  let dir: string;
  let count = 0;
  const first = createTestSigner('log.test.example/p0');
  const next = createTestSigner(first.name);
  const rows = agentWeek();

  beforeAll(async () => {
    store = await openTestStore();
    dir = await mkdtemp(join(tmpdir(), 'affidavit-package-'));
    await store.insert('p0', rows, 'bundle');
  });
  afterAll(async () => {
    await store.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  async function build(
    changes: readonly BundleHeader[],
    packageSigner = packageSignerOf(next),
  ): Promise<string> {
    const path = join(dir, `${String((count += 1))}.zip`);
    const builder = createPackageBuilder({
      store,
      published: await publishedBy(next, rows),
      genesis: await testGenesis(first),
      readKeyChanges: () => Promise.resolve(changes),
      logCount: 1,
      openSigner: () => Promise.resolve(packageSigner),
      clock: () => Date.parse('2026-12-02T08:00:00Z'),
      logger: pino({ level: 'silent' }),
    });
    const request = { framework: SOC2.id, period: MARCH, requested_by: 'auditor-desk' };
    const signal = new AbortController().signal;
    await builder({ package_id: 'pkg-1', request, framework: SOC2, path, signal });
    return path;
  }

  /** Unpacks a package; resolves its folder and the text of its README. */
  async function unpack(path: string): Promise<{ readonly out: string; readonly readme: string }> {
    const container = (await openContainer(path, createFindings()))!;
    const out = await mkdtemp(join(dir, 'unpacked-'));
    let readme = '';
    for (const name of container.files.keys()) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of container.read(name)) chunks.push(chunk);
      await mkdir(dirname(join(out, name)), { recursive: true });
      await writeFile(join(out, name), Buffer.concat(chunks));
      if (name === 'README.txt') readme = Buffer.concat(chunks).toString();
    }
    container.close();
    return { out, readme };
  }

  it('is not made with the retired package key', async () => {
    const changes = [await changeHeader(first, next, { genesis: await testGenesis(first), start: 3 })];
    for (const other of [first, createTestSigner(first.name)])
      await expect(build(changes, packageSignerOf(other))).rejects.toMatchObject({
        code: 'PACKAGE_NOT_READY',
      });
  });

  it('is not made without the changes that lead to the key of its checkpoint', async () => {
    await expect(build([])).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('leads from one key to the other for the verifier, and without changes that lie behind its checkpoint', async () => {
    const genesis = await testGenesis(first);
    const changes = [
      await changeHeader(first, next, { genesis, start: 3 }),
      await changeHeader(next, createTestSigner(first.name), { genesis, start: rows.length, rotated_at: 3 }),
    ];
    const path = await build(changes);
    for (const { vkey } of [first, next])
      expect(await verifyPackage({ path, pinnedVkeys: [vkey] })).toMatchObject({
        ok: true,
        anchoring: 'signed_by_pinned_key',
      });
  });

  it.runIf(HAS_TOOLS)('does so with the commands of its README alone', async () => {
    const genesis = await testGenesis(first);
    const { out, readme } = await unpack(
      await build([await changeHeader(first, next, { genesis, start: 3 })]),
    );
    const commands = readme
      .split('\n')
      .filter((line) => /^ {4}(jq|sha256sum|cut|\(printf|sed|tail|openssl|while|done)/.test(line));
    const check = (isSigned = (line: string) => line !== '') => {
      const script = commands.filter(isSigned).join('\n');
      return run('bash', ['-euo', 'pipefail', '-c', script], { cwd: out });
    };
    expect((await check()).stdout.match(/Signature Verified Successfully/g)).toHaveLength(4);
    const forged = await changeHeader(next, next, { genesis, start: 3 });
    await writeFile(join(out, KEY_CHANGES_PATH), `${JSON.stringify(forged)}\n`);
    // Also without the digests of the manifest.
    await expect(check((line) => !line.includes('--check'))).rejects.toMatchObject({
      stdout: expect.stringContaining('Signature Verification Failure') as string,
    });
  });
});
