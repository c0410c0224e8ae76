import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StatedFacts } from '../../../../schemas/record.ts';
import { LEAF_HASH_SQL, LEAF_SQL } from '../../../../store/records/queries/leaf-sql.ts';
import type { RecordRow, RecordStore } from '../../../../store/records/record-store.ts';
import { recordStoreContract } from '../../../contract/record-store.contract.ts';
import { chdbPlace } from '../../../support/chdb-store.ts';
import { auditRecord, sealedRows } from '../../../support/sealed-rows.ts';

recordStoreContract('chDB', chdbPlace);

describe('rows in the engine in process', () => {
  let place: Awaited<ReturnType<typeof chdbPlace>>;
  let store: RecordStore;
  beforeAll(async () => {
    place = await chdbPlace();
    store = await place.open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  const insertFresh = async (rows: readonly RecordRow[]) => {
    await store.clear();
    await store.insert('p0', rows, 'bundle-0');
  };
  const readAll = <Row>(columns: string) =>
    store.read<Row>({ name: 'all', sql: `SELECT ${columns} FROM records ORDER BY leaf_index`, params: {} });

  it('has a column for every member of facts, under the same name', async () => {
    const columns = await store.read<{ name: string }>({
      name: 'columns',
      sql: `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'records'`,
      params: {},
    });
    const names = columns.map((column) => column.name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(StatedFacts.properties)));
  });

  it('gives back every member of facts as it was, and tells absent from zero and false', async () => {
    const full: Record<string, unknown> = {};
    for (const [name, schema] of Object.entries(StatedFacts.properties)) {
      const type = (schema as { type?: string }).type;
      full[name] = type === 'integer' ? 0 : type === 'boolean' ? false : `text of ${name}`;
    }
    full['data_classes'] = ['pii.email', `it's a \\ and a\ttab`];
    full['policy_outcome'] = 'failed_open';
    full['told'] = 'denied';
    full['occurred_at'] = '2026-11-21T08:15:02.623Z';
    full['body_sha256'] = 'ab'.repeat(32);
    const filled = auditRecord('full', { facts: full });
    await insertFresh(sealedRows([filled, auditRecord('bare')]));
    const names = Object.keys(StatedFacts.properties);
    const [whole, bare] = await readAll<Record<string, unknown>>(names.join(', '));
    expect(whole).toEqual({ ...full, occurred_at: '2026-11-21T08:15:02.623000000Z' });
    for (const name of names.filter((member) => member !== 'source_event' && member !== 'collector')) {
      const absent = Array.isArray(full[name])
        ? []
        : typeof full[name] === 'string' && name !== 'occurred_at'
          ? ''
          : null;
      expect(bare?.[name], name).toEqual(absent);
    }
  });

  it('gives the texts that were hashed back byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ path: fc.string({ unit: 'binary' }), body: fc.string({ unit: 'binary' }) }), {
          minLength: 1,
          maxLength: 20,
        }),
        async (texts) => {
          const records = texts.map(({ path, body }, n) =>
            auditRecord(`r${n}`, { facts: { file_path: path }, content: { body } }),
          );
          const rows = sealedRows(records);
          await insertFresh(rows);
          const columns = `${LEAF_SQL} AS leaf, facts, content, file_path, ${LEAF_HASH_SQL} AS leaf_hash, facts_secret, content_secret`;
          const back = await readAll<RecordRow>(columns);
          expect(back).toEqual(
            rows.map(({ leaf, facts, content, file_path, leaf_hash, facts_secret, content_secret }) => ({
              leaf,
              facts,
              content,
              file_path,
              leaf_hash,
              facts_secret,
              content_secret,
            })),
          );
        },
      ),
      { numRuns: 15 },
    );
  });

  it('carries any text in a parameter without reading it as SQL', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.array(fc.string({ unit: 'binary' })),
        async (text, list) => {
          const rows = await store.read({
            name: 'echo',
            sql: 'SELECT {text: String} AS text, {list: Array(String)} AS list',
            params: { text, list },
          });
          expect(rows).toEqual([{ text, list }]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('gives both of its own clocks and the largest safe index back as they went in', async () => {
    const [row] = sealedRows([
      auditRecord('clocks', {
        received_at: '2026-02-28T23:59:59.007Z',
        facts: { input_tokens: Number.MAX_SAFE_INTEGER },
      }),
    ]);
    await insertFresh([row!]);
    expect(await readAll('received_at, integrated_at, input_tokens')).toEqual([
      {
        received_at: '2026-02-28T23:59:59.007Z',
        integrated_at: '2026-03-02T00:00:00.000Z',
        input_tokens: Number.MAX_SAFE_INTEGER,
      },
    ]);
  });

  it.each([
    '9999-12-31T23:59:59Z',
    '2262-04-12T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T25:00:00Z',
    '2026-06-30T23:59:60Z',
  ])('takes a record whose source claims the impossible instant %s, without that column', async (claimed) => {
    await insertFresh(sealedRows([auditRecord('odd clock', { facts: { occurred_at: claimed } })]));
    const [row] = await readAll<{ occurred_at: string | null; facts: string }>('occurred_at, facts');
    expect(row?.occurred_at).toBeNull();
    expect(row?.facts).toContain(claimed);
  });

  it('takes a record of thirty megabytes', async () => {
    const body = 'y'.repeat(30_000_000);
    await insertFresh(sealedRows([auditRecord('large', { content: { body } })]));
    expect(await readAll('length(content) AS length')).toEqual([
      { length: body.length + '{"body":""}'.length },
    ]);
  });

  it('writes a large bundle of one class as one part, all or nothing', async () => {
    const rows = manyRows(20_000, 1000);
    await insertFresh(rows);
    const parts = await store.read<{ rows: number }>({
      name: 'parts',
      sql: `SELECT rows FROM system.parts WHERE database = currentDatabase() AND table = 'records' AND active`,
      params: {},
    });
    expect(parts).toEqual([{ rows: 20_000 }]);
  });

  it('inserts at a rate that is printed', async () => {
    await store.clear();
    const rows = manyRows(40_000, 1000);
    const started = performance.now();
    for (let start = 0; start < rows.length; start += 5000) {
      await store.insert('p0', rows.slice(start, start + 5000), `bundle-${start}`);
    }
    const seconds = (performance.now() - started) / 1000;
    const sizeStarted = performance.now();
    expect(await store.size('p0')).toBe(rows.length);
    const sizeMs = performance.now() - sizeStarted;
    process.stdout.write(
      `insert of 1 KB records: ${Math.round(rows.length / seconds)} rows/s; size() ${sizeMs.toFixed(1)} ms\n`,
    );
  });
});

function manyRows(count: number, contentLength: number): RecordRow[] {
  const [model] = sealedRows([auditRecord('model', { facts: { session_id: 's', tool_name: 'Bash' } })]);
  const words = Array.from({ length: 997 }, (_, n) => ((n * 7919 + 13) % 100_003).toString(36));
  return Array.from({ length: count }, (_, leaf_index) => {
    let body = '';
    for (let n = leaf_index; body.length < contentLength; n += 31) body += `${words[n % 997]!} `;
    return {
      ...model!,
      leaf_index,
      id: leaf_index.toString(16).padStart(64, '0'),
      session_id: `session-${Math.floor(leaf_index / 200)}`,
      content: JSON.stringify({ body }),
    };
  });
}
