import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ingestCounts } from '../../../../store/records/queries/ingest-counts.ts';
import { leafHashes, leavesByIndex, recordsForPackage } from '../../../../store/records/queries/leaves.ts';
import { listQuarantine, quarantineCounts } from '../../../../store/records/queries/quarantine.ts';
import {
  countRecords,
  getRecord,
  listRecords,
  type RecordFilters,
} from '../../../../store/records/queries/records.ts';
import type { Query, RecordStore } from '../../../../store/records/record-store.ts';
import { chdbPlace } from '../../../support/chdb-store.ts';
import { auditRecord, sealedRows } from '../../../support/sealed-rows.ts';

const at = (minute: number, second = 0) => new Date(Date.UTC(2026, 2, 1, 10, minute, second)).toISOString();

const records = [
  auditRecord('a', { type: 'session.started', received_at: at(0), facts: { session_id: 's1' } }),
  auditRecord('b', {
    type: 'prompt.submitted',
    received_at: at(1),
    facts: { session_id: 's1', prompt_id: 'p1', claimed_user: 'alice' },
    content: { prompt: 'First line\nSecond LINE of C:\\notes and Über-Text' },
  }),
  auditRecord('c', {
    type: 'tool.decided',
    source: 'otel',
    received_at: at(2),
    facts: {
      session_id: 's1',
      tool_use_id: 't1',
      request_id: 'q1',
      tool_name: 'Bash',
      decision: 'reject',
      occurred_at: '2026-03-01T10:01:59.123456789Z',
    },
  }),
  auditRecord('d', {
    type: 'quarantined',
    source: 'affidavit',
    received_at: at(3),
    facts: {
      source_event: 'otlp-logs',
      collector: 'laptop-2',
      quarantine_reason: 'json_too_deep',
      quarantine_pointer: '/x',
      body_sha256: 'ab'.repeat(32),
      input_size_bytes: 17,
    },
    content: { body_base64: 'AAAA' },
  }),
  auditRecord('e', { type: 'session.ended', received_at: at(4), facts: { session_id: 's2' } }),
];
const rows = [...sealedRows(records), ...sealedRows([auditRecord('f', { received_at: at(9) })], 'p1')];
const name = (id: string) => records.concat(auditRecord('f')).find((record) => record.id === id)?.id;
const ids = (...names: string[]) => names.map((n) => auditRecord(n).id);

describe('questions about records', () => {
  let place: Awaited<ReturnType<typeof chdbPlace>>;
  let store: RecordStore;
  beforeAll(async () => {
    place = await chdbPlace();
    store = await place.open();
    await store.insert('p0', rows.slice(0, 5), 'p0-0');
    await store.insert('p1', rows.slice(5), 'p1-0');
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  const select = async (filters: RecordFilters) => {
    const listed = await store.read(listRecords({ filters, limit: 100 }));
    const [counted] = await store.read(countRecords({ filters }));
    expect(counted).toEqual({ record_count: listed.length });
    return listed.map((row) => name(row.id));
  };

  it.each<[string, RecordFilters, string[]]>([
    ['nothing', {}, ['a', 'b', 'c', 'd', 'e', 'f']],
    ['one type', { type: ['session.started'] }, ['a']],
    ['several types', { type: ['session.started', 'session.ended'] }, ['a', 'e']],
    ['no type', { type: [] }, []],
    ['source', { source: 'otel' }, ['c']],
    ['session', { session_id: 's1' }, ['a', 'b', 'c']],
    ['tool use', { tool_use_id: 't1' }, ['c']],
    ['prompt', { prompt_id: 'p1' }, ['b']],
    ['request', { request_id: 'q1' }, ['c']],
    ['person', { claimed_user: 'alice' }, ['b']],
    ['collector', { collector: 'laptop-2' }, ['d']],
    ['tool', { tool_name: 'Bash' }, ['c']],
    ['decision', { decision: 'reject' }, ['c']],
    ['log', { log: 'p1' }, ['f']],
    ['size of a checkpoint', { below: 2, log: 'p0' }, ['a', 'b']],
    ['half-open period', { received_from: at(1), received_to: at(3) }, ['b', 'c']],
    ['end of all time', { received_from: at(4), received_to: '9999-12-31T23:59:59Z' }, ['e', 'f']],
    ['beginning of all time', { received_from: '0001-01-01T00:00:00Z', received_to: at(1) }, ['a']],
    ['first nanosecond', { occurred_from: '2026-03-01T10:01:59.123456789Z' }, ['c']],
    ['past nanosecond', { occurred_from: '2026-03-01T10:01:59.123456790Z' }, []],
    ['nanosecond as end', { occurred_to: '2026-03-01T10:01:59.123456789Z' }, []],
    ['word', { text: 'second' }, ['b']],
    ['word after a line break', { text: 'SECOND line' }, ['b']],
    ['word after a backslash', { text: 'notes' }, ['b']],
    ['word beyond ASCII', { text: 'ÜBER' }, ['b']],
    ['words of which one is missing', { text: 'second third' }, []],
    ['part of a word', { text: 'seco' }, []],
    ['text without a word', { text: '--- ...' }, []],
    ['quotation marks', { text: `"first" 'line'` }, ['b']],
  ])('selects by %s', async (_, filters, expected) => {
    expect(await select(filters)).toEqual(ids(...expected));
  });

  it('answers a search of very many words', async () => {
    const many = Array.from({ length: 500 }, (_, n) => `word${n}`).join(' ');
    expect(await select({ text: many })).toEqual([]);
  });

  it('refuses a day that does not exist as a parameter, not as an outage', async () => {
    const query = listRecords({ filters: { received_from: '2026-02-30T00:00:00Z' }, limit: 1 });
    await expect(store.read(query)).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
  });

  it('shows content only when asked', async () => {
    const without = await store.read(listRecords({ limit: 10 }));
    expect(without.every((row) => !('content' in row))).toBe(true);
    const [, withContent] = await store.read(listRecords({ limit: 10, withContent: true }));
    expect(withContent?.content).toBe(rows[1]?.content);
  });

  it('pages through everything once, whatever the page size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 7 }), async (limit) => {
        const seen: string[] = [];
        let after: { log: string; leaf_index: number } | undefined;
        for (;;) {
          const page: readonly { log: string; leaf_index: number; id: string }[] = await store.read(
            listRecords({ after, limit }),
          );
          seen.push(...page.map((row) => row.id));
          after = page.at(-1);
          if (page.length < limit) break;
        }
        expect(seen).toEqual(rows.map((row) => row.id));
      }),
      { numRuns: 7 },
    );
  });

  it('gives one record with what its proof needs, and its content only when asked', async () => {
    const [found] = await store.read(getRecord({ id: rows[1]!.id }));
    expect(found).toMatchObject({
      leaf: rows[1]!.leaf,
      facts: rows[1]!.facts,
      facts_secret: rows[1]!.facts_secret,
      chain_hash: rows[1]!.chain_hash,
    });
    expect(found).not.toHaveProperty('content');
    const [whole] = await store.read(getRecord({ id: rows[1]!.id, withContent: true }));
    expect(whole).toMatchObject({ content: rows[1]!.content });
    expect(whole).not.toHaveProperty('content_secret');
    expect(await store.read(getRecord({ id: 'unknown' }))).toEqual([]);
  });

  it('reads a range of leaf hashes in order', async () => {
    const hashes = await store.read(leafHashes({ log: 'p0', from_index: 1, to_index: 4 }));
    expect(hashes).toEqual(
      rows
        .slice(1, 4)
        .map(({ leaf_index, leaf_hash, chain_hash }) => ({ leaf_index, leaf_hash, chain_hash })),
    );
  });

  it('finds packaged records by id and by index, in the order of the log', async () => {
    const byId = await store.read(
      recordsForPackage({ ids: [rows[3]!.id, rows[0]!.id, 'unknown'], log: 'p0' }),
    );
    const byIndex = await store.read(leavesByIndex({ log: 'p0', indexes: [3, 0] }));
    expect(byId).toEqual(byIndex);
    expect(byId).toEqual(
      [rows[0]!, rows[3]!].map(
        ({ log, leaf_index, leaf_hash, id, leaf, facts, facts_secret, person, person_secret }) => ({
          log,
          leaf_index,
          leaf_hash,
          id,
          leaf,
          facts,
          facts_secret,
          person,
          person_secret,
        }),
      ),
    );
  });

  it('lists and counts quarantined items', async () => {
    const listed = await store.read(listQuarantine({ limit: 10 }));
    expect(listed).toEqual([
      {
        log: 'p0',
        leaf_index: 3,
        id: rows[3]!.id,
        received_at: at(3),
        integrated_at: '2026-03-02T00:00:00.000Z',
        collector: 'laptop-2',
        source_event: 'otlp-logs',
        quarantine_reason: 'json_too_deep',
        quarantine_pointer: '/x',
        body_sha256: 'ab'.repeat(32),
        input_size_bytes: 17,
      },
    ]);
    expect(await store.read(listQuarantine({ limit: 10, after: listed[0] }))).toEqual([]);
    const counts = { quarantine_reason: 'json_too_deep', source_event: 'otlp-logs', item_count: 1 };
    expect(await store.read(quarantineCounts({ from: at(3), to: at(4) }))).toEqual([counts]);
    expect(await store.read(quarantineCounts({ from: at(4) }))).toEqual([]);
  });

  it.each<[string, Query<unknown>, RegExp]>([
    ['a session', listRecords({ filters: { session_id: 's1' }, limit: 10 }), /Name: session_filter/],
    ['a tool use', listRecords({ filters: { tool_use_id: 't1' }, limit: 10 }), /Name: tool_use_filter/],
    ['a request', listRecords({ filters: { request_id: 'q1' }, limit: 10 }), /Name: request_filter/],
    ['a record', getRecord({ id: 'x' }), /Name: id_filter/],
    ['records of a package', recordsForPackage({ ids: ['x', 'y'] }), /Name: id_filter/],
    ['losses', ingestCounts({ from: at(0), to: at(1) }), /Name: type_filter/],
    ['words', listRecords({ filters: { text: 'second' }, limit: 10 }), /Name: content_words/],
    ['a period', listRecords({ filters: { received_from: at(0) }, limit: 10 }), /Name: received_at_bounds/],
    [
      'a place',
      listRecords({ after: { log: 'p0', leaf_index: 2 }, limit: 10 }),
      /Keys:[│\s]+log[│\s]+leaf_index/,
    ],
    ['hashes', leafHashes({ log: 'p0', from_index: 1, to_index: 2 }), /Keys:[│\s]+log[│\s]+leaf_index/],
    ['places', leavesByIndex({ log: 'p0', indexes: [1, 2] }), /Keys:[│\s]+log[│\s]+leaf_index/],
  ])('finds %s by an index', async (_, query, index) => {
    const plan = await store.read<{ explain: string }>({
      name: 'explain',
      sql: `EXPLAIN indexes = 1 ${query.sql}`,
      params: query.params,
    });
    expect(plan.map((line) => line.explain).join('\n')).toMatch(index);
  });
});
