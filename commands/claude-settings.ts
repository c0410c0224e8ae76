import { join } from 'node:path';
import { packageRoot } from '../config.ts';

/**
 * Hook events worth recording. Left out: WorktreeCreate, whose handler replaces what the client would do, and
 * MessageDisplay, which fires for every streamed delta.
 */
const HTTP_HOOK_EVENTS = [
  'PreToolUse',
  'PostToolUse',
  'PostToolUseFailure',
  'PostToolBatch',
  'PermissionRequest',
  'PermissionDenied',
  'UserPromptSubmit',
  'UserPromptExpansion',
  'SessionEnd',
  'Stop',
  'StopFailure',
  'SubagentStart',
  'SubagentStop',
  'Notification',
  'PreCompact',
  'PostCompact',
  'PostModelSwitch',
  'TaskCreated',
  'TaskCompleted',
  'ConfigChange',
  'InstructionsLoaded',
  'CwdChanged',
  'DirectoryAdded',
  'FileChanged',
  'WorktreeRemove',
  'Elicitation',
  'ElicitationResult',
] as const;

/** The client sends these to command handlers only; an HTTP handler would be skipped without a word. */
const COMMAND_HOOK_EVENTS = ['SessionStart', 'Setup'] as const;

/** A collector answers in milliseconds, and the hook client ends by itself; neither must hold the agent up. */
const HOOK_TIMEOUT_S = 5;

const TOKEN_VARIABLE = 'AFFIDAVIT_COLLECTOR_TOKEN';

/** What to put into a Claude Code settings file, so that its hooks and telemetry arrive at `url`. */
export function claudeSettings(url: string, collectorToken: string): object {
  const hookUrl = `${url}/v1/hooks/claude-code`;
  const http = {
    type: 'http',
    url: hookUrl,
    headers: { Authorization: `Bearer $${TOKEN_VARIABLE}` },
    allowedEnvVars: [TOKEN_VARIABLE],
    timeout: HOOK_TIMEOUT_S,
  };
  const command = {
    type: 'command',
    command: hookCommand(url),
    timeout: HOOK_TIMEOUT_S,
  };
  const entries: (readonly [string, readonly object[]])[] = [
    ...COMMAND_HOOK_EVENTS.map((event) => [event, [{ hooks: [command] }]] as const),
    ...HTTP_HOOK_EVENTS.map((event) => [event, [{ hooks: [http] }]] as const),
  ];
  return {
    env: {
      [TOKEN_VARIABLE]: collectorToken,
      CLAUDE_CODE_ENABLE_TELEMETRY: '1',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      // A plain space: the client sends the value as it stands, without decoding "%20".
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${collectorToken}`,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_LOG_TOOL_DETAILS: '1',
    },
    hooks: Object.fromEntries(entries),
  };
}

/** The hook client, by absolute paths; it takes the token from the `env` block, so that no process list shows it. */
function hookCommand(url: string): string {
  const client = join(packageRoot(), 'dist', 'hook.mjs');
  return [process.execPath, client, '--url', url].map(quoteForShell).join(' ');
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
