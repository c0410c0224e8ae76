import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPromise } from 'yauzl';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPackage } from '../../commands/package-client.ts';
import { loadRecordings } from '../../commands/recordings.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { parseVkey } from '../../store/chain/note.ts';
import { verifyPath } from '../../store/verify/verify-path.ts';
import {
  ADMIN_TOKEN,
  getAll,
  getJson,
  makeTempDir,
  post,
  runAffidavit,
  startServer,
  type TestServer,
} from '../support/server.ts';
import { verifyWithSigstore } from '../support/sigstore.ts';

/** A word that must never leave content: planted in a prompt, an e-mail, a file and a command's output. */
const CANARY = 'canary-9f3b';

/** Every record with both of its parts. */
const EVERYTHING = '/v1/records?include=content&limit=1000';

interface ListedRecord {
  readonly id: string;
  readonly type: string;
  readonly leaf_index: number;
  readonly facts: Readonly<Record<string, string>>;
  readonly content?: Readonly<Record<string, string>>;
}

interface Proof {
  readonly index: number;
  readonly leaf: string;
  readonly hashes: readonly string[];
  readonly checkpoint: string;
}

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
let data: string;
let archive: string;
let packageFile: string;
let served: { readonly stdout: string; readonly stderr: string; readonly records: readonly ListedRecord[] };
const at = (name: string) => join(folder.path, name);

const hookBody = (over: object) =>
  JSON.stringify({
    session_id: `session-${CANARY}`,
    hook_event_name: 'UserPromptSubmit',
    prompt_id: 'p',
    ...over,
  });

async function sendAll(): Promise<void> {
  for (const { requests } of await loadRecordings()) {
    for (const request of requests) expect((await post(server, request)).status).toBe(200);
  }
  const path = '/v1/hooks/claude-code';
  const contentType = 'application/json';
  const bodies = [
    hookBody({ prompt: `tell ${CANARY}@example.com the password ${CANARY}`, cwd: `/home/${CANARY}` }),
    hookBody({
      hook_event_name: 'PostToolUse',
      tool_name: 'Bash',
      tool_use_id: 't1',
      tool_response: { stdout: CANARY },
    }),
    hookBody({ hook_event_name: 'BrandNewEvent', [`${CANARY}-member`]: CANARY }),
    `{"session_id":"s","hook_event_name":"Stop","a":"${CANARY}","a":"${CANARY}"}`,
  ];
  for (const body of bodies) expect((await post(server, { path, contentType, body })).status).toBe(200);
  for (const body of [`{"prompt": "${CANARY}`, `[${CANARY}]`]) {
    expect((await post(server, { path, contentType, body })).status).toBe(400);
  }
  const wrong = { authorization: `Bearer ${CANARY}-wrong-token` };
  expect((await post(server, { path, contentType, body: hookBody({}), headers: wrong })).status).toBe(401);
}

async function makePackage(): Promise<void> {
  const period = { from: '2020-01-01T00:00:00.000Z', to: '2100-01-01T00:00:00.000Z' };
  await writeFile(packageFile, await fetchPackage(server.apiUrl, ADMIN_TOKEN, { framework: 'soc2', period }));
}

beforeAll(async () => {
  folder = await makeTempDir();
  data = at('data');
  archive = join(data, 'archive');
  packageFile = at('evidence.zip');
  server = await startServer(data, { AFFIDAVIT_LOG_LEVEL: 'trace' });
  await sendAll();
  await server.sealed();
  await makePackage();
  const records = await getAll<ListedRecord>(server, EVERYTHING);
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  expect((await fetch(`${server.apiUrl}/v1/records?q=${CANARY}`, { headers })).status).toBe(200);
  expect((await fetch(`${server.apiUrl}/v1/records?${CANARY}=1`, { headers })).status).toBe(400);
  expect((await fetch(`${server.apiUrl}/v1/${CANARY}`, { headers })).status).toBe(404);
  const stranger = { authorization: `Bearer ${CANARY}-other-token` };
  expect((await fetch(`${server.apiUrl}/v1/records`, { headers: stranger })).status).toBe(401);
  expect(await server.stop()).toBe(0);
  served = { stdout: server.stdout(), stderr: server.stderr(), records };
});
afterAll(() => folder.remove());

async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Runs with one byte of a file changed, and puts it back. */
async function withFlippedByte<T>(file: string, offset: number, run: () => Promise<T>): Promise<T> {
  const bytes = await readFile(file);
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(offset) ^ 0x01, offset);
  await chmod(file, 0o600);
  try {
    await writeFile(file, flipped);
    return await run();
  } finally {
    await writeFile(file, bytes);
  }
}

/** Where the data of each file of a ZIP lies. */
async function dataOffsets(zipFile: string): Promise<{ name: string; start: number; end: number }[]> {
  const zip = await openPromise(zipFile, { lazyEntries: true });
  const located: { name: string; start: number; end: number }[] = [];
  for await (const entry of zip.eachEntry()) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry);
    located.push({ name: entry.fileName, start: fileDataStart, end: fileDataStart + entry.compressedSize });
  }
  return located;
}

const names = (report: VerificationReport, name: string) =>
  report.failures.some(({ code, detail }) => `${code} ${detail}`.includes(name));

describe('the archive', () => {
  it('verifies after a whole run, by path and by data folder', async () => {
    const direct = await runAffidavit(['verify', archive, '--json']);
    expect(direct.code).toBe(0);
    expect(JSON.parse(direct.stdout)).toMatchObject({
      ok: true,
      tree_size: served.records.length,
      failures: [],
    });
    expect((await runAffidavit(['verify', data])).code).toBe(0);
  });

  it('gives the same rows and the same root when the record store is rebuilt from it and the keys alone', async () => {
    const copy = at('rebuilt');
    await cp(join(data, 'keys'), join(copy, 'keys'), { recursive: true });
    await cp(join(data, 'key-store'), join(copy, 'key-store'), { recursive: true });
    await cp(archive, join(copy, 'archive'), { recursive: true });
    for (const part of ['', 'keys', 'keys/master-keys', 'key-store', 'archive'].map((name) =>
      join(copy, name),
    ))
      await chmod(part, 0o700);
    const rebuilt = await runAffidavit(['rebuild', '--json'], { AFFIDAVIT_DATA: copy });
    expect(rebuilt.stderr).toBe('');
    expect(rebuilt.code).toBe(0);
    const verified = await verifyPath(archive);
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({
      row_count: served.records.length,
      tree_size: verified.tree_size,
      root_hash: verified.root_hash,
    });
    // The copy has no event log, so the operator has to accept the empty one.
    const shown = await runAffidavit(['accept-event-log', '--json'], { AFFIDAVIT_DATA: copy });
    expect(shown.code).toBe(3);
    const { found } = JSON.parse(shown.stdout) as { found: string };
    expect((await runAffidavit(['accept-event-log', found], { AFFIDAVIT_DATA: copy })).code).toBe(0);
    const again = await startServer(copy);
    try {
      const records = await getAll<{ readonly type: string }>(again, EVERYTHING);
      expect(records.filter(({ type }) => type !== 'event_log.replaced')).toEqual(served.records);
      expect(records).toHaveLength(served.records.length + 1);
    } finally {
      await again.stop();
    }
  });

  it('is refused with one byte of any file changed, and the file is named', async () => {
    const files = await filesBelow(archive);
    expect(files.length).toBeGreaterThan(6);
    for (const file of files) {
      const { length } = await readFile(file);
      for (const offset of new Set([4, Math.floor(length / 2), length - 1])) {
        if (offset >= length) continue;
        const report = await withFlippedByte(file, offset, () => verifyPath(archive));
        expect(report.ok, `${file} byte ${offset}`).toBe(false);
        const name = file.slice(archive.length + 1).replace(/\.lock$/, '');
        expect(names(report, name), `${name} byte ${offset}: ${JSON.stringify(report.failures)}`).toBe(true);
      }
    }
    const [first] = files;
    const exit = await withFlippedByte(first!, 3, () => runAffidavit(['verify', archive]));
    expect(exit.code).toBe(3);
    expect((await verifyPath(archive)).ok).toBe(true);
  });
});

describe('the package', () => {
  it('verifies with nothing but the file, and with the pinned key', async () => {
    const elsewhere = at('alone');
    await writeFile(elsewhere, await readFile(packageFile));
    const alone = await runAffidavit(['verify', elsewhere, '--json']);
    expect(alone.code).toBe(0);
    expect(JSON.parse(alone.stdout)).toMatchObject({ ok: true, integrity: 'intact', anchoring: 'signed' });
    const init = await runAffidavit(['init', '--json'], { AFFIDAVIT_DATA: data });
    const { vkey } = JSON.parse(init.stdout) as { vkey: string };
    expect(parseVkey(vkey)).toBeDefined();
    const pinned = await runAffidavit(['verify', elsewhere, '--json', '--key', vkey]);
    expect(JSON.parse(pinned.stdout)).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key' });
    const stranger = vkey.replace(/.{4}$/, 'AAA=');
    expect((await runAffidavit(['verify', elsewhere, '--key', stranger])).code).not.toBe(0);
  });

  it('is refused with one byte changed in any of its files, and the file is named', async () => {
    const copy = at('flipped-file.zip');
    await copyFile(packageFile, copy);
    const located = await dataOffsets(copy);
    expect(located.length).toBeGreaterThan(20);
    for (const { name, start, end } of located) {
      const offset = Math.floor((start + end) / 2);
      const report = await withFlippedByte(copy, offset, () => verifyPath(copy));
      expect(report.ok, name).toBe(false);
      expect(names(report, name), `${name}: ${JSON.stringify(report.failures)}`).toBe(true);
    }
  });

  it('is refused with one byte changed at any place of the ZIP', async () => {
    const { length } = await readFile(packageFile);
    const copy = at('flipped.zip');
    await copyFile(packageFile, copy);
    const offsets = Array.from({ length: 60 }, (_, step) => Math.floor((step * (length - 1)) / 59));
    for (const offset of offsets) {
      const report = await withFlippedByte(copy, offset, () => verifyPath(copy));
      expect(report.ok, `byte ${offset}`).toBe(false);
      expect(report.failures[0]!.detail).not.toBe('');
    }
    const exit = await withFlippedByte(copy, Math.floor(length / 2), () => runAffidavit(['verify', copy]));
    expect(exit.code).toBe(3);
  });

  it('made by the command line from the same data verifies too', async () => {
    const out = at('by-command.zip');
    const made = await runAffidavit(['report', '--from', '2020-01-01', '--out', out, '--json'], {
      AFFIDAVIT_DATA: data,
    });
    expect(made.stderr).not.toContain('affidavit:');
    expect(made.code).toBe(0);
    expect((await verifyPath(out)).ok).toBe(true);
  });
});

describe('proofs of the API', () => {
  it('are accepted by @sigstore/verify for every record', async () => {
    const again = await startServer(data);
    try {
      const init = await runAffidavit(['init', '--json'], { AFFIDAVIT_DATA: data });
      const { vkey } = JSON.parse(init.stdout) as { vkey: string };
      for (const { id, leaf_index } of served.records.filter((_, step) => step % 23 === 0)) {
        const proof = await getJson<Proof>(again, `/v1/records/${id}/proof`);
        const path = proof.hashes.map((hash) => Buffer.from(hash, 'base64'));
        expect(proof.index).toBe(leaf_index);
        verifyWithSigstore({
          vkey,
          note: proof.checkpoint,
          leaf: Buffer.from(proof.leaf),
          index: proof.index,
          path,
        });
      }
    } finally {
      await again.stop();
    }
  });
});

describe('quarantine', () => {
  it('keeps what cannot be hashed exactly, with reason and digest, in the log and in the list', async () => {
    const again = await startServer(data);
    try {
      const listed = await getAll<{ reason: string; body_sha256: string; record_id: string }>(
        again,
        '/v1/quarantine',
      );
      expect(listed).toHaveLength(1);
      const [record] = served.records.filter(({ type }) => type === 'quarantined');
      const body = Buffer.from(record!.content!['body_base64']!, 'base64');
      expect(body.toString()).toContain(CANARY);
      expect(record!.facts['quarantine_reason']).toBe('json_duplicate_key');
      expect(record!.facts['body_sha256']).toBe(createHash('sha256').update(body).digest('hex'));
      expect(JSON.stringify(listed[0])).toContain(record!.facts['body_sha256']!);
    } finally {
      await again.stop();
    }
  });
});

describe('the log lines of a run at trace level', () => {
  it('hold no content, no token and no e-mail', () => {
    expect(served.stderr.length).toBeGreaterThan(1_000);
    for (const secret of [
      CANARY,
      ADMIN_TOKEN,
      'test-collector-token',
      'alice@example.com',
      'jane.roe',
      'AKIAIOSFODNN7',
    ]) {
      expect(served.stderr.includes(secret), secret).toBe(false);
    }
  });
});
