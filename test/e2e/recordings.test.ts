import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRecordings, type Recording, type RecordedRequest } from '../../commands/recordings.ts';
import type { ToolCall } from '../../schemas/tool-call.ts';
import { getAll, getJson, makeTempDir, post, startServer, type TestServer } from '../support/server.ts';
import { asVariant, shuffled } from '../support/variants.ts';

const recordings = await loadRecordings();
let server: TestServer;
let folder: Awaited<ReturnType<typeof makeTempDir>>;

const isHook = ({ path }: RecordedRequest) => path.includes('/hooks/');
const isGateway = ({ path }: RecordedRequest) => path.includes('/gateways/');
const isTranscript = ({ path }: RecordedRequest) => path.includes('/transcripts/');
const isOtel = ({ path }: RecordedRequest) => ['/v1/logs', '/v1/metrics', '/v1/traces'].includes(path);
const WITNESSES = { hook: isHook, otel: isOtel, gateway: isGateway, transcript: isTranscript };
type Witness = keyof typeof WITNESSES;

beforeAll(async () => {
  folder = await makeTempDir();
  server = await startServer(folder.path, { AFFIDAVIT_LOG_LEVEL: 'warn' });
  // One session that every witness saw, so that each of them is to be expected of the others.
  await send(
    recordings.find(({ requests }) => requests.some(isGateway))!,
    (requests) => requests,
  );
  await server.sealed();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await folder.remove();
});

let variants = 0;

type Arrange = (requests: readonly RecordedRequest[]) => readonly RecordedRequest[];

/** Sends what `arrange` makes of a recording under ids of its own. */
async function send(recording: Recording, arrange: Arrange) {
  const { recording: variant, session_id } = asVariant(recording, (variants += 1));
  for (const request of arrange(variant.requests)) {
    const answer = await post(server, request);
    expect(answer.status).toBe(200);
  }
  return { truth: variant.truth, session_id };
}

async function findingsOf(session_id: string): Promise<string[]> {
  const period = 'from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z';
  const path = `/v1/completeness?session_id=${session_id}&${period}`;
  const { findings } = await getJson<{ findings: { code: string }[] }>(server, path);
  return findings.map(({ code }) => code);
}

/** Derived calls of a session by id; what was sent must be sealed. */
async function callsOf(session_id: string): Promise<Map<string, ToolCall>> {
  const calls = await getAll<ToolCall>(server, `/v1/tool-calls?session_id=${session_id}`);
  return new Map(calls.map((each) => [each.tool_use_id, each]));
}

async function replay(recording: Recording, arrange: Arrange) {
  const sent = await send(recording, arrange);
  await server.sealed();
  return { ...sent, calls: await callsOf(sent.session_id) };
}

const twice: Arrange = (requests) => [...requests, ...requests];

describe.each(recordings)('the recording $name', (recording) => {
  it.each<[string, Arrange]>([
    ['as it arrived', (requests) => requests],
    ['backwards', (requests) => requests.toReversed()],
    ['shuffled by seed 1', (requests) => shuffled(requests, 1)],
    ['shuffled by seed 2', (requests) => shuffled(requests, 2)],
    ['with every request sent twice', (requests) => requests.flatMap((request) => [request, request])],
    ['sent twice and shuffled', (requests) => shuffled(twice(requests), 3)],
  ])('yields the truth of every tool call, %s', async (_, arrange) => {
    const { calls, truth } = await replay(recording, arrange);
    const outcomes = new Map([...calls].map(([id, { outcome }]) => [id, outcome]));
    expect(outcomes).toEqual(truth);
  });

  it('finds nothing missing where every witness speaks', async () => {
    const { calls, session_id } = await replay(recording, (requests) => requests);
    for (const { seen_by } of calls.values()) expect(seen_by).toContain('transcript');
    const missing = (await findingsOf(session_id)).filter((code) => /_without_|^call_|conflict/.test(code));
    const expected = recording.requests.some(isGateway) ? [] : ['session_without_gateway'];
    expect(missing).toEqual(expected);
  });

  it('yields the truth from hooks alone', async () => {
    const { calls, truth } = await replay(recording, (requests) => requests.filter(isHook));
    expect(new Map([...calls].map(([id, { outcome }]) => [id, outcome]))).toEqual(truth);
    for (const { seen_by } of calls.values()) expect(seen_by).toEqual(['hook']);
  });

  const present = (Object.keys(WITNESSES) as Witness[]).filter((name) =>
    recording.requests.some(WITNESSES[name]),
  );
  it.each(present)('is never wrong without the %s, and says that it is missing', async (left) => {
    const { calls, truth, session_id } = await replay(recording, (requests) =>
      requests.filter((request) => !WITNESSES[left](request)),
    );
    expect([...calls.keys()].sort()).toEqual([...truth.keys()].sort());
    for (const [id, { outcome, reason, seen_by }] of calls) {
      expect(outcome === 'unresolved' ? reason : outcome, id).toBe(truth.get(id));
      expect(seen_by).not.toContain(left);
    }
    expect(await findingsOf(session_id)).toContain(`session_without_${left}`);
  });

  it('yields the truth from the transcript alone', async () => {
    const { calls, truth } = await replay(recording, (requests) => requests.filter(isTranscript));
    expect(new Map([...calls].map(([id, { outcome }]) => [id, outcome]))).toEqual(truth);
    for (const { seen_by } of calls.values()) expect(seen_by).toEqual(['transcript']);
  });

  it('is never wrong from telemetry alone, and knows every call that was decided', async () => {
    const { calls, truth } = await replay(recording, (requests) => requests.filter(isOtel));
    for (const [id, outcome] of truth) {
      const seen = calls.get(id);
      if (seen === undefined) expect(['denied', 'unavailable']).toContain(outcome);
      else expect(seen.outcome === 'unresolved' ? seen.reason : seen.outcome).toBe(outcome);
    }
    for (const id of calls.keys()) expect(truth.has(id)).toBe(true);
  });

  it('is never wrong when any one request is lost', async () => {
    const sent: Awaited<ReturnType<typeof send>>[] = [];
    for (let lost = 0; lost < recording.requests.length; lost += 1) {
      sent.push(await send(recording, (requests) => requests.filter((_, at) => at !== lost)));
    }
    await server.sealed();
    for (const [lost, { session_id, truth }] of sent.entries()) {
      for (const [id, { outcome, reason }] of await callsOf(session_id)) {
        if (outcome === 'unresolved') expect(reason).not.toBeNull();
        else expect(outcome, `${id} without request ${lost}`).toBe(truth.get(id));
      }
    }
  });

  it('has no gap in its sequence and no record twice', async () => {
    const { session_id } = await replay(recording, twice);
    const once = await getAll<{ id: string }>(server, `/v1/records?session_id=${session_id}&limit=1000`);
    expect(new Set(once.map(({ id }) => id)).size).toBe(once.length);
    const items = recording.requests.filter(isHook).length;
    expect(once.length).toBeGreaterThanOrEqual(items);
    const statement = await getJson<{ findings: { code: string }[] }>(
      server,
      `/v1/completeness?session_id=${session_id}&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z`,
    );
    expect(statement.findings.filter(({ code }) => /sequence|duplicate/.test(code))).toEqual([]);
  });
});

describe('a session through a gateway', () => {
  const recording = recordings.find(({ requests }) => requests.some(isGateway))!;

  it('yields the truth from the gateway alone', async () => {
    const { calls, truth } = await replay(recording, (requests) => requests.filter(isGateway));
    expect(new Map([...calls].map(([id, { outcome }]) => [id, outcome]))).toEqual(truth);
    for (const { seen_by } of calls.values()) expect(seen_by).toEqual(['gateway']);
  });

  it('keeps each text of the conversation once, however often it is repeated', async () => {
    const { session_id } = await replay(recording, (requests) => twice(requests.filter(isGateway)));
    const records = await getAll<{ type: string; facts: { body_sha256?: string } }>(
      server,
      `/v1/records?session_id=${session_id}&limit=1000`,
    );
    const count = (type: string) => records.filter((record) => record.type === type).length;
    expect({
      calls: count('model.called'),
      tools: count('tool.requested'),
      told: count('tool.reported'),
    }).toEqual({ calls: 7, tools: 6, told: 6 });
    const texts = records.filter(({ type }) => type === 'message.observed');
    expect(new Set(texts.map(({ facts }) => facts.body_sha256)).size).toBe(texts.length - 1);
    expect(texts.length).toBe(4);
  });
});
