import type { Profile } from './managed-settings-choices.ts';
import type { ManagedSettings } from './managed-settings-schema.ts';

/**
 * Files that hold secrets, anywhere on the machine and on every drive: a rule without `//` covers only the current
 * folder. The names are listed one by one, because a deny rule has no exceptions and `.env.example` must stay readable.
 */
const SECRET_FILES = [
  '.env',
  '.env.local',
  '.env.*.local',
  '.env.development',
  '.env.test',
  '.env.staging',
  '.env.production',
  '*.pem',
  '*.key',
  '*.p12',
  '*.pfx',
  '*.jks',
  '*.kdbx',
  'id_rsa',
  'id_dsa',
  'id_ecdsa',
  'id_ed25519',
  'credentials.json',
  'service-account*.json',
  '.netrc',
  '.pgpass',
  '.git-credentials',
  '.htpasswd',
  'secrets/**',
  '.secrets/**',
];

/** Files that hold secrets below a person's home. */
const SECRET_HOME_FILES = [
  '.ssh/**',
  '.gnupg/**',
  '.aws/**',
  '.azure/**',
  '.config/gcloud/**',
  '.kube/**',
  '.docker/config.json',
  '.npmrc',
  '.pypirc',
  '.claude/.credentials.json',
];

/** Files with which an agent could falsify its evidence: transcripts, and events that wait to be sent. */
const EVIDENCE_FILES = ['.claude/projects/**/*.jsonl', '.local/state/affidavit/**'];

const SECRETS = [
  ...SECRET_FILES.map((name) => `//**/${name}`),
  ...SECRET_HOME_FILES.map((name) => `~/${name}`),
];

/** Since 2.1.228 a Read rule covers Edit and Write too; older clients and notebooks need the Edit rule. */
const DENIED_FILES = [
  ...SECRETS.map((path) => `Read(${path})`),
  ...SECRETS.map((path) => `Edit(${path})`),
  ...EVIDENCE_FILES.map((path) => `Edit(~/${path})`),
];

const DENIED_COMMANDS = ['nc', 'ncat', 'netcat', 'telnet', 'mkfs', 'mkfs.*', 'shred'].map(toCommandRule);
/** The guards of the hook client distinguish uploads from downloads; a rule sees only the first words. */
const NETWORK_COMMANDS = ['curl', 'wget', 'scp', 'sftp', 'rsync', 'ssh'].map(toCommandRule);
const NETWORK_CMDLETS = ['PowerShell(Invoke-WebRequest *)', 'PowerShell(Invoke-RestMethod *)'];
const PUSH = 'Bash(git push *)';

/** Nobody may bypass permissions: deny rules would still hold, but ask rules would not. */
const ALWAYS = { disableBypassPermissionsMode: 'disable' } as const;

type ProfileSettings = Pick<
  ManagedSettings,
  'permissions' | 'disableAutoMode' | 'allowManagedPermissionRulesOnly'
>;

/**
 * developer: works, and is asked before data leaves the machine. reviewer: reads, and changes nothing. administrator:
 * has rights on other systems, so is asked before each command and each edit. A reviewer and an administrator have
 * neither auto mode nor rules besides these.
 */
export function profileSettings(profile: Profile): ProfileSettings {
  switch (profile) {
    case 'developer':
      return {
        permissions: {
          ask: [...NETWORK_COMMANDS, ...NETWORK_CMDLETS, PUSH],
          deny: [...DENIED_FILES, ...DENIED_COMMANDS],
          ...ALWAYS,
        },
      };
    case 'reviewer':
      return {
        allowManagedPermissionRulesOnly: true,
        disableAutoMode: 'disable',
        permissions: {
          allow: [
            'Read',
            'Grep',
            'Glob',
            ...['log', 'diff', 'show', 'blame'].map((verb) => `Bash(git ${verb} *)`),
          ],
          // Without an ask rule for Bash, which would outrank the allow rules; other commands are asked about anyway.
          deny: [
            ...DENIED_FILES,
            ...DENIED_COMMANDS,
            'Edit',
            'Write',
            'NotebookEdit',
            'WebFetch',
            ...NETWORK_COMMANDS,
            ...NETWORK_CMDLETS,
            PUSH,
          ],
          defaultMode: 'plan',
          ...ALWAYS,
        },
      };
    case 'administrator':
      return {
        allowManagedPermissionRulesOnly: true,
        disableAutoMode: 'disable',
        permissions: {
          ask: ['Bash', 'PowerShell', 'Edit', 'Write', 'NotebookEdit', 'WebFetch'],
          deny: [...DENIED_FILES, ...DENIED_COMMANDS],
          defaultMode: 'default',
          ...ALWAYS,
        },
      };
  }
}

/** With the space, so that `nc` is not `ncdu`; it matches the bare command too. */
function toCommandRule(command: string): string {
  return `Bash(${command} *)`;
}
