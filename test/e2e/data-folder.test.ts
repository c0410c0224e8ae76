/** A data folder that goes away under a running server, and comes back. */
import { mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTempDir, post, runAffidavit, startServer, type TestServer } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
const data = () => join(folder.path, 'data');
const moved = () => join(folder.path, 'moved');

beforeEach(async () => {
  folder = await makeTempDir();
  server = await startServer(data());
});
afterEach(async () => {
  await server.stop();
  await folder.remove();
});

let serial = 0;
const send = async () => {
  serial += 1;
  const body = `{"session_id":"s-${String(serial)}","hook_event_name":"Stop"}`;
  return (await post(server, { path: '/v1/hooks/claude-code', contentType: 'application/json', body }))
    .status;
};

async function readiness() {
  const answer = await fetch(`${server.apiUrl}/readyz`);
  const { reasons } = (await answer.json()) as { reasons: string[] };
  return { status: answer.status, reasons };
}

const untilReady = () =>
  expect.poll(readiness, { timeout: 20_000 }).toMatchObject({ status: 200, reasons: [] });

/** A statement that the engine of the record store had begun may leave parts; they are a projection. All else stays away. */
async function removeLeftovers(): Promise<void> {
  if (!existsSync(data())) return;
  expect(await readdir(data())).toEqual(['records']);
  await rm(data(), { recursive: true });
}

describe('a server whose data folder was moved away', () => {
  it.each([
    ['and left nothing', false],
    ['and left an empty folder, as an unmount does', true],
  ])(
    '%s: is not ready, acknowledges nothing, writes nothing there, and goes on when it is back',
    async (_, isEmpty) => {
      for (let n = 0; n < 5; n += 1) expect(await send()).toBe(200);
      const sealed = await server.sealed();
      await rename(data(), moved());
      if (isEmpty) await mkdir(data());

      const gone = await readiness();
      expect(gone.status).toBe(503);
      expect(gone.reasons).toContain('DATA_FOLDER_CHANGED');
      for (let n = 0; n < 3; n += 1) expect(await send()).toBe(503);
      await delay(2_500);
      expect(await send()).toBe(503);
      expect(isEmpty ? await readdir(data()) : existsSync(data())).toEqual(isEmpty ? [] : false);
      expect(server.stderr()).toContain('the data folder changed under this process');

      if (isEmpty) await rmdir(data());
      await rename(moved(), data());
      await untilReady();
      expect(await send()).toBe(200);
      expect(await server.sealed()).toBe(sealed + 1);
      expect((await runAffidavit(['verify', join(data(), 'archive')])).code).toBe(0);
    },
  );

  it('keeps every event that it acknowledged while the folder was being moved', async () => {
    let acknowledged = 0;
    const over = new AbortController();
    const sending = (async () => {
      while (!over.signal.aborted) if ((await send()) === 200) acknowledged += 1;
    })();
    for (let n = 0; n < 5; n += 1) {
      await delay(300);
      await rename(data(), moved());
      await delay(300);
      await removeLeftovers();
      await rename(moved(), data());
    }
    over.abort();
    await sending;
    await untilReady();
    expect(acknowledged).toBeGreaterThan(0);
    // A request that was refused may have been applied; none that was acknowledged may be missing.
    expect(await server.sealed()).toBeGreaterThanOrEqual(acknowledged);
    expect((await runAffidavit(['verify', join(data(), 'archive')])).code).toBe(0);
  });
});

it('a server whose folder is now that of another deployment is not ready', async () => {
  await server.sealed();
  const other = join(folder.path, 'other');
  expect((await runAffidavit(['init'], { AFFIDAVIT_DATA: other })).code).toBe(0);
  await rename(data(), moved());
  await rename(other, data());
  expect(await send()).toBe(503);
  expect((await readiness()).reasons).toContain('DATA_FOLDER_CHANGED');
  const before = (await readdir(data(), { recursive: true })).filter((name) => !name.startsWith('records'));
  await delay(1_500);
  const after = (await readdir(data(), { recursive: true })).filter((name) => !name.startsWith('records'));
  expect(after.sort()).toEqual(before.sort());
  await rm(data(), { recursive: true });
  await rename(moved(), data());
  await untilReady();
});

it('a deployment file that was replaced makes the server not ready', async () => {
  const file = join(data(), 'keys', 'deployment.json');
  await rename(file, `${file}.kept`);
  expect(await readiness()).toMatchObject({ status: 503, reasons: ['DATA_FOLDER_CHANGED'] });
  await writeFile(file, '{"v":1,"origin":"another.example/log","created_at":"2026-11-21T09:00:00.000Z"}');
  expect((await readiness()).status).toBe(503);
  await rename(`${file}.kept`, file);
  await untilReady();
});
