/** The archive of a real server: what lies in it without keys, with them, and once the keys of one person are destroyed. */
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationReport } from '../../schemas/verification.ts';
import { filesBelow } from '../support/archive-folder.ts';
import { openKeysOf } from '../support/local-keys.ts';
import {
  getAll,
  getJson,
  makeTempDir,
  post,
  runAffidavit,
  startServer,
  type TestServer,
} from '../support/server.ts';

interface ListedRecord {
  readonly id: string;
  readonly subject: string | null;
  readonly facts: { readonly session_id?: string };
  readonly person?: Readonly<Record<string, unknown>> | null;
  readonly content?: Readonly<Record<string, unknown>> | null;
}

const PEOPLE = ['alice', 'bob'];
const promptOf = (name: string, n: number) => `the ${name} canary ${String(n)} is in no object in clear`;
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

function logsOf(name: string): string {
  const logRecords = Array.from({ length: 5 }, (_, n) => ({
    timeUnixNano: `17630000000000${String(n)}0000`,
    attributes: [
      text('event.name', 'user_prompt'),
      text('session.id', `session-${name}`),
      text('user.email', `${name}@example.com`),
      text('prompt', promptOf(name, n)),
    ],
  }));
  const resource = { attributes: [text('service.name', 'claude-code')] };
  return JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
}

describe('the encrypted archive of a server', () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let data: string;
  let server: TestServer;
  let records: readonly ListedRecord[];

  const listed = () => getAll<ListedRecord>(server, '/v1/records?include=content');
  const ownedBy = (name: string) =>
    records.filter(({ facts }) => facts.session_id === `session-${name}`).map(({ id }) => id);
  const verify = async (...args: string[]) => {
    const { code, stdout, stderr } = await runAffidavit(['verify', ...args, '--json'], {
      AFFIDAVIT_DATA: data,
    });
    return { code, stderr, ...(JSON.parse(stdout === '' ? '{}' : stdout) as Partial<VerificationReport>) };
  };

  beforeAll(async () => {
    folder = await makeTempDir();
    data = join(folder.path, 'data');
    server = await startServer(data);
    for (const name of PEOPLE) {
      const sent = await post(server, {
        path: '/v1/logs',
        contentType: 'application/json',
        body: logsOf(name),
      });
      expect(sent.status).toBe(200);
    }
    await server.sealed();
    records = await listed();
    await server.stop();
  });
  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  it('holds neither persons nor content in clear, compressed or not', async () => {
    const dir = join(data, 'archive');
    const objects = await Promise.all((await filesBelow(dir)).map((name) => readFile(join(dir, name))));
    expect(objects.length).toBeGreaterThan(10);
    for (const bytes of objects) {
      const seen = `${bytes.toString('latin1')}${inflated(bytes)}`;
      for (const name of PEOPLE) expect(seen).not.toContain(name);
      expect(seen).not.toContain('canary');
    }
  });

  it('verifies without any key, and says that it was not opened', async () => {
    const report = await verify(data);
    expect(report).toMatchObject({
      code: 0,
      ok: true,
      disclosure: 'sealed',
      frames: { opened: 0, destroyed: 0 },
    });
    expect(report.frames!.sealed).toBeGreaterThan(0);
  });

  it('opens with the key store', async () => {
    const report = await verify(data, '--open');
    expect(report).toMatchObject({
      code: 0,
      ok: true,
      disclosure: 'opened',
      frames: { sealed: 0, destroyed: 0 },
    });
    expect(report.frames!.opened).toBeGreaterThan(0);
  });

  it('verifies without its key store; what needs keys is refused and says why', async () => {
    await rename(join(data, 'key-store'), join(data, 'key-store-away'));
    expect(await verify(data)).toMatchObject({ ok: true, disclosure: 'sealed' });
    const opening = await verify(data, '--open');
    expect(opening.code).toBe(1);
    expect(opening.stderr).toContain('START_REFUSED');
    expect(opening.stderr).toContain('there is no key store at');
    await expect(startServer(data)).rejects.toThrow('START_REFUSED');
    await rename(join(data, 'key-store-away'), join(data, 'key-store'));
  });

  it('keeps facts and proofs of a person whose keys were destroyed, and nothing else of them', async () => {
    const subject = records.find(({ id }) => ownedBy('alice').includes(id))!.subject!;
    const keys = await openKeysOf(data);
    expect(await keys.destroy({ subject })).toMatchObject({ outcome: 'destroyed' });
    await keys.close();
    const report = await verify(data, '--open');
    expect(report).toMatchObject({ code: 0, ok: true, disclosure: 'opened_except_erased' });
    expect(report.frames!.destroyed).toBeGreaterThan(0);

    expect((await runAffidavit(['rebuild'], { AFFIDAVIT_DATA: data })).code).toBe(0);
    expect(await verify('--store')).toMatchObject({ code: 0, ok: true });
    server = await startServer(data);
    const after = await listed();
    const erased = new Set(ownedBy('alice'));
    expect(after.map(({ id, facts }) => ({ id, facts }))).toEqual(
      records.map(({ id, facts }) => ({ id, facts })),
    );
    for (const [position, record] of after.entries()) {
      if (!erased.has(record.id)) expect(record).toEqual(records[position]);
      else expect([record.person ?? null, record.content ?? null]).toEqual([null, null]);
    }
    for (const id of erased)
      expect(await getJson(server, `/v1/records/${id}/proof`)).toMatchObject({ tree_size: records.length });
  });
});

/** The compressed lines of a bundle, if these are the bytes of one. */
function inflated(bytes: Buffer): string {
  try {
    return gunzipSync(bytes.subarray(bytes.indexOf(0x0a) + 1)).toString('latin1');
  } catch {
    return '';
  }
}
