import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as changes from '../../../../store/records/queries/changes.ts';
import * as canaries from '../../../../store/records/queries/canaries.ts';
import * as collectors from '../../../../store/records/queries/collectors.ts';
import * as completeness from '../../../../store/records/queries/completeness.ts';
import { ingestCounts } from '../../../../store/records/queries/ingest-counts.ts';
import * as leaves from '../../../../store/records/queries/leaves.ts';
import * as quarantine from '../../../../store/records/queries/quarantine.ts';
import * as records from '../../../../store/records/queries/records.ts';
import * as roster from '../../../../store/records/queries/roster.ts';
import { sessionCounters } from '../../../../store/records/queries/session-counters.ts';
import * as witnesses from '../../../../store/records/queries/session-witnesses.ts';
import * as sessions from '../../../../store/records/queries/sessions.ts';
import * as toolCalls from '../../../../store/records/queries/tool-calls.ts';
import type { Query } from '../../../../store/records/record-store.ts';
import { expectGolden } from '../../../support/golden-sql.ts';

const GOLDEN_DIR = join(import.meta.dirname, '../../../golden/sql');

const period = { from: '2026-01-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };
const scope = { ...period, session_id: 's1', log: 'p0', below: 1000 };
const position = { log: 'p0', leaf_index: 7 };
const everyFilter = {
  type: ['tool.requested'],
  source: 'hook',
  session_id: 's1',
  tool_use_id: 't1',
  prompt_id: 'p1',
  request_id: 'q1',
  claimed_user: 'alice',
  collector: 'laptop-1',
  tool_name: 'Bash',
  decision: 'accept',
  received_from: period.from,
  received_to: period.to,
  occurred_from: period.from,
  occurred_to: period.to,
  text: 'some words',
  log: 'p0',
  below: 1000,
};

const callScope = { ...scope, after: { session_id: 's1', tool_use_id: 't1' } };
const changeScope = {
  ...scope,
  git_commit_id: 'abcdef1',
  after: { git_commit_id: 'abcdef0' },
};

const QUERIES: Record<string, Query<unknown>> = {
  'list-records': records.listRecords({ limit: 100 }),
  'list-records-every-filter': records.listRecords({
    filters: everyFilter,
    after: position,
    limit: 100,
    withContent: true,
  }),
  'count-records': records.countRecords({ filters: everyFilter }),
  'get-record': records.getRecord({ id: 'x', withContent: true }),
  'list-sessions': sessions.listSessions({ limit: 100 }),
  'list-sessions-every-filter': sessions.listSessions({
    ...period,
    claimed_user: 'alice',
    below: 1000,
    after: { started_at: period.from, session_id: 's1' },
    limit: 100,
  }),
  'session-timeline': sessions.sessionTimeline({
    session_id: 's1',
    after: { ...position, ordered_at: period.from },
    limit: 100,
  }),
  'list-tool-calls': toolCalls.listToolCalls({ limit: 100 }),
  'list-tool-calls-every-filter': toolCalls.listToolCalls({
    ...callScope,
    outcome: 'denied',
    limit: 100,
  }),
  'count-tool-calls': toolCalls.countToolCalls(period),
  'list-changes': changes.listChanges({ limit: 100 }),
  'list-changes-every-filter': changes.listChanges({
    ...changeScope,
    repository: 'a/b',
    state: 'approved',
    limit: 100,
  }),
  'count-changes': changes.countChanges(period),
  'session-counters': sessionCounters(scope),
  'tool-calls-missing-counterpart': completeness.toolCallsMissingCounterpart({ ...scope, limit: 100 }),
  'source-counts': completeness.sourceCounts(scope),
  'clock-skew': completeness.clockSkew(scope),
  'clock-steps': completeness.clockSteps(scope),
  'sessions-without-end': completeness.sessionsWithoutEnd({ ...scope, limit: 100 }),
  'hook-delivery-errors': completeness.hookDeliveryErrors({ ...scope, limit: 100 }),
  'redacted-count': completeness.redactedCount(scope),
  'ingest-counts': ingestCounts(scope),
  'delivery-gaps': collectors.deliveryGaps(scope),
  'witness-counts': witnesses.witnessCounts(scope),
  'silent-witnesses': witnesses.silentWitnesses({ ...scope, limit: 100 }),
  'collector-counts': collectors.collectorCounts(scope),
  'collector-silences': collectors.collectorSilences({ ...scope, limit: 100 }),
  'collector-losses': collectors.collectorLosses(scope),
  'roster-counts': roster.rosterCounts(scope),
  'roster-differences': roster.rosterDifferences({ ...scope, limit: 100 }),
  'canary-counts': canaries.canaryCounts(scope),
  'missing-canaries': canaries.missingCanaries({ ...scope, limit: 100 }),
  'list-quarantine': quarantine.listQuarantine({ after: position, limit: 100 }),
  'quarantine-counts': quarantine.quarantineCounts({ ...period, log: 'p0', below: 1000 }),
  'leaf-hashes': leaves.leafHashes({ log: 'p0', from_index: 0, to_index: 256 }),
  'records-for-package': leaves.recordsForPackage({ log: 'p0', ids: ['x'] }),
  'leaves-by-index': leaves.leavesByIndex({ log: 'p0', indexes: [7] }),
};

/** The sub-queries of calls and of changes, each with every condition. */
const BUILDERS: Record<string, Query<unknown>> = {
  'select-calls': { name: 'select_calls', ...toolCalls.selectCalls(callScope) },
  'select-changes': { name: 'select_changes', ...changes.selectChanges(changeScope) },
};

const FOLDED = [
  ...Object.values(BUILDERS),
  { name: 'select_calls', ...toolCalls.selectCalls(scope) },
  { name: 'select_changes', ...changes.selectChanges(scope) },
];

/** One query of each family. Those left out differ from it by the select list, or have no condition to show. */
const ON_FILE = [
  'list-records-every-filter',
  'list-sessions-every-filter',
  'session-timeline',
  'list-tool-calls-every-filter',
  'list-changes-every-filter',
  'session-counters',
  'tool-calls-missing-counterpart',
  'clock-skew',
  'sessions-without-end',
  'ingest-counts',
  'delivery-gaps',
  'collector-silences',
  'silent-witnesses',
  'roster-differences',
  'missing-canaries',
  'quarantine-counts',
  'leaves-by-index',
];

describe('the text of a query', () => {
  it.each(Object.entries(BUILDERS))('is the one on file: %s', (name, query) => {
    expectGolden(GOLDEN_DIR, name, query);
  });

  it.each(ON_FILE)('is the one on file: %s', (name) => {
    expectGolden(GOLDEN_DIR, name, QUERIES[name]!, FOLDED);
  });

  it('has no file without a query', () => {
    const names = [...Object.keys(BUILDERS), ...ON_FILE].map((name) => `${name}.sql`);
    expect(readdirSync(GOLDEN_DIR).sort()).toEqual(names.sort());
  });

  it.each(Object.entries(QUERIES))('names exactly the placeholders that it fills: %s', (_, query) => {
    const named = [...query.sql.matchAll(/\{([a-z_]+): /g)].map((match) => match[1]);
    expect([...new Set(named)].sort()).toEqual(Object.keys(query.params).sort());
  });
});
