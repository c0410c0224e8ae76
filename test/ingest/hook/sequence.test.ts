import { once } from 'node:events';
import {
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_VERSION } from '../../../ingest/hook/heartbeat.ts';
import { NativeEvent } from '../../../schemas/native-event.ts';
import { compileValidator } from '../../../schemas/validate.ts';
import {
  callHook,
  openInput,
  runHook,
  startHook,
  startStandIn,
  type Delivery,
  type StandIn,
} from '../../support/hook-client.ts';
import { makeTempDir } from '../../support/server.ts';

const NOBODY = 'http://127.0.0.1:9';
const START_MS = Date.UTC(2026, 0, 5);
const eventOf = (name: string) => JSON.stringify({ session_id: name, hook_event_name: 'SessionStart' });
const checkNative = compileValidator(NativeEvent);

interface Heartbeat {
  readonly type: string;
  readonly facts: { readonly collector_boot_id: string; readonly collector_sequence: number };
  readonly content: {
    readonly boot_id: string;
    readonly sequence: number;
    readonly first_sequence: number;
    readonly last_sequence: number;
    readonly queue_events: number;
    readonly queue_bytes: number;
    readonly lost_events: Record<string, number>;
    readonly client_version: string;
  };
}

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let collector: StandIn;
let nowMs: number;
const spool = () => join(folder.path, 'spool');
const count = (...name: string[]) => join(spool(), 'count', ...name);
const counters = () => readdirSync(count()).filter((name) => name.endsWith('.count'));
const argsTo = (url: string, ...more: string[]) => [
  ...['--url', url, '--spool', spool(), '--timeout', '60000'],
  ...more,
];
const callAt = (url: string, name: string, ...more: string[]) =>
  callHook(openInput(name === '' ? '' : eventOf(name)), argsTo(url, ...more), { now: () => nowMs });
const call = (name: string, ...more: string[]) => callAt(collector.url, name, ...more);
const callNobody = (name: string, ...more: string[]) => callAt(NOBODY, name, ...more);
const numberOf = ({ headers }: Delivery): [unknown, number] => [
  headers['affidavit-collector-boot'],
  Number(headers['affidavit-collector-sequence']),
];
const events = () => collector.deliveries.filter(({ path }) => path === '/v1/hooks/claude-code');
const sequences = () => events().map((delivery) => numberOf(delivery)[1]);
const boots = () => new Set(events().map((delivery) => numberOf(delivery)[0]));
const heartbeats = () =>
  collector.deliveries
    .filter(({ path }) => path === '/v1/events')
    .flatMap(({ body }) => [JSON.parse(body) as Heartbeat[]].flat())
    .filter(({ type }) => type === 'collector.heartbeat');
const ranges = () => heartbeats().map(({ content }) => [content.first_sequence, content.last_sequence]);

beforeEach(async () => {
  nowMs = START_MS;
  folder = await makeTempDir();
  collector = await startStandIn();
});
afterEach(async () => {
  await collector.close();
  await folder.remove();
});

describe('the number of an event', () => {
  it('counts from 1 under the id of a run, over processes', async () => {
    for (const name of ['a', 'b', 'c']) await runHook(eventOf(name), argsTo(collector.url));
    expect(sequences()).toEqual([1, 2, 3]);
    expect([...boots()]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  });

  it('is the one that the event had when it was spooled', async () => {
    for (const name of ['a', 'b']) await callNobody(name);
    collector.answer = 503;
    await call('c');
    collector.answer = 200;
    await call('');
    expect(sequences()).toEqual([1, 1, 2, 3]);
    expect(boots().size).toBe(1);
  });

  it('is also that of an event that finds no room, and a gap where it is lost', async () => {
    for (const name of ['a', 'b']) await callNobody(name, '--spool-files', '1');
    rmSync(join(spool(), 'backoff.json'));
    await call('c', '--spool-files', '1');
    expect(sequences()).toEqual([1, 3]);
    expect(readdirSync(join(spool(), 'lost'))).toContain('spool_full');
  });

  it('is not that of reports and heartbeats, which are no events', async () => {
    await call('0');
    for (const name of ['a', 'b']) await callNobody(name, '--spool-files', '1');
    nowMs += 120_000;
    await call('c', '--heartbeat-interval', '1');
    const own = collector.deliveries.filter(({ path }) => path === '/v1/events');
    expect(own).toHaveLength(2);
    for (const { headers } of own) expect(headers).not.toHaveProperty('affidavit-collector-sequence');
  });

  it('begins again at 1 under another id when the machine was restarted', async () => {
    await call('a');
    const run = JSON.parse(readFileSync(count('run'), 'utf8')) as object;
    writeFileSync(count('run'), JSON.stringify({ ...run, machine: 'earlier' }));
    await call('b');
    expect(sequences()).toEqual([1, 1]);
    expect(boots().size).toBe(2);
  });

  it.each(['', '{', '{"boot_id":"../../x","machine":"y"}', 'null'])(
    'begins again under another id when its file holds %j',
    async (text) => {
      await call('a');
      writeFileSync(count('run'), text);
      await call('b');
      expect(boots().size).toBe(2);
    },
  );

  it('begins again under another id before its file grows long', async () => {
    await call('a');
    truncateSync(count(counters()[0]!), 1024 * 1024);
    await call('b');
    expect(sequences()).toEqual([1, 1]);
  });

  it('is given once where 20 clients run at once', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    await Promise.all(names.map((name) => runHook(eventOf(name), argsTo(collector.url))));
    expect(sequences().sort((a, b) => a - b)).toEqual(names.map((_, index) => index + 1));
    expect(boots().size).toBe(1);
  });

  it('goes on where the file of the run is lost, and is not given again where an older one comes back', async () => {
    await call('a');
    const first = readFileSync(count('run'), 'utf8');
    rmSync(count('run'));
    await call('b');
    expect(sequences()).toEqual([1, 2]);
    const run = JSON.parse(first) as { boot_id: string };
    writeFileSync(count('run'), JSON.stringify({ ...run, machine: 'earlier' }));
    await call('c');
    rmSync(count(`${run.boot_id}.count`));
    writeFileSync(count('run'), first);
    await call('d');
    expect(sequences()).toEqual([1, 2, 1, 2]);
    expect(boots().size).toBe(2);
  });

  it('is never given twice, whenever clients are killed', async () => {
    for (let round = 0; round < 12; round += 1) {
      const children = ['a', 'b'].map((name) => {
        const child = startHook(argsTo(collector.url));
        child.stdin!.on('error', () => undefined).end(eventOf(`${name}${round}`));
        return child;
      });
      // From before the process runs at all to after its end.
      await pause(15 * round);
      await Promise.all(
        children.map(async (child) => {
          const closed = once(child, 'close');
          child.kill('SIGKILL');
          if (child.exitCode === null && child.signalCode === null) await closed;
        }),
      );
    }
    await callHook(openInput(eventOf('last')), argsTo(collector.url));
    const bodies = new Map<string, Set<string>>();
    for (const delivery of events()) {
      const number = numberOf(delivery).join(':');
      bodies.set(number, (bodies.get(number) ?? new Set()).add(delivery.body));
    }
    expect([...bodies.values()].filter(({ size }) => size > 1)).toEqual([]);
    // A missing event was killed between its number and the spool; there is no number beyond those given.
    const given = counters().reduce((sum, name) => sum + statSync(count(name)).size / 8, 0);
    expect(bodies.size).toBeLessThanOrEqual(given);
    expect(Math.max(...sequences())).toBeLessThanOrEqual(given);
  });
});

describe('a heartbeat', () => {
  it('goes with a call at most once in a minute, and the first a minute after the first call', async () => {
    await call('a');
    nowMs += 59_999;
    await call('b');
    expect(heartbeats()).toEqual([]);
    nowMs += 1;
    await call('c');
    nowMs += 59_999;
    await call('d');
    expect(ranges()).toEqual([[1, 3]]);
    nowMs += 1;
    await call('e');
    expect(ranges()).toEqual([
      [1, 3],
      [4, 5],
    ]);
  });

  it('tells how far the numbers went, what waits, what was lost and who speaks', async () => {
    await call('a');
    for (const name of ['b', 'c']) await callNobody(name, '--spool-files', '1');
    nowMs += 120_000;
    await call('', '--heartbeat-interval', '30');
    const [heartbeat] = heartbeats();
    const boot_id = [...boots()][0];
    expect(heartbeat).toMatchObject({
      type: 'collector.heartbeat',
      occurred_at: '2026-01-05T00:02:00.000Z',
      facts: { collector_boot_id: boot_id, collector_sequence: 3 },
      content: {
        ...{ boot_id, sequence: 3, first_sequence: 1, last_sequence: 3 },
        ...{ queue_events: 0, queue_bytes: 0, lost_events: { spool_full: 1 } },
        client_version: CLIENT_VERSION,
        ...{ sent_by: 'call', interval_ms: 30_000 },
      },
    });
    expect(checkNative(heartbeat)).toMatchObject({ ok: true });
  });

  it('is sent with the same bytes until it is answered for', async () => {
    await call('a');
    nowMs += 60_000;
    collector.answer = ({ path }) => (path === '/v1/events' ? 503 : 200);
    await call('b');
    collector.answer = 200;
    await call('c');
    const own = collector.deliveries.filter(({ path }) => path === '/v1/events');
    expect(own).toHaveLength(2);
    expect(own[1]!.body).toBe(own[0]!.body);
    expect(own[1]!.headers['idempotency-key']).toBe(own[0]!.headers['idempotency-key']);
    nowMs += 60_000;
    await call('d');
    expect(ranges().at(-1)).toEqual([3, 4]);
  });

  it('that the collector will never take does not stand in the way of the next', async () => {
    await call('a');
    nowMs += 60_000;
    collector.answer = ({ path }) => (path === '/v1/events' ? 400 : 200);
    await call('b');
    collector.answer = 200;
    nowMs += 60_000;
    await call('c');
    expect(ranges()).toEqual([
      [1, 2],
      [3, 3],
    ]);
  });

  it('reports a run that is over once more, and then forgets it', async () => {
    await call('a');
    await call('b');
    const old = counters()[0]!;
    const run = JSON.parse(readFileSync(count('run'), 'utf8')) as object;
    writeFileSync(count('run'), JSON.stringify({ ...run, machine: 'earlier' }));
    utimesSync(count(old), new Date(START_MS - 3_600_000), new Date(START_MS - 3_600_000));
    await call('c');
    nowMs += 60_000;
    await call('d');
    expect(ranges().sort()).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(counters()).toHaveLength(1);
    expect(counters()).not.toContain(old);
  });

  it('goes at once, without reading anything, when a timer asks for it', async () => {
    const child = startHook(argsTo(collector.url, '--heartbeat'));
    expect(await once(child, 'close')).toEqual([0, null]);
    nowMs = Date.now();
    expect(ranges()).toEqual([[1, 0]]);
    await call('a');
    await call('', '--heartbeat');
    expect(ranges()).toEqual([
      [1, 0],
      [1, 1],
    ]);
  });

  it('goes again after the clock was set back, and when what was known of it cannot be read', async () => {
    await call('a');
    nowMs -= 3_600_000;
    await call('b');
    expect(ranges()).toEqual([[1, 2]]);
    writeFileSync(count('heartbeat'), '{');
    await call('c');
    nowMs += 60_000;
    await call('d');
    expect(ranges().at(-1)).toEqual([1, 4]);
  });

  it('names the version of the package', () => {
    const { version } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'),
    ) as {
      version: string;
    };
    expect(CLIENT_VERSION).toBe(version);
  });
});
