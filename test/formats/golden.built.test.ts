/** Evidence that an earlier version of the formats left: this program verifies it, opens it, rebuilds it and goes on. */
import { spawn } from 'node:child_process';
import { copyFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { macOf, toFrameKey } from '../../ingest/frame-key.ts';
import { decodeEnvelope, isNumbered, NUMBERED } from '../../ingest/framing.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { endOf } from '../support/hook-client.ts';
import {
  bareEnvironment,
  COLLECTOR_TOKEN,
  makeTempDir,
  runAffidavit,
  startServer,
} from '../support/server.ts';
import {
  copyDeployment,
  digestOfTexts,
  FORMATS,
  FRAME_KEY,
  FRAME_PLACE,
  type Expected,
  type GoldenFrame,
} from './golden.ts';

/** The version before the first that is kept: its archive is refused by name. */
const UNREADABLE = '0';
const readable = (await readdir(FORMATS)).filter((name) => /^[0-9]+$/.test(name) && name !== UNREADABLE);
const readJson = async <T>(version: string, name: string) =>
  JSON.parse(await readFile(join(FORMATS, version, name), 'utf8')) as T;

describe.each(readable)('evidence in version %s of the formats', (version) => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let data: string;
  let expected: Expected;

  beforeAll(async () => {
    folder = await makeTempDir();
    data = join(folder.path, 'data');
    await copyDeployment(version, data);
    expected = await readJson<Expected>(version, 'expected.json');
  });
  afterAll(() => folder.remove());

  const run = (...args: string[]) => runAffidavit(args, { AFFIDAVIT_DATA: data });
  const verify = async (...args: string[]) =>
    JSON.parse((await run('verify', ...args, '--json')).stdout) as VerificationReport;

  it('verifies under its key, sealed and opened', async () => {
    const { tree_size, root_hash, vkey } = expected;
    const sound = { ok: true, failures: [], tree_size, root_hash, anchoring: 'signed_by_pinned_key' };
    expect(await verify(data, '--key', vkey)).toMatchObject({ ...sound, disclosure: 'sealed' });
    expect(await verify(data, '--open', '--key', vkey)).toMatchObject({ ...sound, disclosure: 'opened' });
  });

  it('holds the texts that were sealed', async () => {
    expect(await digestOfTexts(data)).toBe(expected.texts_sha256);
  });

  it('is rebuilt, and gone on with by a server and by the hook client of its day', async () => {
    const rebuilt = await run('rebuild', '--json');
    expect([rebuilt.code, rebuilt.stderr]).toEqual([0, '']);
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({ root_hash: expected.root_hash });
    expect(await verify('--store')).toMatchObject({ ok: true });
    const { found } = JSON.parse((await run('accept-event-log', '--json')).stdout) as { found: string };
    expect((await run('accept-event-log', found)).code).toBe(0);
    const server = await startServer(data);
    const before = await server.sealed();
    const client = join(folder.path, 'hook.mjs');
    await copyFile(join(FORMATS, version, 'hook-client'), client);
    const env = { AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN, HOME: folder.path };
    const hook = spawn(process.execPath, [client, '--url', server.ingestUrl], { env: bareEnvironment(env) });
    hook.stdin.end(JSON.stringify({ session_id: 'golden', hook_event_name: 'Stop', cwd: folder.path }));
    expect(await endOf(hook)).toMatchObject({ code: 0, stderr: '' });
    expect(await server.sealed()).toBe(before + 1);
    await server.stop();
  });

  it('has frames of the event log that decode, with MACs that fit', async () => {
    const frames = await readJson<GoldenFrame[]>(version, 'event-log.json');
    const mac = macOf(toFrameKey(FRAME_KEY), FRAME_PLACE);
    for (const golden of frames) {
      const frame = Buffer.from(golden.frame, 'base64');
      const { body, ...header } = decodeEnvelope(frame, 0n);
      expect(header).toEqual(golden.header);
      expect(Buffer.from(body).toString('base64')).toBe(golden.body);
      if (isNumbered(frame)) expect(frame.subarray(NUMBERED.mac, NUMBERED.writer)).toEqual(mac(frame));
    }
    expect(new Set(frames.map(({ frame }) => Buffer.from(frame, 'base64')[0]))).toEqual(new Set([1, 2]));
  });
});

it('evidence from before the first version is refused by name, by the verifier and by a start', async () => {
  const folder = await makeTempDir();
  const data = join(folder.path, 'data');
  await copyDeployment(UNREADABLE, data);
  const { code, stdout } = await runAffidavit(['verify', data, '--json']);
  expect(code).toBe(3);
  const { failures } = JSON.parse(stdout) as VerificationReport;
  // Its payload objects lie in folders that the format does not have.
  expect(new Set(failures.map((failure) => failure.code))).toEqual(
    new Set(['format_unknown', 'file_unexpected']),
  );
  await expect(startServer(data)).rejects.toThrow("another version of the archive's format");
  await folder.remove();
});
