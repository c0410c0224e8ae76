import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { mountDisk } from '../support/mounted-disk.ts';
import { getAll, post, runAffidavit, startServer, type TestServer } from '../support/server.ts';

/** Room for what the server makes at its start, the event log's pages and the filler. */
const MIB = 1024 * 1024;
const DISK_BYTES = 256 * MIB;

const disk = await mountDisk(DISK_BYTES);
if (disk === undefined) {
  process.stderr.write('a full disk is not tested: mounting a tmpfs was refused (it needs root on Linux)\n');
}

interface Answers {
  readonly acknowledged: Set<string>;
  readonly statuses: Map<number, number>;
  readonly withoutRetryAfter: number[];
}

const eventOf = (name: string) =>
  JSON.stringify({
    type: 'disk.test',
    session_id: name,
    content: { text: `${name} ${'x'.repeat(100_000)}` },
  });

/** Posts events one after another on several connections until `isEnough` says so. */
async function load(
  server: TestServer,
  answers: Answers,
  prefix: string,
  isEnough: () => boolean,
): Promise<void> {
  let next = 0;
  const sender = async () => {
    while (!isEnough()) {
      const name = `${prefix}-${String((next += 1))}`;
      const answer = await post(server, {
        path: '/v1/events',
        contentType: 'application/json',
        body: eventOf(name),
      });
      await answer.arrayBuffer();
      answers.statuses.set(answer.status, (answers.statuses.get(answer.status) ?? 0) + 1);
      if (answer.status === 200) answers.acknowledged.add(name);
      else if (answer.headers.get('retry-after') === null) answers.withoutRetryAfter.push(answer.status);
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
}

interface Readiness {
  readonly ready: boolean;
  readonly reasons: string[];
}

async function readiness(server: TestServer): Promise<Readiness & { status: number }> {
  const answer = await fetch(`${server.apiUrl}/readyz`);
  return { ...((await answer.json()) as Readiness), status: answer.status };
}

describe.skipIf(disk === undefined)('the pipeline on a full disk', () => {
  let server: TestServer | undefined;
  afterEach(async () => {
    server?.process.kill('SIGKILL');
    await delay(200);
    await disk?.remove();
  });

  it('pushes back, says why, loses nothing that it acknowledged, and goes on when there is room', async () => {
    const data = join(disk!.path, 'data');
    server = await startServer(data, { AFFIDAVIT_LOG_LEVEL: 'warn' });
    const answers: Answers = { acknowledged: new Set(), statuses: new Map(), withoutRetryAfter: [] };
    await load(server, answers, 'before', () => answers.acknowledged.size >= 20);
    await server.sealed();
    await disk!.fill(60 * MIB);
    await load(server, answers, 'reserve', () => (answers.statuses.get(503) ?? 0) >= 20);
    // The receivers stopped before the disk was full, so what they had taken was still sealed.
    await server.sealed();
    await disk!.fill(41 * MIB);
    const filling = load(server, answers, 'full', () => (answers.statuses.get(503) ?? 0) >= 60);
    await disk!.fill(0);
    await filling;
    expect(server.process.exitCode).toBeNull();
    expect([...answers.statuses.keys()].sort()).toEqual([200, 503]);
    expect(answers.withoutRetryAfter).toEqual([]);
    await disk!.free();
    await expect.poll(() => readiness(server!), { timeout: 20_000 }).toMatchObject({ ready: true });
    const refusedBefore = answers.statuses.get(503);
    await load(server, answers, 'after', () => answers.acknowledged.has('after-20'));
    expect(answers.statuses.get(503)).toBe(refusedBefore);
    await server.sealed();
    const records = await getAll<{ facts: { session_id: string } }>(server, '/v1/records?limit=200');
    const sealed = records.map(({ facts }) => facts.session_id);
    expect(new Set(sealed).size).toBe(sealed.length);
    expect([...answers.acknowledged].filter((name) => !sealed.includes(name))).toEqual([]);
    expect(await server.stop()).toBe(0);
    const verified = await runAffidavit(['verify', join(data, 'archive'), '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true });
  });
});
