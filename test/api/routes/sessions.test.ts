import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordShown } from '../../../api/routes/record-view.ts';
import type { CompletenessStatement } from '../../../schemas/control.ts';
import type { Problem } from '../../../schemas/problem.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import type { ToolCall } from '../../../schemas/tool-call.ts';
import type { QuarantinedRecord } from '../../../store/records/queries/quarantine.ts';
import type { SessionRow } from '../../../store/records/queries/sessions.ts';
import type { RecordStore } from '../../../store/records/record-store.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { chdbPlace } from '../../support/chdb-store.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { readAll } from '../../support/read-all.ts';
import { auditRecord, sealedRows } from '../../support/sealed-rows.ts';

const START_MS = Date.UTC(2026, 2, 1);
const SESSIONS = 9;

const at = (minutes: number) => new Date(START_MS + minutes * 60_000).toISOString();

/** Session k starts in minute 10k: a start, a prompt, a call that runs, a call that is refused, an end for even k. */
function sessionRecords(k: number): AuditRecord[] {
  const base = 10 * k;
  const facts = { session_id: `s-${k}`, claimed_user: k % 3 === 0 ? 'ada' : 'bob' };
  const ran = { ...facts, tool_use_id: `ran-${k}`, tool_name: 'Bash' };
  const refused = { ...facts, tool_use_id: `refused-${k}`, tool_name: 'Write' };
  const record = (type: string, minute: number, more: AuditRecord['facts'] | object) =>
    auditRecord(`${type}-${k}-${minute}`, {
      type,
      received_at: at(base + minute),
      facts: { occurred_at: at(base + minute - 1), ...more },
    });
  return [
    record('session.started', 0, facts),
    record('tool.requested', 2, ran),
    // Arrives before what it follows: the timeline is by the source's clock.
    { ...record('tool.completed', 3, ran), content: { tool_output: 'fine' } },
    { ...record('prompt.submitted', 1, facts), content: { prompt: 'please' } },
    record('tool.decided', 4, { ...refused, decision: 'reject', decision_source: 'user_reject' }),
    ...(k % 2 === 0 ? [record('session.ended', 5, facts)] : []),
  ];
}

const quarantined = Array.from({ length: 5 }, (_, k) =>
  auditRecord(`quarantined-${k}`, {
    type: 'quarantined',
    content: { bytes_base64: 'eA==' },
    facts: {
      source_event: 'native',
      quarantine_reason: 'json_too_deep',
      quarantine_pointer: `/${k}`,
      body_sha256: 'ab'.repeat(32),
      input_size_bytes: 1,
    },
  }),
);

let place: Awaited<ReturnType<typeof chdbPlace>>;
let store: RecordStore;
let stack: ApiStack;

beforeAll(async () => {
  place = await chdbPlace();
  store = await place.open();
  const sessions = Array.from({ length: SESSIONS }, (_, k) => sessionRecords(k)).flat();
  await store.insert('p0', sealedRows([...sessions, ...quarantined]), 'bundle-0');
  stack = await openApiStack(store);
});
afterAll(async () => {
  await stack.close();
  await store.close();
  await place.remove();
});

describe('sessions', () => {
  it('are listed newest first with what is known of each', async () => {
    const answer = await stack.get('/v1/sessions');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/sessions', answer);
    const sessions = answer.json<{ data: SessionRow[] }>().data;
    expect(sessions.map(({ session_id }) => session_id)).toEqual(
      Array.from({ length: SESSIONS }, (_, k) => `s-${SESSIONS - 1 - k}`),
    );
    expect(sessions.at(-1)).toMatchObject({
      session_id: 's-0',
      started_at: at(0),
      last_seen_at: at(5),
      claimed_user: 'ada',
      record_count: 6,
      tool_call_count: 2,
      ended: true,
    });
  });

  it.each([1, 2, 4, 9, 100])('come each once in pages of %i', async (limit) => {
    const paged = await readAll<SessionRow>(stack, `/v1/sessions?limit=${limit}`);
    expect(paged).toEqual((await stack.get('/v1/sessions?limit=1000')).json<{ data: SessionRow[] }>().data);
  });

  it('can be narrowed by period and person', async () => {
    const names = async (query: string) =>
      (await readAll<SessionRow>(stack, `/v1/sessions?limit=2&${query}`)).map(({ session_id }) => session_id);
    expect(await names(`from=${at(30)}&to=${at(50)}`)).toEqual(['s-4', 's-3']);
    expect(await names('claimed_user=ada')).toEqual(['s-6', 's-3', 's-0']);
  });

  it.each([
    [`from=${at(5)}&to=${at(5)}`, '/querystring/to'],
    ['from=now', '/querystring/from'],
    ['user=ada', '/querystring/user'],
  ])('refuse %s and point at it', async (query, pointer) => {
    const problem = (await stack.get(`/v1/sessions?${query}`)).json<Problem>();
    expect(problem.code).toBe('PARAMETER_INVALID');
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });
});

describe('timeline of a session', () => {
  it('is in the order in which things happened, whatever the order of arrival', async () => {
    const answer = await stack.get('/v1/sessions/s-2/timeline');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/sessions/{id}/timeline', answer);
    expect(answer.json<{ data: RecordShown[] }>().data.map(({ type }) => type)).toEqual([
      'session.started',
      'prompt.submitted',
      'tool.requested',
      'tool.completed',
      'tool.decided',
      'session.ended',
    ]);
  });

  it.each([1, 2, 5])('comes once in pages of %i', async (limit) => {
    const whole = await readAll<RecordShown>(stack, '/v1/sessions/s-4/timeline');
    expect(await readAll<RecordShown>(stack, `/v1/sessions/s-4/timeline?limit=${limit}`)).toEqual(whole);
  });

  it('shows content only when asked', async () => {
    const plain = await readAll<RecordShown>(stack, '/v1/sessions/s-1/timeline');
    expect(plain.some((record) => 'content' in record)).toBe(false);
    const opened = await readAll<RecordShown>(stack, '/v1/sessions/s-1/timeline?include=content');
    expect(opened.map(({ content }) => content)).toContainEqual({ prompt: 'please' });
  });

  it('takes no cursor of another session', async () => {
    const page = (await stack.get('/v1/sessions/s-1/timeline?limit=1')).json<{ next_cursor: string }>();
    const answer = await stack.get(`/v1/sessions/s-2/timeline?cursor=${page.next_cursor}`);
    expect(answer.json<Problem>().code).toBe('CURSOR_INVALID');
  });

  it('is not found for a session that nobody has seen', async () => {
    const answer = await stack.get('/v1/sessions/s-404/timeline');
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([404, 'NOT_FOUND']);
  });
});

describe('tool calls', () => {
  it('carry their outcome, who decided and the records it rests on', async () => {
    const answer = await stack.get('/v1/tool-calls?session_id=s-3');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/tool-calls', answer);
    const calls = answer.json<{ data: ToolCall[] }>().data;
    expect(calls).toMatchObject([
      { tool_use_id: 'ran-3', tool_name: 'Bash', outcome: 'executed', decided_by: null, seen_by: ['hook'] },
      { tool_use_id: 'refused-3', tool_name: 'Write', outcome: 'denied', decided_by: 'user' },
    ]);
    expect(calls[0]!.record_ids).toHaveLength(2);
  });

  it.each([1, 3, 7, 50])('come each once in pages of %i, also narrowed', async (limit) => {
    const all = await readAll<ToolCall>(stack, `/v1/tool-calls?limit=${limit}`);
    expect(all).toHaveLength(2 * SESSIONS);
    const denied = await readAll<ToolCall>(stack, `/v1/tool-calls?limit=${limit}&outcome=denied`);
    expect(denied).toEqual(all.filter(({ outcome }) => outcome === 'denied'));
    const within = await readAll<ToolCall>(
      stack,
      `/v1/tool-calls?limit=${limit}&from=${at(20)}&to=${at(40)}`,
    );
    expect(new Set(within.map(({ session_id }) => session_id))).toEqual(new Set(['s-2', 's-3']));
  });

  it('refuse an outcome that there is not, with one plain message', async () => {
    const problem = (await stack.get('/v1/tool-calls?outcome=perhaps')).json<Problem>();
    expect(problem.errors).toEqual([
      { pointer: '/querystring/outcome', message: 'is not one of the allowed values' },
    ]);
  });
});

describe('quarantine', () => {
  it('lists what could not be read as what it claims to be, with its reason', async () => {
    const answer = await stack.get('/v1/quarantine');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/quarantine', answer);
    const paged = await readAll<QuarantinedRecord>(stack, '/v1/quarantine?limit=2');
    expect(paged.map(({ quarantine_pointer }) => quarantine_pointer)).toEqual(['/0', '/1', '/2', '/3', '/4']);
    expect(paged).toEqual(answer.json<{ data: QuarantinedRecord[] }>().data);
  });
});

describe('completeness', () => {
  it('states what is known of holes, in all time where no period is given', async () => {
    const answer = await stack.get('/v1/completeness');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/completeness', answer);
    const statement = answer.json<CompletenessStatement>();
    expect(statement.period.from).toBe('1970-01-01T00:00:00.000Z');
    expect(statement.statistics.map(({ id }) => id)).toContain('S1');
  });

  it('can be asked for one session and period', async () => {
    const period = { from: at(0), to: at(60) };
    const url = `/v1/completeness?session_id=s-1&from=${period.from}&to=${period.to}`;
    const statement = (await stack.get(url)).json<CompletenessStatement>();
    expect(statement.period).toEqual(period);
    const others = statement.findings.filter(({ session_id }) => session_id !== null && session_id !== 's-1');
    expect(others).toEqual([]);
  });

  it('refuses a period that ends before it begins', async () => {
    const problem = (await stack.get(`/v1/completeness?from=${at(2)}&to=${at(1)}`)).json<Problem>();
    expect(problem.errors?.map((error) => error.pointer)).toEqual(['/querystring/to']);
  });
});
