import { join } from 'node:path';
import { packageRoot } from '../config.ts';
import {
  COMMAND_HOOK_EVENTS,
  HOOK_TIMEOUT_S,
  HTTP_HOOK_EVENTS,
  quoteForShell,
  TOKEN_VARIABLE,
} from './hook-events.ts';

/** Settings for Claude Code that send its hooks and telemetry to `url`. */
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
      // With a plain space: the client sends the value unchanged and does not decode "%20".
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${collectorToken}`,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_LOG_TOOL_DETAILS: '1',
    },
    hooks: Object.fromEntries(entries),
  };
}

/** The hook client by absolute paths. It reads the token from the `env` block, so no process list shows the token. */
function hookCommand(url: string): string {
  const client = join(packageRoot(), 'dist', 'hook.mjs');
  return [process.execPath, client, '--url', url].map(quoteForShell).join(' ');
}
