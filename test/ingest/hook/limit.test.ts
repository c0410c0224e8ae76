import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  callHook,
  endOf,
  openInput,
  runHook,
  startHook,
  startStandIn,
  type StandIn,
} from '../../support/hook-client.ts';
import { makeTempDir } from '../../support/server.ts';

const NOBODY = 'http://127.0.0.1:9';
const eventOf = (name: string) => JSON.stringify({ session_id: name, hook_event_name: 'SessionStart' });

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let collector: StandIn;
const spool = () => join(folder.path, 'spool');
const waiting = () =>
  existsSync(spool())
    ? readdirSync(spool())
        .filter((name) => /^[0-9].*\.json$/.test(name))
        .sort()
    : [];
const bodyOf = (name: string) => readFileSync(join(spool(), name), 'utf8');

beforeEach(async () => {
  folder = await makeTempDir();
  collector = await startStandIn();
});
afterEach(async () => {
  vi.useRealTimers();
  await collector.close();
  await folder.remove();
});

/** Resolves when a request has come in that will not be answered. */
function hang(): Promise<void> {
  return new Promise((resolve) => {
    collector.answer = () => {
      resolve();
      return 'hang';
    };
  });
}

describe('the limit, by a clock of the test', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });

  it('ends the wait for an answer at 85 %, and the event is kept', async () => {
    const reached = hang();
    const call = callHook(openInput(eventOf('a')), ['--url', collector.url, '--spool', spool()]);
    await reached;
    vi.advanceTimersByTime(1699);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(vi.getTimerCount()).toBe(0);
    expect(await call).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting().map(bodyOf)).toEqual([eventOf('a')]);
    vi.useRealTimers();
    await vi.waitUntil(() => collector.abandoned === 1, { timeout: 20_000 });
  });

  it('ends the wait for the end of the input at 75 %, and what came is kept', async () => {
    const input = openInput();
    const call = callHook(input, ['--url', NOBODY, '--spool', spool(), '--timeout', '1000']);
    input.write(eventOf('a'));
    await turn();
    vi.advanceTimersByTime(749);
    await turn();
    expect(input.destroyed).toBe(false);
    expect(waiting()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(input.destroyed).toBe(true);
    expect(await call).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting().map(bodyOf)).toEqual([eventOf('a')]);
  });

  it.each([
    ['', [], 0],
    [', and blocks the call under --enforce', ['--enforce'], 2],
  ])('counts an event as lost that never came on an open input%s', async (_, more, code) => {
    const input = openInput();
    const args = ['--url', NOBODY, '--spool', spool(), '--timeout', '1000', ...more];
    const call = callHook(input, args);
    await turn();
    vi.advanceTimersByTime(750);
    const { stderr, ...ended } = await call;
    expect(ended).toEqual({ code, stdout: '' });
    expect(stderr).toBe('affidavit hook: the event was neither delivered nor spooled: incomplete\n');
    expect(readFileSync(join(spool(), 'lost', 'incomplete'))).toHaveLength(1);
  });

  it('counts nothing as lost where the input ends without an event', async () => {
    const call = callHook(openInput(''), ['--url', NOBODY, '--spool', spool(), '--timeout', '1000']);
    expect(await call).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(join(spool(), 'lost', 'incomplete'))).toBe(false);
  });

  it('reads an event that waits in the pipe, though the process started when its time was up', async () => {
    const args = ['--url', NOBODY, '--spool', spool(), '--timeout', '1000'];
    const elapsedMs = () => 5_000;
    const call = callHook(openInput(eventOf('late')), args, { elapsedMs });
    expect(await call).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting().map(bodyOf)).toEqual([eventOf('late')]);
  });

  it('leaves the rest of a long spool to later calls', async () => {
    mkdirSync(spool(), { mode: 0o700 });
    const old = Array.from({ length: 200 }, (_, index) => eventOf(`old-${index}`));
    for (const [index, body] of old.entries()) {
      const name = `${String(index).padStart(15, '0')}-000000-1-00000000-${body.length}.json`;
      writeFileSync(join(spool(), name), body, { mode: 0o600 });
    }
    const args = ['--url', collector.url, '--spool', spool(), '--timeout', '1000'];
    // Each delivery takes 10 ms of the 850.
    const elapsedMs = () => collector.deliveries.length * 10;
    expect(await callHook(openInput(eventOf('new')), args, { elapsedMs })).toMatchObject({ code: 0 });
    expect(collector.deliveries.map(({ body }) => body)).toEqual(old.slice(0, 85));
    expect(waiting().map(bodyOf)).toEqual([...old.slice(85), eventOf('new')]);
  });
});

describe('the limit of a process', () => {
  it('ends it with a collector that never answers, and the event is kept', async () => {
    collector.answer = 'hang';
    const args = ['--url', collector.url, '--spool', spool(), '--timeout', '4000'];
    expect(await runHook(eventOf('a'), args)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting().map(bodyOf)).toEqual([eventOf('a')]);
  });

  it('ends it with an agent that never ends its input', async () => {
    const child = startHook(['--url', NOBODY, '--spool', spool(), '--timeout', '4000']);
    child.stdin!.on('error', () => undefined).write(eventOf('a'));
    expect(await endOf(child)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting().map(bodyOf)).toEqual([eventOf('a')]);
  });
});
