/** How one Claude Code hook event becomes a record. */
export interface HookEvent {
  readonly type: string;
  /** Member that gives a reason as a word of a closed list; becomes `facts.reason`. */
  readonly reason?: string;
  /** Member that names the error by a word of a closed list; becomes `facts.error_type`. */
  readonly error?: string;
  readonly success?: boolean;
  /** StatedFacts that the event itself states: only the auto-mode classifier fires PermissionDenied. */
  readonly decided?: { readonly decision: string; readonly decision_source: string };
}

const OBSERVED: HookEvent = { type: 'event.observed' };

/**
 * The events of client 2.1.329. An event that is not listed becomes `event.observed`, and so does a listed event that
 * no auditor asks for by type.
 */
const HOOK_EVENTS: Readonly<Record<string, HookEvent>> = {
  SessionStart: { type: 'session.started', reason: 'source' },
  SessionEnd: { type: 'session.ended', reason: 'reason' },
  UserPromptSubmit: { type: 'prompt.submitted', reason: 'source' },
  Stop: { type: 'turn.ended', success: true },
  StopFailure: { type: 'turn.ended', success: false, error: 'error' },
  PreToolUse: { type: 'tool.requested' },
  PostToolUse: { type: 'tool.completed', success: true },
  PostToolUseFailure: { type: 'tool.failed', success: false },
  PostToolBatch: { type: 'tool.reported' },
  PermissionRequest: { type: 'permission.requested' },
  PermissionDenied: {
    type: 'permission.denied',
    decided: { decision: 'reject', decision_source: 'classifier' },
  },
  SubagentStart: { type: 'subagent.started' },
  SubagentStop: { type: 'subagent.ended' },
  ConfigChange: { type: 'config.changed', reason: 'source' },
  InstructionsLoaded: { ...OBSERVED, reason: 'load_reason' },
  Notification: { ...OBSERVED, reason: 'notification_type' },
  PreCompact: { ...OBSERVED, reason: 'trigger' },
  PostCompact: { ...OBSERVED, reason: 'trigger' },
  Setup: { ...OBSERVED, reason: 'trigger' },
  PreModelSwitch: { ...OBSERVED, reason: 'source' },
  PostModelSwitch: { ...OBSERVED, reason: 'source' },
  UserPromptExpansion: { ...OBSERVED, reason: 'expansion_type' },
  DirectoryAdded: { ...OBSERVED, reason: 'source' },
  FileChanged: { ...OBSERVED, reason: 'event' },
  ElicitationResult: { ...OBSERVED, reason: 'action' },
  Elicitation: OBSERVED,
  TaskCreated: OBSERVED,
  TaskCompleted: OBSERVED,
  TeammateIdle: OBSERVED,
  CwdChanged: OBSERVED,
  WorktreeCreate: OBSERVED,
  WorktreeRemove: OBSERVED,
  MessageDisplay: OBSERVED,
};

export function hookEventOf(name: string): HookEvent {
  return Object.hasOwn(HOOK_EVENTS, name) ? (HOOK_EVENTS[name] ?? OBSERVED) : OBSERVED;
}

/** Members that the events of that client carry. Any other member is kept under `content.extensions`. */
const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  ...['session_id', 'transcript_path', 'cwd', 'hook_event_name', 'prompt_id', 'permission_mode', 'agent_id'],
  ...['agent_type', 'effort', 'tool_name', 'tool_input', 'tool_use_id', 'tool_response', 'mcp_server'],
  ...['duration_ms', 'error', 'error_details', 'is_interrupt', 'permission_suggestions', 'reason', 'prompt'],
  ...['source', 'session_title', 'expansion_type', 'command_name', 'command_args', 'command_source', 'model'],
  ...['seconds_since_last_response', 'context_tokens', 'prompt_cache_likely_expired'],
  ...['estimated_cache_write_usd', 'trigger', 'stop_hook_active', 'last_assistant_message'],
  ...['background_tasks', 'session_crons', 'agent_transcript_path', 'message', 'title', 'notification_type'],
  ...['custom_instructions', 'compact_summary', 'from_model', 'to_model', 'requested_model', 'cache_ttl'],
  ...['prompt_cache_warm', 'pricing', 'task_id', 'task_subject', 'task_description', 'teammate_name'],
  ...['team_name', 'file_path', 'memory_type', 'load_reason', 'globs', 'trigger_file_path', 'action', 'name'],
  ...['parent_file_path', 'old_cwd', 'new_cwd', 'directory', 'event', 'worktree_path', 'mcp_server_name'],
  ...['mode', 'url', 'elicitation_id', 'requested_schema', 'content', 'turn_id', 'message_id', 'index'],
  ...['final', 'delta'],
]);

export function isKnownHookMember(name: string): boolean {
  return KNOWN_MEMBERS.has(name);
}
