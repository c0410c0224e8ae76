import { Type, type Static } from 'typebox';
import { HOOK_EVENTS } from './hook-events.ts';

/**
 * The fields of `managed-settings.json` that this program writes, as the client's documentation describes them, so that
 * a field that the client would ignore cannot leave this program. Each field names its page and section.
 */

const closed = { additionalProperties: false } as const;
const Text = Type.String({ minLength: 1 });
const Names = Type.Array(Text, { minItems: 1, uniqueItems: true });
const OnOff = Type.Union([Type.Literal('0'), Type.Literal('1')]);
const Otlp = Type.Union([Type.Literal('otlp'), Type.Literal('none')]);
/** settings-reference, "requiredMinimumVersion": "a version number such as 2.1.150"; another value is ignored. */
export const ClientVersion = Type.String({ pattern: '^[0-9]{1,4}\\.[0-9]{1,4}\\.[0-9]{1,5}$' });
/** Ends in TOKEN, so that a misspelt name of another variable is not taken for it. */
export const TokenVariable = Type.String({ pattern: '^[A-Z][A-Z0-9_]*_TOKEN$', maxLength: 64 });

/** hooks, "Common fields": seconds. */
const timeout = Type.Integer({ minimum: 1, maximum: 60 });
/** hooks, handler options since 2.1.295: whether a call goes on if its handler cannot run. */
const onFailure = Type.Optional(Type.Union([Type.Literal('continue'), Type.Literal('block')]));

/** hooks, "Command hook fields", exec form: `args` given, so no shell reads them. */
const CommandHandler = Type.Object(
  {
    type: Type.Literal('command'),
    command: Text,
    args: Type.Array(Text, { minItems: 1 }),
    timeout,
    onFailure,
  },
  closed,
);

/** hooks, "HTTP hook fields". */
const HttpHandler = Type.Object(
  {
    type: Type.Literal('http'),
    url: Type.String({ pattern: '^https?://' }),
    headers: Type.Object({ Authorization: Type.String({ pattern: '^Bearer \\$[A-Z][A-Z0-9_]*$' }) }, closed),
    allowedEnvVars: Names,
    timeout,
  },
  closed,
);

/** settings-reference, "hooks": an array of `{ matcher, hooks }` groups per event; a group without matcher takes all. */
const Group = Type.Object(
  {
    matcher: Type.Optional(Text),
    hooks: Type.Array(Type.Union([CommandHandler, HttpHandler]), { minItems: 1, maxItems: 1 }),
  },
  closed,
);
const Groups = Type.Array(Group, { minItems: 1, maxItems: 1 });

/** hooks, "Hook events", by name. */
const Hooks = Type.Object(
  Object.fromEntries(HOOK_EVENTS.map((event) => [event, Type.Optional(Groups)])),
  closed,
);

/**
 * permissions, "Permission rule syntax" and "Read and Edit": paths are checked against Read and Edit rules alone, so
 * a path in a rule for Write, NotebookEdit, Grep or Glob would be accepted and never consulted.
 */
const Rule = Type.String({
  pattern:
    '^(?:(?:Bash|PowerShell|Read|Edit|WebFetch)\\([^()]+\\)|Bash|PowerShell|Read|Edit|Write|NotebookEdit|Grep|Glob|WebFetch|WebSearch)$',
});
const Rules = Type.Optional(Type.Array(Rule, { minItems: 1, uniqueItems: true }));

const Permissions = Type.Object(
  {
    /** settings-reference, "permissions.allow". */
    allow: Rules,
    /** settings-reference, "permissions.ask". */
    ask: Rules,
    /** settings-reference, "permissions.deny". */
    deny: Rules,
    /** settings-reference, "permissions.defaultMode". */
    defaultMode: Type.Optional(Type.Union([Type.Literal('default'), Type.Literal('plan')])),
    /** settings-reference, "permissions.disableBypassPermissionsMode": the word, not a Boolean. */
    disableBypassPermissionsMode: Type.Literal('disable'),
  },
  closed,
);

/** settings-reference, "env": strings only. monitoring-usage, "Common configuration variables", unless said. */
const Environment = Type.Object(
  {
    CLAUDE_CODE_ENABLE_TELEMETRY: Type.Literal('1'),
    OTEL_LOGS_EXPORTER: Otlp,
    OTEL_METRICS_EXPORTER: Otlp,
    /** monitoring-usage, "Traces (beta)". */
    OTEL_TRACES_EXPORTER: Otlp,
    /** No default: without it nothing is exported. */
    OTEL_EXPORTER_OTLP_PROTOCOL: Type.Union([Type.Literal('http/protobuf'), Type.Literal('http/json')]),
    OTEL_EXPORTER_OTLP_ENDPOINT: Type.String({ pattern: '^https?://' }),
    OTEL_EXPORTER_OTLP_COMPRESSION: Type.Literal('gzip'),
    OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(Type.String({ pattern: '^Authorization=Bearer [!-~]+$' })),
    OTEL_LOG_USER_PROMPTS: OnOff,
    OTEL_LOG_ASSISTANT_RESPONSES: OnOff,
    OTEL_LOG_TOOL_DETAILS: OnOff,
    OTEL_LOG_TOOL_CONTENT: OnOff,
    /** Content of whole requests. A path or 1 turns it on, so it is set to be off. */
    OTEL_LOG_RAW_API_BODIES: Type.Literal('0'),
    /** monitoring-usage, "Metrics cardinality control". */
    OTEL_METRICS_INCLUDE_SESSION_ID: Type.Literal('true'),
    OTEL_METRICS_INCLUDE_VERSION: Type.Literal('true'),
    /** monitoring-usage, "Multi-team organization support": `k=v,k=v`, percent-encoded. */
    OTEL_RESOURCE_ATTRIBUTES: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._-]+=[!#-+\\-./0-:<-\\[\\]-~]+(?:,[A-Za-z0-9._-]+=[!#-+\\-./0-:<-\\[\\]-~]+)*$',
      }),
    ),
  },
  // The variable of the token, if the token is written into the file.
  { additionalProperties: false, patternProperties: { '^[A-Z][A-Z0-9_]*_TOKEN$': Text } },
);

export const ManagedSettings = Type.Object(
  {
    /** settings-reference, "requiredMinimumVersion". */
    requiredMinimumVersion: Type.Optional(ClientVersion),
    /** settings-reference, "cleanupPeriodDays": a whole number of at least 1; 0 fails. */
    cleanupPeriodDays: Type.Integer({ minimum: 1, maximum: 36_500 }),
    /** settings-reference, "allowManagedHooksOnly". */
    allowManagedHooksOnly: Type.Literal(true),
    /** settings-reference, "allowedHttpHookUrls": binds managed hooks too. */
    allowedHttpHookUrls: Names,
    /** settings-reference, "httpHookAllowedEnvVars": binds managed hooks too. */
    httpHookAllowedEnvVars: Names,
    /** settings-reference, "allowManagedPermissionRulesOnly". */
    allowManagedPermissionRulesOnly: Type.Optional(Type.Literal(true)),
    /** settings-reference, "disableAutoMode": the word, not a Boolean. */
    disableAutoMode: Type.Optional(Type.Literal('disable')),
    /** settings-reference, "permissions". */
    permissions: Permissions,
    /** settings-reference, "otelHeadersHelper"; monitoring-usage, "Dynamic headers": a shell command line. */
    otelHeadersHelper: Type.Optional(Text),
    /** settings-reference, "env". */
    env: Environment,
    /** settings-reference, "hooks". */
    hooks: Hooks,
  },
  closed,
);
export type ManagedSettings = Static<typeof ManagedSettings>;
