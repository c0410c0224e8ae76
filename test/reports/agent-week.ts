import type { AuditRecord, StatedFacts } from '../../schemas/record.ts';
import type { RecordRow } from '../../store/records/record-store.ts';
import { auditRecord, sealedRows } from '../support/sealed-rows.ts';

export type Draft = Pick<AuditRecord, 'type' | 'source'> & {
  facts: Partial<StatedFacts>;
  content?: AuditRecord['content'];
};

const PERSON = { claimed_user: 'dana@example.com', claimed_user_source: 'user.email' };

/** The records of an ordinary tool call, as hooks and telemetry report it. */
export function executedCall(
  session_id: string,
  tool_use_id: string,
  more: Partial<StatedFacts> = {},
): Draft[] {
  const facts = { session_id, tool_use_id, tool_name: 'Bash', ...more };
  return [
    { type: 'tool.requested', source: 'hook', facts },
    {
      type: 'tool.decided',
      source: 'otel',
      facts: { ...facts, ...PERSON, decision: 'accept', decision_source: 'config' },
    },
    { type: 'tool.completed', source: 'hook', facts },
    { type: 'tool.measured', source: 'otel', facts: { ...facts, ...PERSON, success: true } },
  ];
}

export function deniedCall(session_id: string, tool_use_id: string): Draft[] {
  const facts = { session_id, tool_use_id, tool_name: 'Bash' };
  return [
    { type: 'tool.requested', source: 'hook', facts },
    {
      type: 'tool.decided',
      source: 'otel',
      facts: { ...facts, ...PERSON, decision: 'reject', decision_source: 'config' },
    },
  ];
}

/** A whole session with its start, settings, calls and end. */
export function session(session_id: string, calls: readonly Draft[]): Draft[] {
  return [
    { type: 'session.started', source: 'hook', facts: { session_id } },
    { type: 'config.resolved', source: 'otel', facts: { session_id, ...PERSON, reason: 'startup' } },
    {
      type: 'hook.registered',
      source: 'otel',
      facts: { session_id, ...PERSON, hook_event: 'PreToolUse', hook_source: 'policySettings' },
    },
    ...calls,
    { type: 'session.ended', source: 'hook', facts: { session_id } },
  ];
}

/** Rows of drafts received one second apart from `start`, sealed from the start of log p0. */
export function rowsOf(drafts: readonly Draft[], start = '2026-03-02T09:00:00.000Z'): RecordRow[] {
  const records = drafts.map((draft, position) =>
    auditRecord(`record ${position}`, {
      ...draft,
      received_at: new Date(Date.parse(start) + position * 1000).toISOString(),
      content: draft.content ?? null,
    }),
  );
  return sealedRows(records);
}

/** A little of everything that the catalogue speaks of. */
export function agentWeek(): RecordRow[] {
  return rowsOf([
    ...session('s-ordinary', [
      ...executedCall('s-ordinary', 'toolu_1'),
      ...executedCall('s-ordinary', 'toolu_2', {
        tool_name: 'Write',
        file_path: '/repo/src/naïve "quote".ts',
      }),
      ...executedCall('s-ordinary', 'toolu_3', { tool_name: 'Bash', git_commit_id: 'a1b2c3d' }),
      ...deniedCall('s-ordinary', 'toolu_4'),
    ]),
    ...session('s-bypass', [
      ...executedCall('s-bypass', 'toolu_5', { permission_mode: 'bypassPermissions' }),
      ...executedCall('s-bypass', 'toolu_6', { tool_name: 'Edit', file_path: '/repo/.claude/settings.json' }),
    ]),
    {
      type: 'tool.requested',
      source: 'hook',
      facts: { session_id: 's-nobody', tool_use_id: 'toolu_7', tool_name: 'Bash' },
      content: {
        tool_input: {
          command: 'git commit --no-verify -m canary-of-the-commit-message',
          dangerouslyDisableSandbox: true,
        },
      },
    },
    {
      type: 'tool.completed',
      source: 'hook',
      facts: { session_id: 's-nobody', tool_use_id: 'toolu_7', tool_name: 'Bash' },
    },
    {
      type: 'tool.decided',
      source: 'otel',
      facts: {
        session_id: 's-nobody',
        tool_use_id: 'toolu_7',
        tool_name: 'Bash',
        decision: 'reject',
        decision_source: 'user_reject',
      },
    },
    ...executedCall('=HYPERLINK("x")', 'toolu_8', { tool_name: '@SUM(1)' }),
    {
      type: 'hook.executed',
      source: 'otel',
      facts: { session_id: 's-ordinary', hook_event: 'PostToolUse', hook_error_count: 1, ...PERSON },
    },
    {
      type: 'quarantined',
      source: 'affidavit',
      facts: {
        source_event: 'otlp-logs',
        quarantine_reason: 'json_too_deep',
        quarantine_pointer: '/resourceLogs/0',
        body_sha256: 'ab'.repeat(32),
      },
    },
  ]);
}
