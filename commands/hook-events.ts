/**
 * Hook events worth having. Left out: WorktreeCreate, whose handler replaces what the client would do;
 * MessageDisplay, which fires for every streamed delta; PreModelSwitch, which a collector that does not answer would
 * block, while PostModelSwitch tells the same.
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

/** The client sends these to command handlers only; an HTTP handler would be skipped without a word. */
export const COMMAND_HOOK_EVENTS = ['SessionStart', 'Setup'] as const;

export const HOOK_EVENTS = [...COMMAND_HOOK_EVENTS, ...HTTP_HOOK_EVENTS] as const;
export type HookEventName = (typeof HOOK_EVENTS)[number];

/** A collector answers in milliseconds, and the hook client ends by itself; neither must hold the agent up. */
export const HOOK_TIMEOUT_S = 5;

export const TOKEN_VARIABLE = 'AFFIDAVIT_COLLECTOR_TOKEN';

/** One word for a POSIX shell, whatever it holds. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
