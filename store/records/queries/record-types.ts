/** Types that tell of one tool call by its `tool_use_id`. */
export const TOOL_CALL_TYPES = [
  'tool.requested',
  'tool.completed',
  'tool.failed',
  'tool.reported',
  'tool.decided',
  'tool.measured',
  'permission.denied',
] as const;

/** Sources that see what agents do, each by itself. */
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

/** Constant names as an SQL list; they come from this file only. */
export function typeList(types: readonly string[]): string {
  return types.map((type) => `'${type}'`).join(', ');
}
