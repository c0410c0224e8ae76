/**
 * Hook events that are recorded. Left out: WorktreeCreate, whose handler replaces the action of the client;
 * MessageDisplay, which fires for every streamed delta; PreModelSwitch, which is blocked by a collector that does not
 * answer, while PostModelSwitch carries the same facts.
 */
export const HTTP_HOOK_EVENTS = [
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
  'TeammateIdle',
  'ConfigChange',
  'InstructionsLoaded',
  'CwdChanged',
  'DirectoryAdded',
  'FileChanged',
  'WorktreeRemove',
  'Elicitation',
  'ElicitationResult',
] as const;

/** The client sends these only to command handlers and silently skips HTTP handlers. */
export const COMMAND_HOOK_EVENTS = ['SessionStart', 'Setup'] as const;

export const HOOK_EVENTS = [...COMMAND_HOOK_EVENTS, ...HTTP_HOOK_EVENTS] as const;
export type HookEventName = (typeof HOOK_EVENTS)[number];

/** A handler must not delay the agent: receivers answer in milliseconds, and the hook client ends by itself. */
export const HOOK_TIMEOUT_S = 5;

export const TOKEN_VARIABLE = 'AFFIDAVIT_COLLECTOR_TOKEN';

/** The text as one word for a POSIX shell. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
