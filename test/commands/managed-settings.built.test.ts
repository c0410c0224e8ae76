import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROFILES, SYSTEMS, type ManagedSettingsOptions } from '../../commands/managed-settings-choices.ts';
import { checkManagedSettings, writeManagedSettings } from '../../commands/managed-settings.ts';
import type { ManagedSettings } from '../../commands/managed-settings-schema.ts';
import { makeTempDir, runAffidavit } from '../support/server.ts';

const TOKEN = 'collector-token-0123456789';
const GOLDEN = join(import.meta.dirname, 'golden');
const CASES = SYSTEMS.flatMap((os) => PROFILES.map((profile) => ({ os, profile })));
const OPTIONS: ManagedSettingsOptions = {
  os: 'linux',
  url: 'https://audit.example.com',
  profile: 'developer',
  identity: [],
  tokenVariable: 'AFFIDAVIT_COLLECTOR_TOKEN',
  enforce: false,
  transcripts: true,
  withContent: false,
  protocol: 'http/protobuf',
  cleanupDays: '365',
  force: false,
};

let folder: Awaited<ReturnType<typeof makeTempDir>>;
beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(() => folder.remove());

function write(given: Partial<ManagedSettingsOptions> = {}) {
  const texts = { output: '', notes: '' };
  writeManagedSettings(
    { ...OPTIONS, ...given },
    { isTerminal: false, write: (text) => void (texts.output += text) },
    { isTerminal: false, write: (text) => void (texts.notes += text) },
  );
  return texts;
}

const settingsOf = (given: Partial<ManagedSettingsOptions> = {}) =>
  JSON.parse(write(given).output) as ManagedSettings;
/** All that can be asked for at once, so that every field is there. */
const fullOf = ({ os, profile }: (typeof CASES)[number], tokenFile?: string) =>
  settingsOf({
    os,
    profile,
    identity: ['enduser.id=jdoe@example.com', 'department=R&D, Berlin'],
    guards:
      os === 'windows' ? String.raw`C:\Program Files\Affidavit\guards.json` : '/etc/affidavit/guards.json',
    enforce: true,
    ...(tokenFile === undefined ? {} : { tokenFile }),
  });

type Json = string | number | boolean | Json[] | { [name: string]: Json };
interface Place {
  readonly pointer: string;
  readonly value: Json;
  readonly set: (value: Json) => void;
  readonly remove: () => void;
}

/** Every member and element of a value. */
function placesOf(parent: Json, pointer = ''): Place[] {
  if (typeof parent !== 'object') return [];
  const names = Array.isArray(parent) ? parent.map((_, index) => String(index)) : Object.keys(parent);
  const target = parent as Record<string, Json>;
  return names.flatMap((name) => [
    {
      pointer: `${pointer}/${name}`,
      value: target[name]!,
      set: (value: Json) => void (target[name] = value),
      remove: () => void Reflect.deleteProperty(target, name),
    },
    ...placesOf(target[name]!, `${pointer}/${name}`),
  ]);
}

/** What a copy of the settings is told after one change at one place. */
function isTaken(settings: ManagedSettings, pointer: string, change: (place: Place) => void): boolean {
  const copy = structuredClone(settings);
  change(placesOf(copy as Json).find((place) => place.pointer === pointer)!);
  return checkManagedSettings(copy).ok;
}

describe.each(CASES)('managed settings for $os, $profile', ({ os, profile }) => {
  it('are what is kept', () => {
    const path = join(GOLDEN, `managed-settings-${os}-${profile}.json`);
    const { output } = write({ os, profile, identity: ['enduser.id=jdoe@example.com'] });
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, output);
    expect(output).toBe(existsSync(path) ? readFileSync(path, 'utf8') : '');
  });

  it('hold only documented fields, and no field may hold anything else', async () => {
    const tokenFile = join(folder.path, 'token');
    await writeFile(tokenFile, TOKEN);
    for (const settings of [fullOf({ os, profile }), fullOf({ os, profile }, tokenFile)]) {
      expect(checkManagedSettings(settings)).toMatchObject({ ok: true });
      const places = placesOf(settings as Json);
      expect(places.length).toBeGreaterThan(200);
      const other = (value: Json): Json => (typeof value === 'string' ? 7 : 'other');
      const loose = places.filter(({ pointer }) =>
        isTaken(settings, pointer, ({ value, set }) => set(other(value))),
      );
      expect(loose.map(({ pointer }) => pointer)).toEqual([]);
      const open = places.filter(({ value }) => typeof value === 'object' && !Array.isArray(value));
      const strangers = open.filter(({ pointer }) =>
        isTaken(settings, pointer, ({ value }) => Object.assign(value as object, { unknown_field: 'x' })),
      );
      expect(strangers.map(({ pointer }) => pointer)).toEqual([]);
      expect(checkManagedSettings({ ...settings, unknown_field: 'x' })).toMatchObject({
        problems: [{ pointer: '/unknown_field' }],
      });
    }
  });

  it('cannot lose a field that evidence depends on', () => {
    const settings = fullOf({ os, profile });
    const needed = [
      ...['/allowManagedHooksOnly', '/allowedHttpHookUrls', '/httpHookAllowedEnvVars', '/cleanupPeriodDays'],
      ...['/permissions', '/permissions/disableBypassPermissionsMode', '/env', '/hooks'],
      ...['CLAUDE_CODE_ENABLE_TELEMETRY', 'OTEL_LOGS_EXPORTER', 'OTEL_METRICS_EXPORTER'].map(
        (name) => `/env/${name}`,
      ),
      ...['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_ENDPOINT'].map((name) => `/env/${name}`),
    ];
    expect(needed.filter((pointer) => isTaken(settings, pointer, ({ remove }) => remove()))).toEqual([]);
  });
});

describe('managed settings', () => {
  it('name every event but three, and send each once', () => {
    const { hooks } = settingsOf({ guards: '/etc/affidavit/guards.json' });
    expect(Object.keys(hooks)).toHaveLength(30);
    for (const left of ['WorktreeCreate', 'MessageDisplay', 'PreModelSwitch'])
      expect(hooks).not.toHaveProperty(left);
    const byCommand = Object.entries(hooks)
      .filter(([, groups]) => groups![0]!.hooks[0]!.type === 'command')
      .map(([event]) => event);
    expect(byCommand.sort()).toEqual(
      [
        'PreToolUse',
        'SessionEnd',
        'SessionStart',
        'Setup',
        'Stop',
        'SubagentStop',
        'UserPromptSubmit',
      ].sort(),
    );
  });

  it('send transcripts when a turn, a subagent or a session ends, unless that is not wanted', () => {
    const sending = (settings: ManagedSettings) =>
      Object.entries(settings.hooks)
        .filter(([, groups]) => JSON.stringify(groups).includes('--transcripts'))
        .map(([event]) => event);
    expect(sending(settingsOf()).sort()).toEqual(['SessionEnd', 'Stop', 'SubagentStop']);
    expect(sending(settingsOf({ transcripts: false }))).toEqual([]);
  });

  it('let guards block what they cannot judge only where that is asked for', () => {
    const guards = '/etc/affidavit/guards.json';
    const handler = (settings: ManagedSettings) => settings.hooks['PreToolUse']![0]!.hooks[0]!;
    expect(handler(settingsOf({ guards }))).not.toHaveProperty('onFailure');
    const strict = settingsOf({ guards, enforce: true });
    expect(handler(strict)).toMatchObject({
      onFailure: 'block',
      args: expect.arrayContaining(['--enforce']) as unknown,
    });
    expect(strict.requiredMinimumVersion).toBe('2.1.295');
    expect(strict.hooks['Stop']![0]!.hooks[0]).not.toHaveProperty('onFailure');
  });

  it('keep the content of telemetry off, and whole requests always', () => {
    const gates = (settings: ManagedSettings) =>
      Object.entries(settings.env).filter(([name]) => name.startsWith('OTEL_LOG_'));
    expect(gates(settingsOf()).map(([, value]) => value)).toEqual(['0', '0', '0', '0', '0']);
    expect(Object.fromEntries(gates(settingsOf({ withContent: true })))).toEqual({
      OTEL_LOG_USER_PROMPTS: '1',
      OTEL_LOG_ASSISTANT_RESPONSES: '1',
      OTEL_LOG_TOOL_DETAILS: '1',
      OTEL_LOG_TOOL_CONTENT: '1',
      OTEL_LOG_RAW_API_BODIES: '0',
    });
  });

  it('percent-encode who works there', () => {
    const { env } = settingsOf({
      identity: ['enduser.id=jdoe@example.com', 'org.name=John\'s "R&D", 1;2=ü\\'],
    });
    expect(env.OTEL_RESOURCE_ATTRIBUTES).toBe(
      'enduser.id=jdoe%40example.com,org.name=John%27s%20%22R%26D%22%2C%201%3B2%3D%C3%BC%5C',
    );
  });

  it('name the token’s variable and never hold the token', () => {
    const { output, notes } = write({ tokenVariable: 'AUDIT_TOKEN' });
    const { httpHookAllowedEnvVars, hooks, otelHeadersHelper } = JSON.parse(output) as ManagedSettings;
    expect(httpHookAllowedEnvVars).toEqual(['AUDIT_TOKEN']);
    expect(hooks['PreToolUse']![0]!.hooks[0]).toMatchObject({
      headers: { Authorization: 'Bearer $AUDIT_TOKEN' },
      allowedEnvVars: ['AUDIT_TOKEN'],
    });
    expect(otelHeadersHelper).toBe(
      "'/usr/bin/node' '/opt/affidavit/hook.mjs' --otel-headers --token-variable AUDIT_TOKEN",
    );
    expect(notes).toContain('set AUDIT_TOKEN in each person');
  });

  it('hold the token where a file of it is given, with a warning', async () => {
    await writeFile(join(folder.path, 'token'), `${TOKEN}\n`);
    const { output, notes } = write({ tokenFile: join(folder.path, 'token') });
    const { env, otelHeadersHelper } = JSON.parse(output) as ManagedSettings;
    expect(env).toMatchObject({
      AFFIDAVIT_COLLECTOR_TOKEN: TOKEN,
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${TOKEN}`,
    });
    expect(otelHeadersHelper).toBeUndefined();
    expect(notes).toContain('WARNING');
    expect(notes).not.toContain(TOKEN);
  });

  it('quote paths for the shell of the system alone', () => {
    const strange = settingsOf({ client: `/opt/o'brien $HOME/hook.mjs` });
    expect(strange.otelHeadersHelper).toContain(String.raw`'/opt/o'\''brien $HOME/hook.mjs'`);
    const handler = strange.hooks['SessionStart']![0]!.hooks[0]!;
    expect(handler).toMatchObject({ command: '/usr/bin/node' });
    expect('args' in handler && handler.args[0]).toBe(`/opt/o'brien $HOME/hook.mjs`);
    expect(settingsOf({ os: 'windows' }).otelHeadersHelper).toContain(
      String.raw`"C:\Program Files\nodejs\node.exe" "C:\Program Files\Affidavit\hook.mjs" `,
    );
  });

  it.each([
    ['url', { url: 'ftp://audit.example.com' }],
    ['url', { url: 'https://user:word@audit.example.com' }],
    ['url', { url: 'https://audit.example.com/?a=b' }],
    ['identity', { identity: ['enduser.id'] }],
    ['identity', { identity: ['user id=x'] }],
    ['identity', { identity: ['user.email=x'] }],
    ['identity', { identity: ['a=1', 'a=2'] }],
    ['identity', { identity: ['a=\ud800'] }],
    ['token-variable', { tokenVariable: 'PATH' }],
    ['token-file', { tokenFile: '/nonexistent/token' }],
    ['node', { node: 'node' }],
    ['node', { os: 'windows' as const, node: String.raw`C:\a"b\node.exe` }],
    ['client', { client: '/opt/hook.mjs\n' }],
    ['client', { client: '/opt/hook.mjs', os: 'windows' as const }],
    ['guards', { guards: 'guards.json' }],
    ['cleanup-days', { cleanupDays: '0' }],
    ['minimum-version', { minimumVersion: 'latest' }],
    ['minimum-version', { minimumVersion: '2.1.294', enforce: true }],
  ])('are not written for a wrong --%s', (option, given) => {
    expect(() => write(given)).toThrow(`--${option} `);
  });
});

describe('the schema of managed settings', () => {
  it.each(['Write(//**/.env)', 'Glob(secrets/**)', 'NotebookEdit(x)', 'Shell(ls)', 'Read()', 'read(x)'])(
    'refuses the rule %s, which the client would not consult',
    (rule) => {
      const settings = settingsOf();
      const changed = { ...settings, permissions: { ...settings.permissions, deny: [rule] } };
      expect(checkManagedSettings(changed).ok).toBe(false);
    },
  );

  it.each(['WorktreeCreate', 'MessageDisplay', 'PreModelSwitch', 'preToolUse'])(
    'refuses the event %s',
    (event) => {
      const settings = settingsOf();
      const changed = { ...settings, hooks: { ...settings.hooks, [event]: settings.hooks['Stop'] } };
      expect(checkManagedSettings(changed).ok).toBe(false);
    },
  );
});

describe('affidavit managed-settings', () => {
  const ARGS = [
    'managed-settings',
    '--os',
    'linux',
    '--profile',
    'developer',
    '--url',
    'https://audit.example.com/',
  ];

  it('writes the settings to standard output and where they belong to standard error', async () => {
    const { code, stdout, stderr } = await runAffidavit([...ARGS, '--identity', 'a=1', '--identity', 'b=2']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(settingsOf({ identity: ['a=1', 'b=2'] }));
    expect(stderr).toContain('/etc/claude-code/managed-settings.json');
  });

  it('never overwrites a file unless it is forced', async () => {
    const path = join(folder.path, 'out', 'managed-settings.json');
    await mkdir(join(folder.path, 'out'));
    expect((await runAffidavit([...ARGS, '--out', path])).code).toBe(0);
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    await writeFile(path, 'mine');
    const refused = await runAffidavit([...ARGS, '--out', path]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--force');
    expect(await readFile(path, 'utf8')).toBe('mine');
    expect((await runAffidavit([...ARGS, '--out', path, '--force'])).code).toBe(0);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(settingsOf());
  });

  it.each([
    [['managed-settings', '--os', 'linux', '--url', 'https://a.example']],
    [['managed-settings', '--os', 'plan9', '--profile', 'developer', '--url', 'https://a.example']],
    [['managed-settings', '--os', 'linux', '--profile', 'owner', '--url', 'https://a.example']],
    [[...ARGS, '--cleanup-days', '0']],
  ])('exits with 2 for %j', async (args) => {
    expect((await runAffidavit(args)).code).toBe(2);
  });
});
