import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { callHook, openInput, runHook, startStandIn, type StandIn } from '../../support/hook-client.ts';
import { makeTempDir } from '../../support/server.ts';

const NOBODY = 'http://127.0.0.1:9';
const START_MS = Date.UTC(2026, 0, 5);
const eventOf = (name: string) => JSON.stringify({ session_id: name, hook_event_name: 'SessionStart' });

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let collector: StandIn;
let nowMs: number;
const spool = () => join(folder.path, 'spool');
const state = () => join(spool(), 'backoff.json');
const waiting = () => readdirSync(spool()).filter((name) => /^[0-9].*\.json$/.test(name)).length;
const sessions = () =>
  collector.deliveries
    .filter(({ path }) => path === '/v1/hooks/claude-code')
    .map(({ body }) => (JSON.parse(body) as { session_id: string }).session_id);
const callAt = (url: string, name: string, args: readonly string[]) =>
  callHook(openInput(name === '' ? '' : eventOf(name)), ['--url', url, '--spool', spool(), ...args], {
    now: () => nowMs,
  });
const call = (name: string, ...args: string[]) => callAt(collector.url, name, args);
const callNobody = (name: string, ...args: string[]) => callAt(NOBODY, name, args);

/** A call whose limit passes without an answer, in no time. */
async function callInVain(name: string, ...args: string[]): Promise<number | null> {
  const answerBefore = collector.answer;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  collector.answer = () => {
    setImmediate(() => vi.advanceTimersByTime(2000));
    return 'hang';
  };
  const { code } = await call(name, ...args);
  vi.useRealTimers();
  collector.answer = answerBefore;
  return code;
}

beforeEach(async () => {
  nowMs = START_MS;
  folder = await makeTempDir();
  collector = await startStandIn();
});
afterEach(async () => {
  vi.useRealTimers();
  await collector.close();
  await folder.remove();
});

describe('after a collector that did not answer', () => {
  it('calls only spool for 10 s, and the first after that sends all in order', async () => {
    await callInVain('a');
    nowMs += 9_999;
    expect(await call('b', '--enforce')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(sessions()).toEqual(['a']);
    expect(waiting()).toBe(2);
    nowMs += 1;
    await call('c');
    expect(sessions()).toEqual(['a', 'a', 'b', 'c']);
    expect(waiting()).toBe(0);
    expect(readdirSync(spool()).sort()).toEqual(['count', 'lost', 'refused']);
  });

  it('the window doubles to two minutes and starts at 10 s again after an answer', async () => {
    const lengthsMs: number[] = [];
    for (let failure = 0; failure < 6; failure += 1) {
      await callInVain(`failure-${failure}`);
      const { until_ms } = JSON.parse(readFileSync(state(), 'utf8')) as { until_ms: number };
      lengthsMs.push(until_ms - nowMs);
      nowMs = until_ms;
    }
    expect(lengthsMs).toEqual([10_000, 20_000, 40_000, 80_000, 120_000, 120_000]);
    await call('back');
    expect(waiting()).toBe(0);
    await callInVain('away');
    nowMs += 10_000;
    await call('again');
    expect(sessions().slice(-3)).toEqual(['away', 'away', 'again']);
  });

  it('a connection that is refused counts as well', async () => {
    await callNobody('a');
    expect(JSON.parse(readFileSync(state(), 'utf8'))).toMatchObject({
      length_ms: 10_000,
      until_ms: START_MS + 10_000,
    });
  });

  it.each([401, 429, 503])('the answer %i ends the window, because it came', async (status) => {
    await callInVain('a');
    nowMs += 10_000;
    collector.answer = status;
    await call('b');
    collector.answer = 200;
    await call('c');
    expect(sessions()).toEqual(['a', 'a', 'a', 'b', 'c']);
  });

  it('other processes know it', async () => {
    nowMs = Date.now();
    await callInVain('a');
    // As long as a window can be, for a machine that is slow to start a process.
    const window = JSON.parse(readFileSync(state(), 'utf8')) as object;
    writeFileSync(state(), JSON.stringify({ ...window, length_ms: 120_000, until_ms: nowMs + 120_000 }));
    const args = ['--url', collector.url, '--spool', spool(), '--timeout', '20000'];
    expect(await runHook(eventOf('b'), args)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(sessions()).toEqual(['a']);
    expect(waiting()).toBe(2);
  });
});

describe('a window', () => {
  it('is void when the clock was set back to before it', async () => {
    await callInVain('a');
    nowMs -= 1;
    await call('b');
    expect(sessions()).toEqual(['a', 'a', 'b']);
  });

  it.each([
    ['is empty', ''],
    ['is not an object', 'null'],
    ['has no bounds', '{}'],
    ['would last for a day', { length_ms: 86_400_000, until_ms: START_MS + 86_400_000 }],
    ['ends at no time', { length_ms: 10_000, until_ms: 'soon' }],
  ])('is void when its file %s', async (_, written) => {
    await callInVain('a');
    const window = JSON.parse(readFileSync(state(), 'utf8')) as object;
    writeFileSync(state(), typeof written === 'string' ? written : JSON.stringify({ ...window, ...written }));
    await call('b');
    expect(sessions()).toEqual(['a', 'a', 'b']);
  });

  it('does not apply to another collector', async () => {
    await callNobody('a');
    await call('b');
    expect(sessions()).toEqual(['a', 'b']);
  });

  it('does not begin where a long spool outlasts the limit', async () => {
    for (const name of ['a', 'b']) await callNobody(name);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    collector.answer = ({ body }) => {
      if (body.includes('"a"')) return 200;
      setImmediate(() => vi.advanceTimersByTime(2000));
      return 'hang';
    };
    await call('c');
    vi.useRealTimers();
    expect(sessions()).toEqual(['a', 'b']);
    expect(existsSync(state())).toBe(false);
  });

  it('does not begin where the call itself was asked to end', async () => {
    const stop = new AbortController();
    collector.answer = () => {
      stop.abort();
      return 'hang';
    };
    await callHook(openInput(eventOf('a')), ['--url', collector.url, '--spool', spool()], {
      stop: stop.signal,
    });
    expect(waiting()).toBe(1);
    expect(existsSync(state())).toBe(false);
  });

  it('does not hold a call without input, which is there to send', async () => {
    await callInVain('a');
    await call('');
    expect(sessions()).toEqual(['a', 'a']);
    expect(waiting()).toBe(0);
  });

  it('loses no event: one that finds no room is still sent, after the waiting ones', async () => {
    await callInVain('a');
    expect(await call('b', '--spool-files', '1', '--enforce')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(sessions()).toEqual(['a', 'a', 'b']);
  });

  it('leaves --enforce its meaning: 2 for an event that was tried and had no room', async () => {
    await callInVain('a');
    expect(await callInVain('b', '--spool-files', '1', '--enforce')).toBe(2);
    expect(readFileSync(join(spool(), 'lost', 'spool_full'), 'utf8')).toBe('.');
    await call('');
    expect(JSON.parse(collector.deliveries.at(-1)!.body)).toMatchObject([
      { facts: { reason: 'spool_full', metric_value: '1' } },
    ]);
  });
});
