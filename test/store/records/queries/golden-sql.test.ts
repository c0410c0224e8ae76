import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as changes from '../../../../store/records/queries/changes.ts';
import * as canaries from '../../../../store/records/queries/canaries.ts';
import * as collectors from '../../../../store/records/queries/collectors.ts';
import * as completeness from '../../../../store/records/queries/completeness.ts';
import * as leaves from '../../../../store/records/queries/leaves.ts';
import * as quarantine from '../../../../store/records/queries/quarantine.ts';
import * as records from '../../../../store/records/queries/records.ts';
import * as roster from '../../../../store/records/queries/roster.ts';
import { sequenceGaps } from '../../../../store/records/queries/sequence-gaps.ts';
import * as witnesses from '../../../../store/records/queries/session-witnesses.ts';
import * as sessions from '../../../../store/records/queries/sessions.ts';
import * as toolCalls from '../../../../store/records/queries/tool-calls.ts';
import type { Query } from '../../../../store/records/record-store.ts';

const GOLDEN_DIR = join(import.meta.dirname, '../../../golden/sql');
/** Set to write the files instead of comparing with them: a changed question is then read in the diff. */
const IS_UPDATE = process.env['UPDATE_GOLDEN'] === '1';

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
    ...scope,
    outcome: 'denied',
    after: { session_id: 's1', tool_use_id: 't1' },
    limit: 100,
  }),
  'count-tool-calls': toolCalls.countToolCalls(period),
  'list-changes': changes.listChanges({ limit: 100 }),
  'list-changes-every-filter': changes.listChanges({
    ...scope,
    log: 'p0',
    git_commit_id: 'abcdef1',
    repository: 'a/b',
    state: 'approved',
    after: { git_commit_id: 'abcdef0' },
    limit: 100,
  }),
  'count-changes': changes.countChanges(period),
  'sequence-gaps': sequenceGaps(scope),
  'tool-calls-missing-counterpart': completeness.toolCallsMissingCounterpart({ ...scope, limit: 100 }),
  'source-counts': completeness.sourceCounts(scope),
  'clock-skew': completeness.clockSkew(scope),
  'sessions-without-end': completeness.sessionsWithoutEnd({ ...scope, limit: 100 }),
  'hook-delivery-errors': completeness.hookDeliveryErrors({ ...scope, limit: 100 }),
  'redacted-count': completeness.redactedCount(scope),
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

describe('the text of a question', () => {
  it.each(Object.entries(QUERIES))('is the one on file: %s', (name, query) => {
    const path = join(GOLDEN_DIR, `${name}.sql`);
    const text = `-- ${query.name}\n-- ${JSON.stringify(query.params)}\n${query.sql.trim()}\n`;
    if (IS_UPDATE) writeFileSync(path, text);
    expect(existsSync(path), `${path} is missing; see UPDATE_GOLDEN`).toBe(true);
    expect(text).toBe(readFileSync(path, 'utf8'));
  });

  it('has no file without a question', () => {
    const files = readdirSync(GOLDEN_DIR).filter((file) => file.endsWith('.sql'));
    expect(files.sort()).toEqual(
      Object.keys(QUERIES)
        .map((name) => `${name}.sql`)
        .sort(),
    );
  });

  it.each(Object.entries(QUERIES))('names exactly the placeholders that it fills: %s', (_, query) => {
    const named = [...query.sql.matchAll(/\{([a-z_]+): /g)].map((match) => match[1]);
    expect([...new Set(named)].sort()).toEqual(Object.keys(query.params).sort());
  });
});
