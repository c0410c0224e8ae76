import {
  COMMAND_HOOK_EVENTS,
  HOOK_EVENTS,
  HOOK_TIMEOUT_S,
  quoteForShell,
  type HookEventName,
} from './hook-events.ts';
import type { ManagedSettingsPlan } from './managed-settings-options.ts';
import { profileSettings } from './managed-settings-permissions.ts';
import type { ManagedSettings } from './managed-settings-schema.ts';

/** Events at which the transcript has grown by a turn or more. */
const TRANSCRIPT_EVENTS: readonly HookEventName[] = ['Stop', 'SubagentStop', 'SessionEnd'];
/** Events that a guard decides about before they happen. */
const GUARDED_EVENTS: readonly HookEventName[] = ['PreToolUse', 'UserPromptSubmit'];
/** Literal names in the working directory: without them the client watches nothing. */
const WATCHED_FILES = ['.env', '.envrc', '.mcp.json', 'CLAUDE.md', 'AGENTS.md'].join('|');
/** A transcript takes longer than an event; the client ends by itself well before. */
const TRANSCRIPT_TIMEOUT_S = 15;
/** How long the client may take to send a transcript. */
const TRANSCRIPT_LIMIT_MS = 10_000;

/** The content of the file. The same plan gives the same bytes. */
export function managedSettings(plan: ManagedSettingsPlan): ManagedSettings {
  const { minimumVersion, cleanupPeriodDays, tokenVariable, url } = plan;
  return {
    ...(minimumVersion === undefined ? {} : { requiredMinimumVersion: minimumVersion }),
    cleanupPeriodDays,
    allowManagedHooksOnly: true,
    allowedHttpHookUrls: [hookUrl(url)],
    httpHookAllowedEnvVars: [tokenVariable],
    ...profileSettings(plan.profile),
    ...(plan.token === undefined ? { otelHeadersHelper: headersHelper(plan) } : {}),
    env: environment(plan),
    hooks: Object.fromEntries(HOOK_EVENTS.map((event) => [event, [toGroup(event, plan)]])),
  };
}

type Group = NonNullable<ManagedSettings['hooks'][string]>[number];
type Handler = Group['hooks'][number];

function toGroup(event: HookEventName, plan: ManagedSettingsPlan): Group {
  const hooks = [isByCommand(event, plan) ? toCommand(event, plan) : toHttp(plan)];
  return event === 'FileChanged' ? { matcher: WATCHED_FILES, hooks } : { hooks };
}

function isByCommand(event: HookEventName, { transcripts, guards }: ManagedSettingsPlan): boolean {
  const isCommandOnly = COMMAND_HOOK_EVENTS.some((name) => name === event);
  return (
    isCommandOnly ||
    (transcripts && TRANSCRIPT_EVENTS.includes(event)) ||
    (guards !== undefined && GUARDED_EVENTS.includes(event))
  );
}

/** In exec form: without a shell, so that paths with spaces and quotes work on every system. */
function toCommand(event: HookEventName, plan: ManagedSettingsPlan): Handler {
  const isGuarded = plan.guards !== undefined && GUARDED_EVENTS.includes(event);
  const sendsTranscript = plan.transcripts && TRANSCRIPT_EVENTS.includes(event);
  const blocks = plan.enforce && GUARDED_EVENTS.includes(event);
  const args = [
    plan.client,
    '--url',
    plan.url,
    '--token-variable',
    plan.tokenVariable,
    ...(isGuarded ? ['--guards', plan.guards] : []),
    ...(blocks ? ['--enforce'] : []),
    ...(sendsTranscript ? ['--transcripts', '--timeout', String(TRANSCRIPT_LIMIT_MS)] : []),
  ];
  return {
    type: 'command',
    command: plan.node,
    args,
    timeout: sendsTranscript ? TRANSCRIPT_TIMEOUT_S : HOOK_TIMEOUT_S,
    ...(blocks ? { onFailure: 'block' } : {}),
  };
}

function toHttp({ url, tokenVariable }: ManagedSettingsPlan): Handler {
  return {
    type: 'http',
    url: hookUrl(url),
    headers: { Authorization: `Bearer $${tokenVariable}` },
    allowedEnvVars: [tokenVariable],
    timeout: HOOK_TIMEOUT_S,
  };
}

function environment(plan: ManagedSettingsPlan): ManagedSettings['env'] {
  const content = plan.withContent ? '1' : '0';
  return {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    // Each signal is set here; otherwise a person's own settings could turn it off.
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_PROTOCOL: plan.protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: plan.url,
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_LOG_USER_PROMPTS: content,
    OTEL_LOG_ASSISTANT_RESPONSES: content,
    OTEL_LOG_TOOL_DETAILS: content,
    OTEL_LOG_TOOL_CONTENT: content,
    OTEL_LOG_RAW_API_BODIES: '0',
    OTEL_METRICS_INCLUDE_SESSION_ID: 'true',
    OTEL_METRICS_INCLUDE_VERSION: 'true',
    ...(plan.resourceAttributes === undefined ? {} : { OTEL_RESOURCE_ATTRIBUTES: plan.resourceAttributes }),
    ...(plan.token === undefined
      ? {}
      : {
          [plan.tokenVariable]: plan.token,
          // With a plain space: the client sends the value unchanged and does not decode "%20".
          OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${plan.token}`,
        }),
  };
}

/** A shell runs it on every system: `sh`, or on Windows the command processor, which knows only double quotes. */
function headersHelper({ system, node, client, tokenVariable }: ManagedSettingsPlan): string {
  const quote = system === 'windows' ? (text: string) => `"${text}"` : quoteForShell;
  return `${quote(node)} ${quote(client)} --otel-headers --token-variable ${tokenVariable}`;
}

function hookUrl(url: string): string {
  return `${url}/v1/hooks/claude-code`;
}
