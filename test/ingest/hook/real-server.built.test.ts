import { spawn } from 'node:child_process';
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claudeSettings } from '../../../commands/claude-settings.ts';
import type { ManagedSettings } from '../../../commands/managed-settings-schema.ts';
import { writeManagedSettings } from '../../../commands/managed-settings.ts';
import { endOf, runHook } from '../../support/hook-client.ts';
import {
  bareEnvironment,
  COLLECTOR_TOKEN,
  getAll,
  MAIN,
  makeTempDir,
  startServer,
  type TestServer,
} from '../../support/server.ts';

const NOBODY = 'http://127.0.0.1:9';
const eventOf = (name: string) => JSON.stringify({ session_id: name, hook_event_name: 'SessionStart' });

interface SealedRecord {
  readonly id: string;
  readonly type: string;
  readonly facts: { readonly session_id?: string; readonly reason?: string; readonly metric_value?: string };
}

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let server: TestServer;
const spool = () => join(folder.path, 'spool');
const records = async () => {
  await server.sealed();
  const all = await getAll<SealedRecord>(server, '/v1/records');
  // The clients deliver some events twice, which the sequencer counts.
  return all.filter(({ type }) => type !== 'ingest.counted');
};

beforeEach(async () => {
  folder = await makeTempDir();
  server = await startServer(join(folder.path, 'data'));
});
afterEach(async () => {
  await server.stop();
  await folder.remove();
});

describe('the hook client and the server', () => {
  it('seal each event of 20 parallel clients once, whatever was sent twice, and what was lost', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `session-${index}`);
    const bounds = ['--spool', spool(), '--timeout', '20000', '--spool-files', '20'];
    await Promise.all(names.map((name) => runHook(eventOf(name), ['--url', NOBODY, ...bounds])));
    await runHook(eventOf('refused'), ['--url', NOBODY, ...bounds]);
    const [first] = (await readdir(spool())).filter((name) => name.endsWith('.json')).sort();
    await copyFile(join(spool(), first!), join(folder.path, first!));
    const back = ['--url', server.ingestUrl, ...bounds];
    await Promise.all(['x', 'y', 'z'].map((name) => runHook(eventOf(name), back)));
    // As if the client had been killed between the answer and taking the event out of the spool.
    await copyFile(join(folder.path, first!), join(spool(), first!));
    await runHook('', back);
    // The same bytes again are another event, because another hook call brought them.
    await runHook(eventOf('x'), back);

    const sealed = await records();
    const started = sealed.filter(({ type }) => type === 'session.started');
    const expected = [...names, 'x', 'x', 'y', 'z'].sort();
    expect(started.map(({ facts }) => facts.session_id).sort()).toEqual(expected);
    expect(new Set(sealed.map(({ id }) => id)).size).toBe(sealed.length);
    const losses = sealed.filter(({ type }) => type === 'collector.loss');
    expect(losses.map(({ facts }) => facts)).toMatchObject([{ reason: 'spool_full', metric_value: '1' }]);
    expect(sealed).toHaveLength(started.length + 1);
  });

  it('work as the printed settings say', async () => {
    const { env, hooks } = claudeSettings(server.ingestUrl, COLLECTOR_TOKEN) as {
      env: Record<string, string>;
      hooks: Record<string, { hooks: { type: string; command: string }[] }[]>;
    };
    for (const event of ['SessionStart', 'Setup']) {
      const { type, command } = hooks[event]![0]!.hooks[0]!;
      expect(type).toBe('command');
      expect(command).not.toContain(COLLECTOR_TOKEN);
      const child = spawn('/bin/sh', ['-c', command], {
        env: bareEnvironment({ ...env, XDG_STATE_HOME: folder.path }),
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.stdin.end(JSON.stringify({ session_id: event, hook_event_name: event }));
      expect(await endOf(child)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    }
    expect((await records()).map(({ facts }) => facts.session_id).sort()).toEqual(['SessionStart', 'Setup']);
  });

  it('work as managed settings say', async () => {
    const guards = join(folder.path, 'guards.json');
    await writeFile(guards, '{"guards":{"destructive":{"mode":"deny"}}}');
    let text = '';
    const client = join(MAIN, '..', 'hook.mjs');
    writeManagedSettings(
      {
        ...{
          os: 'linux',
          profile: 'developer',
          url: server.ingestUrl,
          node: process.execPath,
          client,
          guards,
        },
        ...{
          identity: [],
          tokenVariable: 'AUDIT_TOKEN',
          enforce: false,
          transcripts: false,
          withContent: false,
        },
        ...{ protocol: 'http/json', cleanupDays: '30', force: false },
      },
      { isTerminal: false, write: (part) => void (text += part) },
      { isTerminal: false, write: () => undefined },
    );
    const { hooks, otelHeadersHelper } = JSON.parse(text) as ManagedSettings;
    const env = bareEnvironment({ AUDIT_TOKEN: COLLECTOR_TOKEN, XDG_STATE_HOME: folder.path });
    const runEvent = (event: string, more: object) => {
      const { command, args } = hooks[event]![0]!.hooks[0] as { command: string; args: string[] };
      const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
      child.stdin.end(JSON.stringify({ session_id: event, hook_event_name: event, ...more }));
      return endOf(child);
    };
    expect(await runEvent('SessionStart', {})).toEqual({ code: 0, stdout: '', stderr: '' });
    const denied = await runEvent('PreToolUse', {
      ...{ tool_name: 'Bash', tool_use_id: 'toolu_1', tool_input: { command: 'rm -rf /' } },
    });
    expect(denied).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"deny"') as unknown,
      stderr: '',
    });
    const helper = spawn('/bin/sh', ['-c', otelHeadersHelper!], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    expect(await endOf(helper)).toMatchObject({ stdout: `{"Authorization":"Bearer ${COLLECTOR_TOKEN}"}\n` });

    const sealed = await records();
    expect(sealed.map(({ type }) => type).sort()).toEqual([
      'guard.decided',
      'session.started',
      'tool.requested',
    ]);
    expect(sealed.find(({ type }) => type === 'guard.decided')).toMatchObject({
      facts: {
        ...{ session_id: 'PreToolUse', tool_use_id: 'toolu_1', tool_name: 'Bash' },
        ...{ decision: 'deny', decision_source: 'hook', reason: 'destructive.remove_root' },
      },
    });
  });
});
