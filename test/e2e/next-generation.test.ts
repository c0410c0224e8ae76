/** A real deployment whose keys were stolen: its logs go on in a new generation, and nothing that still waits is lost. */
import { copyFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationReport } from '../../schemas/verification.ts';
import { openContainer } from '../../store/verify/container.ts';
import { createFindings } from '../../store/verify/report.ts';
import { removeObject } from '../support/archive-folder.ts';
import { copyOf } from '../tamper/forge.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { getAll, makeTempDir, post, runAffidavit, startServer, type TestServer } from '../support/server.ts';

interface ListedRecord {
  readonly type: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

const TIMEOUT_MS = 180_000;
const LINGER_MS = 1_500;

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
const at = (...names: string[]) => join(folder.path, ...names);
const begin = (...args: string[]) =>
  runAffidavit(['begin-generation', ...args], { AFFIDAVIT_DATA: at('data') });
const verify = async (...args: string[]) => {
  const { code, stdout, stderr } = await runAffidavit(['verify', ...args, '--json'], {
    AFFIDAVIT_DATA: at('data'),
  });
  return { code, stderr, report: JSON.parse(stdout === '' ? '{}' : stdout) as VerificationReport };
};

async function send(session_id: string): Promise<void> {
  const body = JSON.stringify({
    session_id,
    hook_event_name: 'UserPromptSubmit',
    prompt: `hello from ${session_id}`,
  });
  const { status } = await post(server, {
    path: '/v1/hooks/claude-code',
    contentType: 'application/json',
    body,
  });
  expect(status).toBeLessThan(300);
}

async function serve(lingerMs = 0): Promise<void> {
  server = await startServer(at('data'), { AFFIDAVIT_INGEST_SEAL_AFTER_MS: String(lingerMs) });
}

/** The newest checkpoint of the log, as somebody keeps it elsewhere. */
async function newestCheckpoint(): Promise<string> {
  const names = await readdir(at('data/archive/log/p0/checkpoint'), { recursive: true });
  const newest = names
    .filter((name) => /\/[0-9]{20}$/.test(name))
    .sort()
    .at(-1)!;
  return at('data/archive/log/p0/checkpoint', newest);
}

beforeAll(async () => {
  folder = await makeTempDir();
  await serve();
  await send('trusted-1');
  await send('trusted-2');
  await server.sealed();
  await server.stop();
  await copyFile(await newestCheckpoint(), at('kept'));
  // Nothing that is sealed from here on counts. The last event is acknowledged and not sealed.
  await serve(LINGER_MS);
  await send('behind');
  await server.sealed();
  await send('waiting');
  expect(await server.stop()).toBe(0);
}, TIMEOUT_MS);
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

describe('a deployment whose keys were stolen', () => {
  it('begins no generation beside its old archive, nor without a trusted checkpoint', async () => {
    const beside = await begin('--previous', at('data/archive'), '--trusted', at('kept'));
    expect([beside.code, beside.stderr]).toEqual([1, expect.stringContaining('move the old archive away')]);
    await rename(at('data/archive'), at('old'));
    const without = await begin('--previous', at('old'));
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('--trust-nothing-of p0')]);
    expect((await begin('--help')).stdout).toContain('--trust-nothing-of');
  });

  it(
    'goes on under new keys: what waited is sealed, and what lay behind the trusted head shows as missing',
    async () => {
      const begun = await begin('--previous', at('old'), '--trusted', at('kept'));
      expect(begun.stderr).toBe('');
      expect([begun.code, begun.stdout]).toEqual([0, expect.stringContaining('generation 2')]);
      await serve();
      await send('after');
      await server.sealed();
      const records = await getAll<ListedRecord>(server, '/v1/records');
      await server.stop();
      expect(records.find(({ type }) => type === 'generation.begun')?.facts).toMatchObject({ generation: 2 });
      const sessions = new Set(records.map(({ facts }) => facts['session_id']));
      expect([...sessions].filter((id) => id !== undefined).sort()).toEqual(['after', 'waiting']);
      expect(records.find(({ type }) => type === 'event_log.gap')?.facts).toMatchObject({
        reason: 'missing',
      });
    },
    TIMEOUT_MS,
  );

  it(
    'verifies in both archives',
    async () => {
      const alone = await verify(at('data'));
      expect(alone).toMatchObject({ code: 0, report: { ok: true, continues: [{ generation: 2 }] } });
      const text = await runAffidavit(['verify', at('data'), '--previous', at('old')]);
      expect(text.stdout).toContain('continues     ');
      expect(text.stdout).toMatch(/untrusted_tail: in the previous archive: [1-9][0-9]* leaves of p0/);
      expect(text.code).toBe(0);
      expect(await verify(at('data'), '--previous', at('old'), '--open')).toMatchObject({
        code: 0,
        report: { disclosure: 'opened', notices: [{ code: 'untrusted_tail' }] },
      });
      expect(await verify('--store')).toMatchObject({ code: 0, report: { kind: 'record_store' } });
      const copy = await copyOf(at('old'));
      await removeObject(copy.dir, bundleKey('p0', 0));
      const damaged = await verify(at('data'), '--previous', copy.dir);
      await copy.dispose();
      expect(damaged).toMatchObject({ code: 3, report: { ok: false } });
      expect(damaged.report.failures.map(({ code }) => code)).toContain('bundle_missing');
    },
    TIMEOUT_MS,
  );

  it(
    'says in each package which log it continues',
    async () => {
      const out = at('package.zip');
      const made = await runAffidavit(['report', '--out', out], { AFFIDAVIT_DATA: at('data') });
      expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
      const container = (await openContainer(out, createFindings()))!;
      const chunks: Uint8Array[] = [];
      for await (const chunk of container.read('README.txt')) chunks.push(chunk);
      container.close();
      expect(Buffer.concat(chunks).toString()).toMatch(/Before it {3}generation 2, continues \S+ from its/);
      expect(await verify(out)).toMatchObject({ code: 0, report: { continues: [{ generation: 2 }] } });
    },
    TIMEOUT_MS,
  );
});
