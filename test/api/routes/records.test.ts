import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from '../../../api/http/page.ts';
import type { RecordShown } from '../../../api/routes/record-view.ts';
import type { Problem } from '../../../schemas/problem.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import type { RecordRow, RecordStore } from '../../../store/records/record-store.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { chdbPlace } from '../../support/chdb-store.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { readAll } from '../../support/read-all.ts';
import { auditRecord, sealedRows } from '../../support/sealed-rows.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 2, 1);
const SEEDED = 60;

/** Varied enough that every filter selects some and leaves some. */
function seedRecord(at: number): AuditRecord {
  const received_at = new Date(START_MS + at * HOUR_MS).toISOString();
  const occurred = at % 4 === 0 ? {} : { occurred_at: new Date(START_MS + at * HOUR_MS - 500).toISOString() };
  const facts = {
    collector: `laptop-${at % 2}`,
    session_id: `s-${at % 4}`,
    prompt_id: `prompt-${at % 6}`,
    claimed_user: ['ada@example.test', 'bob@example.test'][at % 2]!,
    ...occurred,
  };
  const kinds: [string, object, AuditRecord['content']][] = [
    [
      'tool.completed',
      { tool_use_id: `toolu_${at}`, tool_name: ['Bash', 'Read'][at % 2] },
      { tool_input: { command: `echo Marker${at} caf\u00e9 "quoted\\path" <tag>` } },
    ],
    ['prompt.submitted', {}, null],
    ['tool.decided', { decision: ['accept', 'reject'][at % 2] }, null],
  ];
  const [type, ofKind, content] = kinds[at % 3]!;
  const source = at % 2 === 0 ? 'hook' : 'otel';
  return auditRecord(`record-${at}`, { type, source, received_at, content, facts: { ...facts, ...ofKind } });
}

let place: Awaited<ReturnType<typeof chdbPlace>>;
let store: RecordStore;
let stack: ApiStack;
let rows: RecordRow[];

async function insertUpTo(count: number): Promise<void> {
  const all = sealedRows(Array.from({ length: count }, (_, at) => seedRecord(at)));
  await store.insert('p0', all.slice(rows.length), `bundle-${rows.length}`);
  rows = all;
}

beforeAll(async () => {
  place = await chdbPlace();
  store = await place.open();
  rows = [];
  stack = await openApiStack(store);
  await insertUpTo(SEEDED);
});
afterAll(async () => {
  await stack.close();
  await store.close();
  await place.remove();
});

async function idsOf(query: string): Promise<string[]> {
  return (await readAll<RecordShown>(stack, `/v1/records?${query}`)).map(({ id }) => id);
}

describe('one record', () => {
  it('is shown with its place in the log and the facts that were hashed', async () => {
    const row = rows[6]!;
    const answer = await stack.get(`/v1/records/${row.id}`);
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/records/{id}', answer);
    expect(answer.json()).toEqual({
      id: row.id,
      type: 'tool.completed',
      source: 'hook',
      log: 'p0',
      leaf_index: 6,
      received_at: row.received_at,
      integrated_at: row.integrated_at,
      occurred_at: row.occurred_at,
      principal: row.principal,
      subject: null,
      retention_class: row.retention_class,
      facts: JSON.parse(row.facts) as unknown,
      person: JSON.parse(row.person) as unknown,
      leaf_hash: row.leaf_hash,
      chain_hash: row.chain_hash,
    });
  });

  it('shows content only when asked, exactly as it was sealed, and null where there is none', async () => {
    const withContent = await stack.get(`/v1/records/${rows[6]!.id}?include=content`);
    expect(withContent.json<RecordShown>().content).toEqual(seedRecord(6).content);
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/records/{id}', withContent);
    const without = await stack.get(`/v1/records/${rows[7]!.id}?include=content`);
    expect(without.json<RecordShown>().content).toBeNull();
    expect((await stack.get(`/v1/records/${rows[6]!.id}`)).json()).not.toHaveProperty('content');
  });

  it.each(['f'.repeat(64), 'no-id', "'; DROP TABLE records; --", '%00', '{id:String}'])(
    'is not found under %j',
    async (id) => {
      const answer = await stack.get(`/v1/records/${encodeURIComponent(id)}`);
      expect(answer.statusCode).toBe(404);
      expect(answer.json<Problem>()).toMatchObject({ code: 'NOT_FOUND', detail: 'no record has this id' });
    },
  );
});

describe('list of records', () => {
  it('answers what its description says, in the order of the log', async () => {
    const answer = await stack.get('/v1/records?include=content');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/records', answer);
    expect(answer.json<Page<RecordShown>>().data.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    expect(answer.headers.link).toBeUndefined();
  });

  const iso = (at: number) => new Date(START_MS + at * HOUR_MS).toISOString();
  const filters: [string, (row: RecordRow) => boolean][] = [
    ['type=prompt.submitted', (row) => row.type === 'prompt.submitted'],
    ['type=prompt.submitted&type=tool.decided', (row) => row.type !== 'tool.completed'],
    ['source=otel', (row) => row.source === 'otel'],
    ['session_id=s-3', (row) => row.session_id === 's-3'],
    ['tool_use_id=toolu_9', (row) => row.tool_use_id === 'toolu_9'],
    ['prompt_id=prompt-2', (row) => row.prompt_id === 'prompt-2'],
    ['claimed_user=ada@example.test', (row) => row.claimed_user === 'ada@example.test'],
    ['collector=laptop-1', (row) => row.collector === 'laptop-1'],
    ['tool_name=Bash', (row) => row.tool_name === 'Bash'],
    ['decision=reject', (row) => row.decision === 'reject'],
    [`received_from=${iso(10)}&received_to=${iso(12)}`, ({ leaf_index: at }) => at === 10 || at === 11],
    [`occurred_from=${iso(10)}`, (row) => row.occurred_at !== undefined && row.leaf_index > 10],
    [`occurred_to=${iso(10)}`, (row) => row.occurred_at !== undefined && row.leaf_index <= 10],
    ['q=marker12', (row) => row.leaf_index === 12],
    ['q=MARKER12%20echo', (row) => row.leaf_index === 12],
    ['q=caf%C3%A9', (row) => row.type === 'tool.completed'],
    ['q=quoted%5Cpath', (row) => row.type === 'tool.completed'],
    ['q=marker1', () => false],
    ['session_id=s-1&source=otel&type=tool.decided', (row) => row.leaf_index % 12 === 5],
    ['session_id=nobody', () => false],
  ];
  it.each(filters)('narrows by %s', async (query, isWanted) => {
    const beforeOthersCame = rows.slice(0, SEEDED);
    expect(await idsOf(`${query}&limit=1000`)).toEqual(beforeOthersCame.filter(isWanted).map(({ id }) => id));
  });

  it.each([
    ['colour=red', '/querystring/colour'],
    ['type=Not%20a%20type', '/querystring/type/0'],
    ['source=television', '/querystring/source'],
    ['session_id=', '/querystring/session_id'],
    ['session_id=a&session_id=b', '/querystring/session_id'],
    ['received_from=yesterday', '/querystring/received_from'],
    ['received_to=2026-13-01T00:00:00Z', '/querystring/received_to'],
    ['occurred_from=2026-01-01T25:00:00Z', '/querystring/occurred_from'],
    ['received_from=2026-01-02T00:00:00Z&received_to=2026-01-02T00:00:00.000Z', '/querystring/received_to'],
    ['include=everything', '/querystring/include/0'],
    ['q=%22%3F', '/querystring/q'],
    ['limit=1.5', '/querystring/limit'],
  ])('refuses %s and points at it', async (query, pointer) => {
    const answer = await stack.get(`/v1/records?${query}`);
    expect(answer.statusCode).toBe(400);
    const problem = answer.json<Problem>();
    expect(problem.code).toBe('PARAMETER_INVALID');
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });

  it('does not know a path parameter beyond any id', async () => {
    const answer = await stack.get(`/v1/records/${'a'.repeat(2000)}`);
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([404, 'NOT_FOUND']);
  });

  it('never fails with 500, whatever a filter holds', async () => {
    const names = [
      'session_id',
      'tool_name',
      'claimed_user',
      'q',
      'cursor',
      'type',
      'received_from',
      'limit',
    ];
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('\0', '\\', "'", '{limit: UInt32}', '\u202e', '%', '\ufeff', "\\'", '\n\t'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), hostile, async (name, value) => {
        const answer = await stack.get(`/v1/records?${name}=${encodeURIComponent(value)}`);
        expect([200, 400], answer.body).toContain(answer.statusCode);
      }),
      { numRuns: 120 },
    );
  });
});

describe('paging through records', () => {
  it('yields each record of the full list once and in order, for any page size and filter', async () => {
    const filter = fc.constantFrom('source=hook', 'session_id=s-2', 'type=tool.completed', 'q=echo', '');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 70 }), filter, async (limit, query) => {
        expect(await idsOf(`${query}&limit=${limit}`)).toEqual(await idsOf(`${query}&limit=1000`));
      }),
      { numRuns: 15 },
    );
  });

  it('neither repeats nor hides a record while others are being sealed', async () => {
    const seen = await readAll<RecordShown>(stack, '/v1/records?limit=7', async (pageCount) => {
      if (pageCount <= 5) await insertUpTo(SEEDED + pageCount * 3);
    });
    expect(seen.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  });

  it('lets the page size change under way, but not the filters', async () => {
    const first = (await stack.get('/v1/records?source=hook&limit=2')).json<Page<RecordShown>>();
    const more = await stack.get(`/v1/records?source=hook&limit=5&cursor=${first.next_cursor!}`);
    expect(more.json<Page<RecordShown>>().data).toHaveLength(5);
    for (const url of [
      `/v1/records?source=otel&cursor=${first.next_cursor!}`,
      `/v1/records?cursor=${first.next_cursor!}`,
      `/v1/quarantine?cursor=${first.next_cursor!}`,
      '/v1/records?cursor=',
      '/v1/records?cursor=abc',
    ]) {
      const answer = await stack.get(url);
      expect([answer.statusCode, answer.json<Problem>().code]).toEqual([400, 'CURSOR_INVALID']);
    }
  });

  it('names the next page in a Link header that can be followed', async () => {
    const answer = await stack.get('/v1/records?type=tool.completed&type=prompt.submitted&limit=2');
    const next = /^<(.*)>; rel="next"$/.exec(String(answer.headers.link))![1]!;
    const followed = (await stack.get(next)).json<Page<RecordShown>>();
    expect(followed.data.map(({ leaf_index }) => leaf_index)).toEqual([3, 4]);
  });
});

describe('limits of the store', () => {
  it('are told to the client as a question that is too large', async () => {
    const tight: RecordStore = {
      ...store,
      read: (query, limits) => store.read(query, { ...limits, maxRowsToRead: 1 }),
    };
    const small = await openApiStack(tight);
    const answer = await small.get('/v1/records?q=echo');
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([422, 'QUERY_LIMIT']);
    await small.close();
  });
});
