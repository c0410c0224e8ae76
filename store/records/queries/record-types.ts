/** Types of records about one tool call, which they name by its `tool_use_id`. */
export const TOOL_CALL_TYPES = [
  'tool.requested',
  'tool.completed',
  'tool.failed',
  'tool.reported',
  'tool.decided',
  'tool.measured',
  'permission.denied',
] as const;

/** Sources that see the work of agents, each independently. */
export const WITNESSES = ['hook', 'otel', 'gateway', 'transcript'] as const;

/** Types that a client's telemetry sends before it takes up a session. */
export const STARTUP_TYPES = [
  'config.resolved',
  'hook.registered',
  'hook.started',
  'hook.executed',
  'extension.loaded',
  'mcp.connected',
  'metric.observed',
] as const;

/** Names as an SQL list. Only constants of this program may be passed, because values never enter the text of a query. */
export function typeList(types: readonly string[]): string {
  return types.map((type) => `'${type}'`).join(', ');
}
