/** Record types of the events that Claude Code 2.1.329 logs; any other event is `event.observed`. */
const LOG_EVENT_TYPES: Readonly<Record<string, string>> = {
  user_prompt: 'prompt.submitted',
  assistant_response: 'model.answered',
  tool_decision: 'tool.decided',
  tool_result: 'tool.measured',
  api_request: 'model.called',
  api_error: 'model.failed',
  permission_mode_changed: 'permission.mode_changed',
  auth: 'auth.observed',
  mcp_server_connection: 'mcp.connected',
  managed_settings_resolved: 'config.resolved',
  hook_registered: 'hook.registered',
  hook_execution_start: 'hook.started',
  hook_execution_complete: 'hook.executed',
  plugin_installed: 'extension.loaded',
  plugin_loaded: 'extension.loaded',
  skill_activated: 'extension.loaded',
  subagent_completed: 'subagent.ended',
};

export function logEventType(name: string): string {
  return Object.hasOwn(LOG_EVENT_TYPES, name)
    ? (LOG_EVENT_TYPES[name] ?? 'event.observed')
    : 'event.observed';
}

/** For each event, the attribute that gives a reason as a word of a closed list; becomes `facts.reason`. */
const REASON_ATTRIBUTES: Readonly<Record<string, string>> = {
  permission_mode_changed: 'trigger',
  auth: 'action',
  mcp_server_connection: 'status',
  managed_settings_resolved: 'managed_settings.trigger',
  plugin_installed: 'install.trigger',
  plugin_loaded: 'enabled_via',
  skill_activated: 'invocation_trigger',
  compaction: 'trigger',
  retention_sweep: 'result',
  at_mention: 'mention_type',
  safety_event: 'category',
};

export function reasonAttribute(event: string): string | undefined {
  return Object.hasOwn(REASON_ATTRIBUTES, event) ? REASON_ATTRIBUTES[event] : undefined;
}
