import type { Control } from '../../controls/control.ts';
import { recordPopulation } from '../../populations/population.ts';

const heartbeats = recordPopulation({
  id: 'heartbeats',
  title: 'Collector heartbeats',
  definition: 'Every heartbeat that a collector sent in the period.',
  where: `type = 'collector.heartbeat'`,
  columns: ['type', 'source', 'collector', 'reason'],
});

const detectionRuns = recordPopulation({
  id: 'detection-runs',
  title: 'Runs of detection rules',
  definition: 'Every run of a detection rule in the period, whether it found something or not.',
  where: `type = 'detection.run'`,
  columns: ['type', 'source', 'collector', 'reason'],
});

const findings = recordPopulation({
  id: 'findings',
  title: 'Detection findings',
  definition: 'Every finding that a detection rule raised in the period, and every step of its handling.',
  where: `startsWith(type, 'finding.')`,
  columns: ['type', 'source', 'session_id', 'tool_use_id', 'reason', 'claimed_user'],
});

const hookRuns = recordPopulation({
  id: 'hook-executions',
  title: 'Executions of preventive and recording hooks',
  definition:
    'Every report that hooks ran for an event of the agent, with how many blocked and how many failed.',
  where: `type = 'hook.executed'`,
  columns: ['source', 'session_id', 'hook_event', 'hook_source', 'hook_blocking_count', 'hook_error_count'],
});

const quarantined = recordPopulation({
  id: 'quarantined',
  title: 'Deliveries in quarantine',
  definition: 'Every item that arrived in the period and could not be read in the format it claims.',
  where: `type = 'quarantined'`,
  columns: ['source_event', 'quarantine_reason', 'quarantine_pointer', 'body_sha256', 'collector'],
});

export const CC7_2: Control = {
  id: 'CC7.2',
  title: 'Monitoring for anomalies',
  criterion:
    'Systems are watched for signs of malicious acts, disasters and errors, and somebody decides whether what is seen is a security event.',
  asks: 'Which detection rules ran and when; what they found and what became of it; and that the watchers themselves were alive over the whole period.',
  populations: [heartbeats, detectionRuns, findings, hookRuns, quarantined],
  activity: [],
  when_no_activity: {
    state: 'not_tested',
    reason: 'No record of the period shows whether anything was monitored.',
  },
  needed: [
    {
      population: 'heartbeats',
      when_empty:
        'no collector heartbeat was recorded in the period, so nothing shows that collection was alive throughout',
    },
    {
      population: 'detection-runs',
      when_empty:
        'no run of a detection rule was recorded in the period, so nothing shows that anybody watched',
    },
  ],
  rules: [],
  figures: [],
  required_statistics: ['S2', 'S6', 'S7', 'S8', 'S9'],
  not_proven: [
    'That anomalies which no rule found did not happen.',
    'That the detection rules fit the threats.',
    'That findings were judged well.',
  ],
};
