import { readFileSync } from 'node:fs';
import { configError } from '../config.ts';
import { compileValidator, type ShapeProblem } from '../schemas/validate.ts';
import type { ManagedSettingsOptions, Profile, System } from './managed-settings-choices.ts';
import { ClientVersion, TokenVariable } from './managed-settings-schema.ts';

/** The options as read: everything that the settings depend on. */
export interface ManagedSettingsPlan {
  readonly system: System;
  /** URL of the receivers, without a slash at its end. */
  readonly url: string;
  readonly profile: Profile;
  readonly resourceAttributes: string | undefined;
  readonly tokenVariable: string;
  /** Undefined unless the token is written into the file. */
  readonly token: string | undefined;
  readonly node: string;
  readonly client: string;
  /** Path of the file of guards on the machines of the agents. */
  readonly guards: string | undefined;
  readonly enforce: boolean;
  readonly transcripts: boolean;
  readonly withContent: boolean;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly cleanupPeriodDays: number;
  readonly minimumVersion: string | undefined;
}

/** Usual paths of the programs that an administrator installs on each machine. */
const PRESETS: Readonly<Record<System, { readonly node: string; readonly client: string }>> = {
  linux: { node: '/usr/bin/node', client: '/opt/affidavit/hook.mjs' },
  macos: { node: '/usr/local/bin/node', client: '/Library/Application Support/Affidavit/hook.mjs' },
  windows: {
    node: String.raw`C:\Program Files\nodejs\node.exe`,
    client: String.raw`C:\Program Files\Affidavit\hook.mjs`,
  },
};

/** The client keeps its own value for these (monitoring-usage, "Standard attributes"). */
const CLIENTS_OWN: ReadonlySet<string> = new Set([
  'session.id',
  'app.version',
  'app.entrypoint',
  'organization.id',
  'terminal.type',
  'user.id',
  'user.email',
  'user.account_uuid',
  'user.account_id',
]);

/** An absolute path on one line, without characters that a shell treats specially: a shell runs `otelHeadersHelper`. */
const WINDOWS_PATH = /^(?:[A-Za-z]:[\\/]|\\\\)[^"%\p{Cc}]+$/u;
const POSIX_PATH = /^\/\P{Cc}+$/u;

/** The first client whose handlers can block when they fail (hooks, `onFailure`). */
const BLOCKING_SINCE = '2.1.295';

const isVersion = compileValidator(ClientVersion);
const isTokenVariable = compileValidator(TokenVariable);

/** Reads the options. Throws CONFIG_INVALID with every problem. */
export function readManagedSettingsOptions(options: ManagedSettingsOptions): ManagedSettingsPlan {
  const problems: ShapeProblem[] = [];
  const complain = (option: string, message: string) => problems.push({ pointer: `--${option}`, message });
  const path = (option: 'node' | 'client' | 'guards', text: string): string => {
    if (!(options.os === 'windows' ? WINDOWS_PATH : POSIX_PATH).test(text))
      complain(option, `must be an absolute path of ${options.os}`);
    return text;
  };
  const days = /^[0-9]{1,5}$/.test(options.cleanupDays) ? Number(options.cleanupDays) : 0;
  if (days < 1 || days > 36_500) complain('cleanup-days', 'must be an integer from 1 to 36500');
  if (!isTokenVariable(options.tokenVariable).ok) {
    complain('token-variable', 'must be the name of a variable that ends in _TOKEN');
  }
  const plan: ManagedSettingsPlan = {
    system: options.os,
    url: readUrl(options.url, complain),
    profile: options.profile,
    resourceAttributes: readIdentity(options.identity, complain),
    tokenVariable: options.tokenVariable,
    token: readToken(options.tokenFile, complain),
    node: path('node', options.node ?? PRESETS[options.os].node),
    client: path('client', options.client ?? PRESETS[options.os].client),
    guards: options.guards === undefined ? undefined : path('guards', options.guards),
    enforce: options.enforce,
    transcripts: options.transcripts,
    withContent: options.withContent,
    protocol: options.protocol,
    cleanupPeriodDays: days,
    minimumVersion: readMinimum(options, complain),
  };
  if (problems.length > 0) throw configError(problems);
  return plan;
}

type Complain = (option: string, message: string) => unknown;

function readUrl(text: string, complain: Complain): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.search + url.hash !== '') {
    complain('url', 'must be an http or https URL without a user, a query or a fragment');
    return text;
  }
  return url.href.replace(/\/+$/, '');
}

/** Percent-encoded for `OTEL_RESOURCE_ATTRIBUTES`; undefined without an identity. */
function readIdentity(pairs: readonly string[], complain: Complain): string | undefined {
  const keys = new Set<string>();
  const encoded = pairs.map((pair) => {
    const at = pair.indexOf('=');
    const [key, value] = [pair.slice(0, Math.max(at, 0)), pair.slice(at + 1)];
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(key) || value === '') {
      complain('identity', `${JSON.stringify(pair)} must be like enduser.id=jdoe@example.com`);
    } else if (CLIENTS_OWN.has(key)) {
      complain('identity', `${key} is set by the client itself, which keeps its own value`);
    } else if (keys.has(key)) complain('identity', `${key} is given twice`);
    keys.add(key);
    return `${key}=${encode(value, complain)}`;
  });
  return encoded.length === 0 ? undefined : encoded.join(',');
}

function encode(value: string, complain: Complain): string {
  if (!value.isWellFormed()) {
    complain('identity', 'must be well-formed text');
    return '';
  }
  return encodeURIComponent(value).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
}

function readToken(file: string | undefined, complain: Complain): string | undefined {
  if (file === undefined) return undefined;
  try {
    const token = readFileSync(file, 'utf8').trim();
    if (!/^[!-~]{16,1024}$/.test(token))
      complain('token-file', 'must hold one token, of 16 characters or more');
    return token;
  } catch (error) {
    complain('token-file', `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
    return undefined;
  }
}

function readMinimum(
  { enforce, minimumVersion }: ManagedSettingsOptions,
  complain: Complain,
): string | undefined {
  if (minimumVersion !== undefined && !isVersion(minimumVersion).ok) {
    complain('minimum-version', 'must be a version such as 2.1.329');
  } else if (enforce && minimumVersion !== undefined && isOlder(minimumVersion, BLOCKING_SINCE)) {
    complain(
      'minimum-version',
      `must be ${BLOCKING_SINCE} or later with --enforce, which older clients ignore`,
    );
  }
  return minimumVersion ?? (enforce ? BLOCKING_SINCE : undefined);
}

function isOlder(version: string, than: string): boolean {
  const [left, right] = [version.split('.').map(Number), than.split('.').map(Number)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at !== -1 && (left[at] ?? 0) < (right[at] ?? 0);
}
