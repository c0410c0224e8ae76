import type { Control } from '../../controls/control.ts';
import {
  agentChangePopulation,
  agentCommitPushedPast,
  agentCommitUnapproved,
  approvalBeforeLastPush,
  changesByState,
  mergedWithoutApproval,
} from '../../populations/agent-changes.ts';
import {
  callRule,
  groupedFigure,
  groupPopulation,
  recordPopulation,
  recordRule,
} from '../../populations/population.ts';
import { SHELL_COMMAND } from '../../populations/tool-calls.ts';

const RAN = `(type = 'tool.completed' OR (type = 'tool.measured' AND success = true))`;
const FILE_TOOL = `tool_name IN ('Write', 'Edit', 'MultiEdit', 'NotebookEdit')`;

/** Windows takes dots and blanks behind a name for nothing, and `::$DATA` for the file itself. */
const SEPARATOR = '[. ]*[/\\\\\\\\]';
const END = '[. ]*(::[$]DATA)?$';
/** Names of files, behind a separator or a drive, or at the start of the path. */
const GUARDRAIL_NAMES = [
  `[.]claude${SEPARATOR}settings([.]local)?[.]json${END}`,
  `[.]claude${SEPARATOR}hooks${SEPARATOR}`,
  `[.]claude${SEPARATOR}plugins${SEPARATOR}.*hooks`,
  `[.]claude[.]json${END}`,
  `managed-settings[.]json${END}`,
  `managed-settings[.]d${SEPARATOR}`,
  `managed-mcp[.]json${END}`,
  `[.]mcp[.]json${END}`,
  `[.]github${SEPARATOR}(workflows|actions)${SEPARATOR}`,
  `[.]gitlab-ci[.]yml${END}`,
  `[.]gitlab${SEPARATOR}ci${SEPARATOR}`,
];

/** Files that steer the agent, or the pipeline that checks its work. */
const GUARDRAIL_PATH = `match(file_path, '(?i)(^|[/\\\\\\\\:])(${GUARDRAIL_NAMES.join('|')})')`;

const fileChanges = groupPopulation({
  id: 'file-changes',
  title: 'File changes made by agents',
  definition: `Every call of a file-writing tool (Write, Edit, MultiEdit, NotebookEdit) that a source reported as executed. Files changed by shell commands do not appear here.`,
  where: `tool_use_id != '' AND ${FILE_TOOL} AND ${RAN}`,
  keys: ['session_id', 'tool_use_id'],
  aggregates: {
    tool_names: 'arraySort(groupUniqArray(toString(tool_name)))',
    file_paths: `arraySort(groupUniqArrayIf(file_path, file_path != ''))`,
    first_received_at: 'min(received_at)',
    sources: 'arraySort(groupUniqArray(toString(source)))',
    claimed_users: `arraySort(groupUniqArrayIf(claimed_user, claimed_user != ''))`,
  },
});

const commits = groupPopulation({
  id: 'agent-commits',
  title: 'Commits made by agents',
  definition: 'Every commit id that a source reported as the result of a tool call of an agent.',
  where: `git_commit_id != '' AND source != 'forge'`,
  keys: ['git_commit_id'],
  aggregates: {
    session_ids: `arraySort(groupUniqArrayIf(session_id, session_id != ''))`,
    tool_use_ids: `arraySort(groupUniqArrayIf(tool_use_id, tool_use_id != ''))`,
    first_received_at: 'min(received_at)',
    claimed_users: `arraySort(groupUniqArrayIf(claimed_user, claimed_user != ''))`,
  },
});

const CHANGE_COLUMNS = [
  'type',
  'source',
  'source_event',
  'repository',
  'change_id',
  'git_commit_id',
  'claimed_user',
  'target_user',
  'decision',
  'reason',
] as const;

const merges = recordPopulation({
  id: 'forge-merges',
  title: 'Merges reported by the forge',
  definition: 'Every merge that the forge itself reported in the period.',
  where: `type = 'change.merged' AND source = 'forge'`,
  columns: CHANGE_COLUMNS,
});

const approvals = recordPopulation({
  id: 'approvals-and-deployments',
  title: 'Approvals and deployments',
  definition:
    'Every approval and deployment of the period, and every merge that another source than the forge reported.',
  where: `(type = 'change.deployed' OR (type = 'change.reviewed' AND decision = 'approved') OR (type = 'change.merged' AND source != 'forge'))`,
  columns: CHANGE_COLUMNS,
});

const commitWithoutSession = recordRule(
  'commit-without-session',
  'A commit was reported as made by an agent, and no session is named.',
  `git_commit_id != '' AND session_id = '' AND NOT startsWith(type, 'change.')`,
);

const guardrailChange = callRule(
  'guardrail-changed-by-agent',
  'An agent changed a file that steers agents or the pipeline (agent settings, hooks, MCP servers, CI workflows).',
  `${FILE_TOOL} AND ${RAN}
  AND ${GUARDRAIL_PATH}`,
);

/**
 * Characters, escaped characters and quoted texts stand between `git` and an option of the same command. A quoted separator
 * does not end the command, and an option that a text names does not count.
 */
const SHELL_WORDS = `[^;&|"\\'\\\\\\\\]|\\\\\\\\.|"([^"\\\\\\\\]|\\\\\\\\.)*"|\\'[^\\']*\\'`;

const checksSkipped = callRule(
  'checks-skipped',
  'An agent asked to commit or push without the checks that are set up (--no-verify). The command itself is content and not part of this package.',
  `tool_name = 'Bash' AND content LIKE '%--no-veri%'
  AND match(${SHELL_COMMAND}, '\\\\bgit\\\\b(${SHELL_WORDS})*\\\\s["\\']?--no-veri(fy?)?["\\']?([\\\\s;&|)]|$)')`,
);

const changesByTool = groupedFigure(
  'changes-by-tool',
  `concat('executed calls of ', tool_name)`,
  'uniqExact((session_id, tool_use_id))',
  `tool_use_id != '' AND ${FILE_TOOL} AND ${RAN}`,
);

export const CC8_1: Control = {
  id: 'CC8.1',
  title: 'Change management',
  criterion:
    'Changes to software and infrastructure are requested, reviewed, approved and tested before they take effect.',
  asks: 'A complete list of the changes of the period; for those that an agent made, the session, the person, the files and commits; and that somebody else approved each before it was merged.',
  populations: [fileChanges, commits, agentChangePopulation, merges, approvals],
  activity: ['file-changes', 'agent-commits', 'forge-merges', 'approvals-and-deployments'],
  when_no_activity: {
    state: 'not_applicable',
    reason: 'No agent changed a file or made a commit in the period, and no merge was reported.',
  },
  needed: [
    {
      population: 'forge-merges',
      when_empty:
        'no merge was reported by a forge in the period, so the changes made by agents cannot be traced to a review',
    },
  ],
  rules: [
    commitWithoutSession,
    mergedWithoutApproval,
    agentCommitUnapproved,
    approvalBeforeLastPush,
    agentCommitPushedPast,
    guardrailChange,
    checksSkipped,
  ],
  figures: [changesByTool, changesByState],
  required_statistics: ['S2', 'S3', 'S6', 'S8'],
  not_proven: [
    'The quality of a review.',
    'That two names are two people: a forge names people by login and an agent by address, and only equal names are known to be the same person.',
    'The approvals of a commit that was rewritten (rebased, amended, cherry-picked), or whose forge and session are in different logs.',
    'Changes that people made without an agent.',
    'Files that a shell command or another process changed: only calls of file tools are listed.',
    'Commits of sessions whose telemetry did not report details, because no commit id arrives then.',
    'Which part of a file an agent wrote.',
  ],
};
