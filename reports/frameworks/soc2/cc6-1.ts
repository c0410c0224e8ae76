import type { Control } from '../../controls/control.ts';
import {
  callRule,
  groupedFigure,
  IN_SCOPE,
  IN_TREE,
  recordPopulation,
  recordRule,
  sqlRule,
} from '../../populations/population.ts';
import { sessionPopulation } from '../../populations/sessions.ts';
import {
  callsByOutcome,
  OUTSIDE_SANDBOX,
  rejectedButExecuted,
  toolCallPopulation,
} from '../../populations/tool-calls.ts';

const permissionDecisions = recordPopulation({
  id: 'permission-decisions',
  title: 'Permission decisions',
  definition:
    'Every report of a permission asked for, decided or denied, and every change of the permission mode, as each source reported it.',
  where: `type IN ('tool.decided', 'permission.requested', 'permission.denied', 'permission.mode_changed')`,
  columns: [
    'type',
    'source',
    'session_id',
    'tool_use_id',
    'tool_name',
    'decision',
    'decision_source',
    'permission_mode',
    'claimed_user',
  ],
});

const configuration = recordPopulation({
  id: 'configuration',
  title: 'Configuration in force',
  definition:
    'Every report of the settings that were resolved or changed, and every hook that was registered, by session.',
  where: `type IN ('config.resolved', 'config.changed', 'hook.registered')`,
  columns: [
    'type',
    'source',
    'session_id',
    'hook_event',
    'hook_source',
    'reason',
    'app_version',
    'claimed_user',
  ],
});

const bypassPermissions = sqlRule({
  id: 'bypass-permissions-mode',
  description:
    'The session ran in permission mode bypassPermissions, in which the agent asks nobody. The records are the first and the last that show the mode.',
  sql: `SELECT session_id, '' AS tool_use_id,
  arrayDistinct([argMin(id, leaf_index), argMax(id, leaf_index)]) AS record_ids
FROM records
WHERE ${IN_SCOPE}
  AND permission_mode = 'bypassPermissions'
GROUP BY session_id
ORDER BY session_id`,
});

/** `user.id` of the telemetry is a random number of the installation, so it does not name a person. */
const noPerson = sqlRule({
  id: 'no-resolvable-person',
  description:
    'Tools or models were called in a session in which no record names a person. A random installation id does not count as a name. The records are the first and the last of these calls.',
  sql: `SELECT session_id, '' AS tool_use_id,
  arrayDistinct([argMin(id, leaf_index), argMax(id, leaf_index)]) AS record_ids
FROM records
WHERE ${IN_SCOPE}
  AND session_id != ''
  AND (startsWith(type, 'tool.') OR startsWith(type, 'model.'))
  AND session_id NOT IN (
    SELECT session_id FROM records
    WHERE ${IN_TREE}
      AND claimed_user != '' AND claimed_user_source NOT IN ('', 'user.id')
  )
GROUP BY session_id
ORDER BY session_id`,
});

const outsideSandbox = callRule(
  'sandbox-disabled',
  'The agent asked to run a command outside the sandbox (dangerouslyDisableSandbox). The input itself is content and not part of this package.',
  `tool_use_id != '' AND content LIKE '%dangerouslyDisableSandbox%'
  AND ${OUTSIDE_SANDBOX}`,
);

const hookErrors = recordRule(
  'hook-error-not-blocking',
  'A hook ended in an error that did not block, so the action that it should have prevented or recorded went on.',
  `type = 'hook.executed' AND hook_error_count > 0`,
);

const decisionsBySource = groupedFigure(
  'decisions-by-source',
  `concat('decisions ', decision, ' by ', if(decision_source = '', 'nobody named', decision_source))`,
  'count()',
  `type = 'tool.decided'`,
);

const sessionsByMode = groupedFigure(
  'sessions-by-mode',
  `concat('sessions seen in mode ', permission_mode)`,
  'uniqExact(session_id)',
  `session_id != '' AND permission_mode != ''`,
);

export const CC6_1: Control = {
  id: 'CC6.1',
  title: 'Logical access to protected assets',
  criterion:
    'Access to systems and data is limited by rules that are in force, and the limits hold when somebody, or an agent acting for somebody, runs against them.',
  asks: 'Which permission rules and settings were in force over the period; who used the agents; which operations were allowed, by whom or by what; and that denied operations did not happen.',
  populations: [sessionPopulation, toolCallPopulation, permissionDecisions, configuration],
  activity: ['sessions', 'tool-calls'],
  when_no_activity: {
    state: 'not_tested',
    reason:
      'No agent session was reported in the period. Without a roster of expected users, silence cannot be told from absence.',
  },
  needed: [
    {
      population: 'configuration',
      when_empty:
        'no configuration in force was reported in the period, so the rules under test are not known',
    },
    {
      population: 'permission-decisions',
      when_empty:
        'no permission decision was reported in the period, so nothing shows that the rules were applied',
    },
  ],
  rules: [bypassPermissions, rejectedButExecuted, noPerson, outsideSandbox, hookErrors],
  figures: [callsByOutcome, decisionsBySource, sessionsByMode],
  required_statistics: ['S2', 'S3', 'S4', 'S6', 'S8'],
  not_proven: [
    'That the permission rules are sufficient for the risk.',
    'That a person did nothing outside the agent, for instance in another shell.',
    'That a particular rule made a decision which the source attributes to "config".',
    'That protected data is encrypted at rest.',
    'That the claimed user was the person at the keyboard.',
  ],
};
