import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTempDir, post, runAffidavit, startServer } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
const data = () => join(folder.path, 'data');
beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(() => folder.remove());

describe('the command line', () => {
  it.each(['init', 'serve', 'demo', 'verify', 'report', 'rebuild', 'config check'])(
    'explains %s with --help',
    async (command) => {
      const { code, stdout } = await runAffidavit([...command.split(' '), '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: affidavit ${command}`);
    },
  );

  it.each([
    ['an unknown command', ['nonsense']],
    ['an unknown option', ['verify', 'x', '--nonsense']],
    ['a missing argument', ['verify']],
    ['a wrong choice', ['report', '--framework', 'nonsense']],
    ['a period that ends before it begins', ['report', '--from', '2026-02-01', '--to', '2026-01-01']],
    ['a period that is no date', ['report', '--from', 'yesterday']],
  ])('ends with code 2 on %s', async (_, args) => {
    const { code, stderr } = await runAffidavit(args, { AFFIDAVIT_DATA: data() });
    expect(code).toBe(2);
    expect(stderr).not.toBe('');
  });

  it('ends with code 1 where there is nothing to work on', async () => {
    for (const args of [['verify', join(folder.path, 'absent')], ['rebuild'], ['report']]) {
      const { code, stderr } = await runAffidavit(args, { AFFIDAVIT_DATA: data() });
      expect([args[0], code]).toEqual([args[0], 1]);
      expect(stderr).toContain('affidavit: ');
      expect(stderr).not.toContain('    at ');
    }
  });

  it('ends with code 3 on a file that is no evidence', async () => {
    const path = join(folder.path, 'evidence.zip');
    await writeFile(path, 'not a ZIP');
    const { code, stdout } = await runAffidavit(['verify', path, '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
  });
});

describe('config check', () => {
  it('shows what is in force, without secrets', async () => {
    const env = { AFFIDAVIT_ADMIN_TOKEN: 'secret-admin-token', AFFIDAVIT_API_PORT: '9999' };
    const { code, stdout } = await runAffidavit(['config', 'check'], env);
    expect(code).toBe(0);
    expect(stdout).toContain('9999');
    expect(stdout).not.toContain('secret-admin-token');
    const json = await runAffidavit(['config', 'check', '--json'], env);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true });
  });

  it('reports all problems at once with code 2, and the server does the same', async () => {
    const env = { AFFIDAVIT_API_PORT: 'x', AFFIDAVIT_NONSENSE: '1', AFFIDAVIT_LOG_LEVEL: 'loud' };
    for (const args of [['config', 'check'], ['serve']]) {
      const { code, stderr } = await runAffidavit(args, env);
      expect(code).toBe(2);
      for (const place of ['/api/port', 'AFFIDAVIT_NONSENSE', '/log_level']) expect(stderr).toContain(place);
    }
  });
});

describe('the first start', () => {
  it('makes keys and tokens, prints generated tokens once and keeps only their hashes', async () => {
    const first = await runAffidavit(['init', '--json'], { AFFIDAVIT_DATA: data() });
    expect(first.code).toBe(0);
    const made = JSON.parse(first.stdout) as { admin_token: string; collector_token: string; vkey: string };
    expect(made).toMatchObject({ created: true });
    expect(made.admin_token).not.toBe(made.collector_token);
    expect(made.admin_token.length).toBeGreaterThanOrEqual(43);
    const tokens = await readFile(join(data(), 'keys', 'tokens.json'), 'utf8');
    expect(tokens).not.toContain(made.admin_token);
    expect(tokens).not.toContain(made.collector_token);
    for (const name of ['signing-key.pem', 'pseudonym-key', 'tokens.json', 'deployment.json']) {
      expect((await stat(join(data(), 'keys', name))).mode & 0o777, name).toBe(0o600);
    }
    const second = await runAffidavit(['init', '--json'], { AFFIDAVIT_DATA: data() });
    expect(JSON.parse(second.stdout)).toMatchObject({ created: false, admin_token: null, vkey: made.vkey });
    expect((await runAffidavit(['init'], { AFFIDAVIT_DATA: data() })).stdout).not.toContain(
      'collector token',
    );
  });

  it('takes tokens from the environment and does not print them', async () => {
    const env = {
      AFFIDAVIT_DATA: data(),
      AFFIDAVIT_ADMIN_TOKEN: 'given-admin',
      AFFIDAVIT_COLLECTOR_TOKEN: 'given-collector',
    };
    const { stdout } = await runAffidavit(['init'], env);
    expect(stdout).not.toContain('given-admin');
    expect(stdout).not.toContain('collector token');
  });

  it('makes further collectors, each with a token and a name of its own', async () => {
    const env = { AFFIDAVIT_DATA: data() };
    const added = await runAffidavit(['init', '--collector', 'build-farm', '--json'], env);
    const { added_collector } = JSON.parse(added.stdout) as {
      added_collector: { id: string; token: string };
    };
    expect((await runAffidavit(['init', '--collector', 'build-farm'], env)).code).toBe(2);
    expect((await runAffidavit(['init', '--collector', '../x'], env)).code).toBe(2);
    const server = await startServer(data());
    try {
      const headers = {
        authorization: `Bearer ${added_collector.token}`,
        'content-type': 'application/json',
      };
      const body = '{"session_id":"farm","hook_event_name":"Stop"}';
      const hook = await fetch(`${server.ingestUrl}/v1/hooks/claude-code`, { method: 'POST', headers, body });
      expect(hook.status).toBe(200);
      expect((await fetch(`${server.apiUrl}/v1/records`, { headers })).status).toBe(403);
    } finally {
      await server.stop();
    }
  });

  it('is finished by the next start when it was cut short', async () => {
    await runAffidavit(['init'], { AFFIDAVIT_DATA: data() });
    await rm(join(data(), 'keys', 'deployment.json'));
    const again = await runAffidavit(['init', '--json'], { AFFIDAVIT_DATA: data() });
    expect(again.code).toBe(0);
    const server = await startServer(data());
    expect(await server.stop()).toBe(0);
  });

  it('refuses to make new keys beside an archive whose keys are gone', async () => {
    await runAffidavit(['init'], { AFFIDAVIT_DATA: data() });
    await rm(join(data(), 'keys'), { recursive: true });
    for (const args of [['serve', '--init'], ['init']]) {
      const { code, stderr } = await runAffidavit(args, { AFFIDAVIT_DATA: data() });
      expect(code).toBe(1);
      expect(stderr).toContain('restore them from the backup');
    }
  });

  it('refuses to make a new pseudonym key beside a log, and to serve with another one', async () => {
    await runAffidavit(['init'], { AFFIDAVIT_DATA: data() });
    const key = join(data(), 'keys', 'pseudonym-key');
    await writeFile(key, Buffer.alloc(32, 1));
    const other = await runAffidavit(['serve'], { AFFIDAVIT_DATA: data(), AFFIDAVIT_API_PORT: '0' });
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('is not the pseudonym key')]);
    for (const path of [key, join(data(), 'keys', 'deployment.json')]) await rm(path);
    const again = await runAffidavit(['init'], { AFFIDAVIT_DATA: data() });
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('restore them from the backup')]);
  });
});

describe('serve', () => {
  it('begins no history unasked: a data folder that is not mounted is refused and stays as it is', async () => {
    const missing = { AFFIDAVIT_DATA: data() };
    const origin = { AFFIDAVIT_ORIGIN: 'audit.example.com/agents' };
    const engines = {
      AFFIDAVIT_KAFKA_BROKERS: '127.0.0.1:9',
      AFFIDAVIT_CLICKHOUSE_URL: 'http://127.0.0.1:9',
      AFFIDAVIT_S3_BUCKET: 'evidence',
      AFFIDAVIT_KEY_STORE_BUCKET: 'keys',
    };
    for (const [args, env] of [
      [['serve'], missing],
      [['serve', '--init'], { ...missing, ...origin }],
      [['serve', '--init', '--role', 'sequence'], { ...missing, ...engines }],
      [['serve', '--init', '--role', 'ingest'], { ...missing, ...engines }],
    ] as const) {
      const { code, stderr } = await runAffidavit(args, env);
      expect(code, args.join(' ')).toBe(1);
      expect(stderr).toContain('affidavit init');
      expect(existsSync(data()), args.join(' ')).toBe(false);
    }
    await mkdir(data());
    expect((await runAffidavit(['serve'], missing)).code).toBe(1);
    expect(await readdir(data())).toEqual([]);
  });

  it('keeps other users out of its data folder, even one that was open, and out of all that its engines make', async () => {
    await mkdir(data());
    await chmod(data(), 0o755);
    const server = await startServer(data());
    try {
      expect(server.stderr()).toContain('was open to other users');
      const hook = { path: '/v1/hooks/claude-code', contentType: 'application/json' };
      const body = '{"session_id":"s","hook_event_name":"Stop"}';
      expect((await post(server, { ...hook, body })).status).toBe(200);
      await server.sealed();
      const entries = await readdir(data(), { recursive: true, withFileTypes: true });
      expect(entries.length).toBeGreaterThan(30);
      for (const entry of entries) {
        const path = join(entry.parentPath, entry.name);
        // The engine removes its temporary files at any time.
        const found = await lstat(path).catch(() => undefined);
        if (found === undefined || found.isSymbolicLink()) continue;
        expect([path, found.mode & 0o077]).toEqual([path, 0]);
      }
      expect((await stat(data())).mode & 0o777).toBe(0o700);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('serves a named deployment once `affidavit init` has begun it', async () => {
    const origin = { AFFIDAVIT_ORIGIN: 'audit.example.com/agents' };
    expect((await runAffidavit(['init'], { AFFIDAVIT_DATA: data(), ...origin })).code).toBe(0);
    const server = await startServer(data(), origin);
    expect(await server.stop()).toBe(0);
  });

  it('says where it listens and prints settings that a client can use as they are', async () => {
    const server = await startServer(data(), {
      AFFIDAVIT_ADMIN_TOKEN: undefined,
      AFFIDAVIT_COLLECTOR_TOKEN: undefined,
    });
    try {
      const out = server.stdout();
      const token = /collector token\s+(\S+)/.exec(out)![1]!;
      const settings = JSON.parse(out.slice(out.indexOf('\n{'), out.indexOf('\n}\n') + 2)) as {
        env: Record<string, string>;
        hooks: Record<
          string,
          { hooks: { type: string; url?: string; headers?: Record<string, string>; command?: string }[] }[]
        >;
      };
      expect(settings.env['OTEL_EXPORTER_OTLP_ENDPOINT']).toBe(server.ingestUrl);
      const { url, headers } = settings.hooks['PreToolUse']![0]!.hooks[0]!;
      const authorization = headers!['Authorization']!.replace(
        '$AFFIDAVIT_COLLECTOR_TOKEN',
        settings.env['AFFIDAVIT_COLLECTOR_TOKEN']!,
      );
      expect(authorization).toBe(`Bearer ${token}`);
      const body = JSON.stringify({ session_id: 's', hook_event_name: 'PreToolUse' });
      const hook = await fetch(url!, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body,
      });
      expect([hook.status, await hook.text()]).toEqual([200, '{}']);
      const [name, value] = settings.env['OTEL_EXPORTER_OTLP_HEADERS']!.split('=');
      const otlp = await fetch(`${server.ingestUrl}/v1/logs`, {
        method: 'POST',
        headers: { [name!]: value!, 'content-type': 'application/json' },
        body: '{"resourceLogs":[]}',
      });
      expect([otlp.status, await otlp.text()]).toEqual([200, '{}']);
      expect(settings.hooks['WorktreeCreate']).toBeUndefined();
      expect(settings.hooks['SessionStart']![0]!.hooks[0]!.type).toBe('command');
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('refuses a data folder that another process has open, and the first is not disturbed', async () => {
    const server = await startServer(data());
    try {
      const second = await runAffidavit(['serve'], {
        AFFIDAVIT_DATA: data(),
        AFFIDAVIT_INGEST_PORT: '0',
        AFFIDAVIT_API_PORT: '0',
      });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain('another process has it in use');
      expect((await fetch(`${server.apiUrl}/readyz`)).status).toBe(200);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('ends with a clear message when the port of its API is taken', async () => {
    const server = await startServer(data());
    try {
      const { port } = new URL(server.apiUrl);
      const second = await runAffidavit(['serve', '--init'], {
        AFFIDAVIT_DATA: join(folder.path, 'third'),
        AFFIDAVIT_INGEST_PORT: '0',
        AFFIDAVIT_API_PORT: port,
      });
      expect(second.code).toBe(1);
      expect(second.stderr).toMatch(/START_REFUSED: the API cannot listen on port .* EADDRINUSE/);
      expect(second.stderr).not.toMatch(/^ +at /m);
      // The keys are made by now, and the tokens are shown this once.
      expect(second.stdout).toMatch(/admin token +\S{20,}\n +collector token +\S{20,}/);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('ends with a clear message when its port is taken', async () => {
    const server = await startServer(data());
    try {
      const { port } = new URL(server.ingestUrl);
      const second = await runAffidavit(['serve', '--init'], {
        AFFIDAVIT_DATA: join(folder.path, 'other'),
        AFFIDAVIT_INGEST_PORT: port,
        AFFIDAVIT_API_PORT: '0',
      });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain('EADDRINUSE');
    } finally {
      await server.stop();
    }
  });
});
