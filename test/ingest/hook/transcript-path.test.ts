import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callHook, openInput, runHook, startStandIn, type StandIn } from '../../support/hook-client.ts';
import { COLLECTOR_TOKEN, makeTempDir } from '../../support/server.ts';

const ROUTE = '/v1/transcripts/claude-code';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let collector: StandIn;
const home = () => join(folder.path, 'home');
const spool = () => join(folder.path, 'spool');
const main = () => join(home(), 'session.jsonl');

beforeEach(async () => {
  folder = await makeTempDir();
  mkdirSync(home());
  collector = await startStandIn();
});
afterEach(async () => {
  await collector.close();
  await folder.remove();
});

const line = (uuid: string, more: object = {}) => `${JSON.stringify({ type: 'user', uuid, ...more })}\n`;
const lines = (...uuids: string[]) => uuids.map((uuid) => line(uuid)).join('');
const eventOf = (name: string, more: object = { transcript_path: main() }) =>
  JSON.stringify({ session_id: 's', hook_event_name: name, ...more });
const argsTo = (url: string, ...more: string[]) => [
  ...['--url', url, '--spool', spool(), '--transcripts', '--transcript-root', home()],
  ...more,
];
const call = (event: string, ...more: string[]) =>
  callHook(openInput(event), argsTo(collector.url, '--timeout', '60000', ...more));
const stop = () => call(eventOf('Stop'));
const sent = () => collector.deliveries.filter(({ path }) => path === ROUTE).map(({ body }) => body);

describe('a hostile event', () => {
  const outside = () => join(folder.path, 'outside.jsonl');
  beforeEach(() => writeFileSync(outside(), lines('secret')));

  it.each([
    ['a file elsewhere', () => outside()],
    ['a way out of the folder', () => `${home()}/../outside.jsonl`],
    [
      'a link out of the folder',
      () => {
        symlinkSync(outside(), main());
        return main();
      },
    ],
    [
      'a folder that is a link out',
      () => {
        symlinkSync(folder.path, join(home(), 'link'));
        return join(home(), 'link', 'outside.jsonl');
      },
    ],
    [
      'a file of another kind',
      () => {
        writeFileSync(join(home(), 'id_rsa'), lines('secret'));
        return join(home(), 'id_rsa');
      },
    ],
    [
      'a link to a file of another kind',
      () => {
        writeFileSync(join(home(), 'history'), lines('secret'));
        symlinkSync(join(home(), 'history'), main());
        return main();
      },
    ],
    ['a relative path', () => 'session.jsonl'],
    ['a folder whose name begins like the root', () => `${home()}-other/session.jsonl`],
  ])('cannot name %s', async (_, make) => {
    mkdirSync(`${home()}-other`);
    writeFileSync(`${home()}-other/session.jsonl`, lines('secret'));
    const path = make();
    expect(await call(eventOf('Stop', { transcript_path: path }))).toMatchObject({ code: 0, stdout: '' });
    expect(sent()).toEqual([]);
    expect(readFileSync(join(spool(), 'lost', 'transcript_outside'), 'utf8')).toBe('.');
  });

  it.each([
    ['no text', 7],
    ['a list', [['x.jsonl']]],
    ['empty', ''],
  ])('with a path that is %s is an event like any other', async (_, path) => {
    expect(await call(eventOf('Stop', { transcript_path: path }))).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
    expect(sent()).toEqual([]);
  });

  it('cannot make it wait for a pipe, or read a folder', async () => {
    mkdirSync(join(home(), 'folder.jsonl'));
    execFileSync('mkfifo', [join(home(), 'pipe.jsonl')]);
    for (const name of ['folder.jsonl', 'pipe.jsonl']) {
      await call(eventOf('Stop', { transcript_path: join(home(), name) }));
    }
    expect(sent()).toEqual([]);
  });

  it('cannot have a link put where a transcript was', async () => {
    writeFileSync(main(), lines('a'));
    collector.answer = ({ path }) => (path === ROUTE ? 503 : 200);
    await stop();
    rmSync(main());
    symlinkSync(outside(), main());
    collector.answer = 200;
    await call('');
    expect(sent()).toEqual([lines('a')]);
  });

  it('finds home and the folder of the client’s configuration open, unless a root is given', async () => {
    const config = join(folder.path, 'config');
    mkdirSync(config);
    writeFileSync(join(config, 'c.jsonl'), lines('c'));
    writeFileSync(main(), lines('a'));
    const args = ['--url', collector.url, '--spool', spool(), '--transcripts'];
    const env = { HOME: home(), CLAUDE_CONFIG_DIR: config };
    for (const path of ['~/session.jsonl', join(config, 'c.jsonl'), outside()]) {
      await runHook(eventOf('Stop', { transcript_path: path }), args, env);
    }
    await runHook(eventOf('Stop'), [...args, '--transcript-root', config], env);
    expect(sent()).toEqual([lines('a'), lines('c')]);
    expect(readFileSync(join(spool(), 'lost', 'transcript_outside'), 'utf8')).toBe('..');
  });

  it('finds nothing open where home is the whole file system', async () => {
    await runHook(eventOf('Stop'), ['--url', collector.url, '--spool', spool(), '--transcripts'], {
      HOME: '/',
    });
    expect(sent()).toEqual([]);
  });
});

describe('the headers of telemetry', () => {
  it('are printed for the client to read', async () => {
    expect(await runHook('', ['--otel-headers'])).toEqual({
      code: 0,
      stdout: `{"Authorization":"Bearer ${COLLECTOR_TOKEN}"}\n`,
      stderr: '',
    });
    const named = await runHook('', ['--otel-headers', '--token-variable', 'AUDIT_TOKEN'], {
      AUDIT_TOKEN: 'other',
    });
    expect(named.stdout).toBe('{"Authorization":"Bearer other"}\n');
  });

  it('are an error where there is no token', async () => {
    const run = await runHook('', ['--otel-headers', '--token-variable', 'AUDIT_TOKEN']);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('no token');
  });
});
