import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Collector, PATHS } from '../../../ingest/hook/collector.ts';
import { readSettings } from '../../../ingest/hook/settings.ts';
import type { HookWorld } from '../../../ingest/hook/world.ts';
import { callHook, openInput, runHook, startStandIn, type StandIn } from '../../support/hook-client.ts';
import { findHostName } from '../../support/host-name.ts';
import { makeTempDir } from '../../support/server.ts';

const ABSENT = 'http://absent.invalid:1';
/** Limits are tested elsewhere; here a machine may be slow to start a process. */
const PATIENT = ['--timeout', '20000'];
const eventOf = (name: string) => JSON.stringify({ session_id: name, hook_event_name: 'SessionStart' });

let folder: Awaited<ReturnType<typeof makeTempDir>>;
const spool = () => join(folder.path, 'spool');
const waiting = () =>
  existsSync(spool()) ? readdirSync(spool()).filter((name) => /^[0-9].*\.json$/.test(name)) : [];

beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(() => folder.remove());

const host = await findHostName();

describe.skipIf(host === undefined)('a collector that has a host name', () => {
  let collector: StandIn;
  beforeEach(async () => {
    collector = await startStandIn(0, host!.address);
  });
  afterEach(() => collector.close());
  const url = () => `http://${host!.name}:${new URL(collector.url).port}`;

  it('gets the event', async () => {
    const run = await runHook(eventOf('a'), ['--url', url(), '--spool', spool(), ...PATIENT]);
    expect(run).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(collector.deliveries.map(({ body }) => body)).toEqual([eventOf('a')]);
    expect(collector.deliveries[0]!.headers.host).toBe(new URL(url()).host);
    expect(waiting()).toEqual([]);
  });

  it('gets the event of a call whose spool is full, and the call is not stopped', async () => {
    const args = ['--url', url(), '--spool', spool(), '--spool-files', '0', '--enforce', ...PATIENT];
    expect(await runHook(eventOf('a'), args)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(collector.deliveries.map(({ body }) => body)).toEqual([eventOf('a')]);
  });
});

describe('a collector whose name cannot be looked up', () => {
  const execPath = process.execPath;
  afterEach(() => {
    process.execPath = execPath;
  });
  afterAll(() => expect(process.execPath).toBe(execPath));

  it('leaves the event in the spool where the process for it cannot be started', async () => {
    // Refused at once, as a full memory is, and not by an event of the process.
    process.execPath = 'no\0path';
    const run = await callHook(openInput(eventOf('a')), ['--url', ABSENT, '--spool', spool(), ...PATIENT]);
    expect(run).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(waiting()).toHaveLength(1);
  });

  it('leaves the event in the spool where the process for it prints something else', async () => {
    const preload = "data:text/javascript,console.log('preloaded')";
    const args = ['--url', ABSENT, '--spool', spool(), ...PATIENT];
    const run = await runHook(eventOf('a'), args, { NODE_OPTIONS: `--import=${preload}` });
    expect(run).toEqual({ code: 0, stdout: 'preloaded\n', stderr: '' });
    expect(waiting()).toHaveLength(1);
  });
});

describe('a request that cannot be made', () => {
  it('is one for later, and the reason is noted', async () => {
    let notes = '';
    const world: HookWorld = {
      argv: ['--url', ABSENT],
      env: { AFFIDAVIT_COLLECTOR_TOKEN: 'two\nlines' },
      stdin: process.stdin,
      print: () => undefined,
      note: (text) => void (notes += text),
      now: Date.now,
      elapsedMs: () => 0,
      newId: () => 'id',
      stop: new AbortController().signal,
    };
    const collector = new Collector(readSettings(world)!, world, () => 1000);
    expect(await collector.post(PATHS.event, Buffer.from(eventOf('a')), { name: 'a' })).toBe('retry');
    expect(collector.contact).toBe('untried');
    expect(notes).toBe('affidavit hook: the request to the collector cannot be made: ERR_INVALID_CHAR\n');
    collector.close();
  });
});
