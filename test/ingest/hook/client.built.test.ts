import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endOf, runHook, startHook, startStandIn, type StandIn } from '../../support/hook-client.ts';
import { COLLECTOR_TOKEN, makeTempDir, MAIN, runAffidavit } from '../../support/server.ts';

const NOBODY = 'http://127.0.0.1:9';
const ENTRY = /^[0-9]{15}-[0-9]{6}-[0-9]+-[0-9a-f]{8}-[0-9]+(\.[0-9a-f]{32}\.[0-9]+)?\.json$/;
const eventOf = (name: string) => JSON.stringify({ session_id: name, hook_event_name: 'SessionStart' });

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let collector: StandIn;
const spool = () => join(folder.path, 'spool');
const waiting = () =>
  (existsSync(spool()) ? readdirSync(spool()).filter((name) => ENTRY.test(name)) : []).sort();
/** Limits are tested elsewhere; here a machine may be slow to start a process. */
const PATIENT = ['--timeout', '20000'];
const hook = (event: string, ...args: string[]) =>
  runHook(event, ['--url', collector.url, '--spool', spool(), ...PATIENT, ...args]);
const hookAway = (event: string, ...args: string[]) =>
  runHook(event, ['--url', NOBODY, '--spool', spool(), ...PATIENT, ...args]);
const sessions = () =>
  collector.deliveries
    .filter(({ path }) => path === '/v1/hooks/claude-code')
    .map(({ body }) => (JSON.parse(body) as { session_id: string }).session_id);

beforeEach(async () => {
  folder = await makeTempDir();
  collector = await startStandIn();
});
afterEach(async () => {
  await collector.close();
  await folder.remove();
});

describe('delivery', () => {
  it('sends the bytes as they are with the token, says nothing and leaves nothing behind', async () => {
    const run = await hook(eventOf('a'));
    expect(run).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(collector.deliveries).toMatchObject([
      {
        path: '/v1/hooks/claude-code',
        body: eventOf('a'),
        headers: { authorization: `Bearer ${COLLECTOR_TOKEN}`, 'content-type': 'application/json' },
      },
    ]);
    expect(collector.deliveries[0]!.headers['idempotency-key']).toMatch(/^[0-9a-f]{64}$/);
    expect(waiting()).toEqual([]);
  });

  it('takes the token from a file and the address from the environment', async () => {
    await writeFile(join(folder.path, 'token'), 'from-file\n');
    const args = ['--spool', spool(), '--token-file', join(folder.path, 'token')];
    const run = await runHook(eventOf('a'), args, { AFFIDAVIT_HOOK_URL: `${collector.url}/` });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(collector.deliveries[0]!.headers.authorization).toBe('Bearer from-file');
  });

  it('resolves the name of a collector without holding the process', async () => {
    const run = await runHook(eventOf('a'), ['--url', 'http://absent.invalid:1', '--spool', spool()]);
    expect(run).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting()).toHaveLength(1);
  });

  it('forwards input that is not JSON, because the collector decides', async () => {
    await hook('{"cut');
    expect(collector.deliveries.map(({ body }) => body)).toEqual(['{"cut']);
  });

  it('has nothing to do without input', async () => {
    expect(await hook('')).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(collector.deliveries).toEqual([]);
    expect(waiting()).toEqual([]);
  });

  it('keeps one spool per collector where none is named', async () => {
    const env = { XDG_STATE_HOME: folder.path };
    await runHook(eventOf('a'), ['--url', NOBODY], env);
    await runHook(eventOf('b'), ['--url', collector.url], env);
    expect(sessions()).toEqual(['b']);
    expect(readdirSync(join(folder.path, 'affidavit', 'hook'))).toHaveLength(2);
  });
});

describe('the spool', () => {
  it('keeps events while the collector is away and sends them in order before the new one', async () => {
    for (const name of ['a', 'b', 'c'])
      expect(await hookAway(eventOf(name))).toMatchObject({ code: 0, stdout: '' });
    const names = waiting();
    expect(names).toHaveLength(3);
    const key = createHash('sha256').update(names[0]!).update(eventOf('a')).digest('hex');
    await hook(eventOf('d'));
    expect(sessions()).toEqual(['a', 'b', 'c', 'd']);
    expect(collector.deliveries[0]!.headers['idempotency-key']).toBe(key);
    expect(waiting()).toEqual([]);
  });

  it('is sent by a call without input', async () => {
    await hookAway(eventOf('a'));
    await hook('');
    expect(sessions()).toEqual(['a']);
  });

  it('is for its owner only', async () => {
    await hookAway(eventOf('a'));
    for (const path of [spool(), join(spool(), 'lost'), join(spool(), 'refused')]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
    expect(statSync(join(spool(), waiting()[0]!)).mode & 0o777).toBe(0o600);
  });

  it('is not used where others can reach into it', async () => {
    await mkdir(spool());
    await chmod(spool(), 0o755);
    expect(await hook(eventOf('a'))).toMatchObject({ code: 0, stdout: '' });
    expect(sessions()).toEqual(['a']);
    expect(await hookAway(eventOf('b'), '--enforce')).toMatchObject({ code: 2, stdout: '' });
    expect(waiting()).toEqual([]);
  });

  it.each([401, 403, 408, 429, 500, 503, 302])('keeps an event that is answered with %i', async (status) => {
    collector.answer = status;
    expect(await hook(eventOf('a'), '--enforce')).toMatchObject({ code: 0, stdout: '' });
    expect(waiting()).toHaveLength(1);
    const { headers } = collector.deliveries[0]!;
    collector.answer = 200;
    await hook(eventOf('b'));
    expect(sessions()).toEqual(['a', 'a', 'b']);
    expect(collector.deliveries[1]!.headers['idempotency-key']).toBe(headers['idempotency-key']);
    expect(collector.deliveries[2]!.headers['idempotency-key']).not.toBe(headers['idempotency-key']);
  });

  it('keeps its order when the clock was set back', async () => {
    await mkdir(spool(), { mode: 0o700 });
    const future = `${String(Date.now() + 3_600_000).padStart(15, '0')}-000000-1-00000000-${eventOf('a').length}.json`;
    await writeFile(join(spool(), future), eventOf('a'), { mode: 0o600 });
    await hookAway(eventOf('b'));
    await hook(eventOf('c'));
    expect(sessions()).toEqual(['a', 'b', 'c']);
  });

  it('keeps the oldest when it is full, and tells the collector once how many it refused', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await hookAway(eventOf(name), '--spool-files', '2');
    expect(waiting()).toHaveLength(2);
    expect(await hookAway(eventOf('e'), '--spool-files', '2', '--enforce')).toMatchObject({ code: 2 });
    expect((await hookAway(eventOf('f'), '--spool-bytes', '60')).stderr).toContain('spool_full');
    await hook(eventOf('g'), '--spool-files', '2');
    expect(sessions()).toEqual(['a', 'b', 'g']);
    const reports = collector.deliveries.filter(({ path }) => path === '/v1/events');
    expect(reports.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      [
        {
          type: 'collector.loss',
          facts: { reason: 'spool_full', metric_value: '4' },
          content: { lost_count: 4 },
        },
      ],
    ]);
    await hook(eventOf('h'));
    expect(collector.deliveries.at(-1)!.body).toBe(eventOf('h'));
  });

  it('sends a report that was not acknowledged again with the same bytes', async () => {
    for (const name of ['a', 'b']) await hookAway(eventOf(name), '--spool-files', '1');
    collector.answer = ({ path }) => (path === '/v1/events' ? 503 : 200);
    await hook(eventOf('c'));
    await hookAway(eventOf('d'));
    await hookAway(eventOf('e'), '--spool-files', '1');
    collector.answer = 200;
    await hook('');
    await hook('');
    const reports = collector.deliveries.filter(({ path }) => path === '/v1/events');
    const counts = reports.map(
      ({ body }) => (JSON.parse(body) as { content: { lost_count: number } }[])[0]!.content.lost_count,
    );
    expect(counts).toEqual([1, 1, 1]);
    expect(reports[1]).toEqual({ ...reports[0], headers: expect.anything() as unknown });
    expect(reports[1]!.headers['idempotency-key']).toBe(reports[0]!.headers['idempotency-key']);
    expect(reports[2]!.body).not.toBe(reports[1]!.body);
  });

  it('puts aside what the collector will never take, goes on, and counts it', async () => {
    await hookAway(eventOf('bad'));
    collector.answer = ({ body }) => (body.includes('"bad"') ? 400 : 200);
    expect(await hook(eventOf('good'))).toMatchObject({ code: 0, stdout: '' });
    expect(sessions()).toEqual(['bad', 'good']);
    expect(waiting()).toEqual([]);
    expect(readdirSync(join(spool(), 'refused'))).toHaveLength(1);
    expect(JSON.parse(collector.deliveries.at(-1)!.body)).toMatchObject([
      { facts: { reason: 'refused_400' } },
    ]);
    const enforced = await hook(eventOf('bad'), '--enforce', '--spool-files', '10');
    expect(enforced).toMatchObject({ code: 2, stdout: '' });
    expect(enforced.stderr).toContain('refused_400');
    // A tenth of the bound is kept, so the second is not.
    expect(readdirSync(join(spool(), 'refused'))).toHaveLength(1);
  });
});

describe('many at once', () => {
  it('delivers each of 20 events once when the collector is away and comes back', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    await Promise.all(names.slice(0, 10).map((name) => hookAway(eventOf(name), '--timeout', '20000')));
    expect(waiting()).toHaveLength(10);
    await Promise.all(names.slice(10).map((name) => hook(eventOf(name), '--timeout', '20000')));
    expect(sessions().sort()).toEqual([...names].sort());
    expect(waiting()).toEqual([]);
    expect(new Set(collector.deliveries.map(({ headers }) => headers['idempotency-key'])).size).toBe(20);
  });

  it('leaves its event to the one that sends', async () => {
    await hookAway(eventOf('a'));
    symlinkSync(`${hostname()}:${process.pid}:other`, join(spool(), 'lock'));
    await hook(eventOf('b'));
    expect(sessions()).toEqual([]);
    expect(waiting()).toHaveLength(2);
  });

  it.each([
    ['is gone', `${hostname()}:4194305:other`],
    ['was of another machine', 'elsewhere:1:other'],
  ])('takes over from a sender that %s', async (_, owner) => {
    await hookAway(eventOf('a'));
    const lock = join(spool(), 'lock');
    symlinkSync(owner, lock);
    if (owner.startsWith('elsewhere')) {
      const { lutimesSync } = await import('node:fs');
      lutimesSync(lock, new Date(0), new Date(0));
    }
    await hook(eventOf('b'));
    expect(sessions()).toEqual(['a', 'b']);
    expect(readdirSync(spool()).sort()).toEqual(['count', 'lost', 'refused']);
  });
});

describe('a client that is stopped', () => {
  it('loses nothing by kill -9 while it waits for an answer', async () => {
    collector.answer = 'hang';
    const child = startHook(['--url', collector.url, '--spool', spool(), '--timeout', '30000']);
    child.stdin!.end(eventOf('a'));
    await vi.waitUntil(() => collector.deliveries.length === 1, { timeout: 20_000 });
    child.kill('SIGKILL');
    await once(child, 'close');
    collector.answer = 200;
    await hook(eventOf('b'));
    expect(sessions()).toEqual(['a', 'a', 'b']);
    const [first, again] = collector.deliveries;
    expect(again!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
  });

  it('completes what another had written and counts what it had not', async () => {
    await hookAway(eventOf('z'));
    const prefix = `${'0'.repeat(15)}-000000-1-00000000-`;
    const whole = `${prefix}${eventOf('a').length}.json`;
    writeFileSync(join(spool(), `${whole}.part`), eventOf('a'));
    const half = join(spool(), `${prefix}999.json.part`);
    writeFileSync(half, '{"half');
    utimesSync(half, new Date(0), new Date(0));
    await hook('');
    expect(sessions()).toEqual(['a', 'z']);
    // The key of the name without its ending: who finishes what another began sends the same event.
    const key = createHash('sha256').update(whole).update(eventOf('a')).digest('hex');
    expect(collector.deliveries[0]!.headers['idempotency-key']).toBe(key);
    expect(JSON.parse(collector.deliveries.at(-1)!.body)).toMatchObject([
      { facts: { reason: 'incomplete', metric_value: '1' } },
    ]);
    expect(readdirSync(spool()).sort()).toEqual(['count', 'lost', 'refused']);
  });

  it('spools what it has read when it is asked to end', async () => {
    const child = startHook(['--url', collector.url, '--spool', spool(), '--timeout', '30000']);
    const ended = endOf(child);
    collector.answer = 'hang';
    child.stdin!.end(eventOf('a'));
    await vi.waitUntil(() => collector.deliveries.length === 1, { timeout: 20_000 });
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stdout: '' });
    expect(waiting()).toHaveLength(1);
  });
});

describe('usage', () => {
  it.each([
    ['an unknown option', ['--nonsense']],
    ['a limit that is not a number', ['--timeout', 'soon']],
    ['a token file that is not there', ['--token-file', '/nonexistent/token']],
  ])('does not stop an agent for %s', async (_, args) => {
    const run = await hook(eventOf('a'), ...args);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).not.toBe('');
    expect(sessions()).toEqual(['a']);
  });

  it('spools where no collector is named', async () => {
    const run = await runHook(eventOf('a'), ['--spool', spool()]);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).toContain('AFFIDAVIT_HOOK_URL');
    expect(waiting()).toHaveLength(1);
  });

  it('is explained with --help', async () => {
    const { code, stdout } = await runAffidavit(['hook', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: affidavit hook');
  });

  it('leaves the other commands their strict reading of the environment', async () => {
    const run = await runAffidavit(['config', 'check'], { AFFIDAVIT_HOOK_URL: NOBODY });
    expect(run.code).toBe(0);
  });

  it('is one file that runs alone in a folder with nothing else', async () => {
    const built = await readFile(join(MAIN, '..', 'hook.mjs'), 'utf8');
    const imports = [...built.matchAll(/\b(?:from|import\() ?['"]([^'"]+)['"]/g)].map(([, name]) => name!);
    expect(imports.length).toBeGreaterThan(5);
    expect(imports.filter((name) => !name.startsWith('node:'))).toEqual([]);
    const elsewhere = join(folder.path, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'hook.mjs'), built);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      join(elsewhere, 'hook.mjs'),
      '--help',
    ]);
    expect(stdout).toContain('Usage: affidavit hook');
    expect(stderr).toBe('');
  });
});
