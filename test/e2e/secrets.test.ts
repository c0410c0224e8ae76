import { createHmac } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fromBufferPromise } from 'yauzl';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPackage } from '../../commands/package-client.ts';
import { SECRET_TYPES, type DataClass, type SecretType } from '../../schemas/data-class.ts';
import { alnum, PLANTED } from '../connectors/detect/planted.ts';
import { encodeLogs } from '../ingest/receivers/encode-logs.ts';
import {
  ADMIN_TOKEN,
  getAll,
  makeTempDir,
  post,
  startServer,
  type Sent,
  type TestServer,
} from '../support/server.ts';

interface ListedRecord {
  readonly type: string;
  readonly source: string;
  readonly facts: { readonly source_event: string; readonly data_classes?: readonly string[] };
  readonly content?: Readonly<Record<string, unknown>> | null;
}

const SECRETS = PLANTED.filter(({ type }) => (SECRET_TYPES as readonly DataClass[]).includes(type));
const CLEAR = SECRETS.flatMap(({ text, places }) => places.map(({ start, end }) => text.slice(start, end)));
/** One secret that two sources see. */
const SHARED = ['gh', `p_${alnum(36)}`].join('');
const TEXTS = [...SECRETS.map(({ text }) => text), `export GH=${SHARED}`];
const WEBHOOK_SECRET = 'github-secret-canary-4713';

const NATIVE = '/v1/events';
const JSON_TYPE = 'application/json';

function attributesOf(text: string): object[] {
  return [
    { key: 'event.name', value: { stringValue: 'user_prompt' } },
    { key: 'session.id', value: { stringValue: 'otel' } },
    { key: 'prompt', value: { stringValue: text } },
  ];
}

/** Each text through each receiver. */
const SOURCES: Readonly<Record<string, (text: string, index: number) => Sent>> = {
  hook: (prompt, index) => ({
    path: '/v1/hooks/claude-code',
    contentType: JSON_TYPE,
    body: JSON.stringify({
      session_id: 's',
      hook_event_name: 'UserPromptSubmit',
      prompt_id: `p${index}`,
      prompt,
    }),
  }),
  'hook in quarantine': (prompt) => ({
    path: '/v1/hooks/claude-code',
    contentType: JSON_TYPE,
    body: `{"hook_event_name":"Stop","a":1,"a":2,"prompt":${JSON.stringify(prompt)}}`,
  }),
  'logs in JSON': (text) => ({
    path: '/v1/logs',
    contentType: JSON_TYPE,
    body: JSON.stringify({
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ attributes: attributesOf(text) }] }] }],
    }),
  }),
  'logs in protobuf': (text) => ({
    path: '/v1/logs',
    contentType: 'application/x-protobuf',
    body: new Uint8Array(encodeLogs({ 'event.name': 'user_prompt', 'session.id': 'pb', prompt: text })),
  }),
  'spans in JSON': (text, index) => {
    const spanId = index.toString(16).padStart(16, '1');
    const span = { traceId: 'ab'.repeat(16), spanId, name: 'tool', attributes: attributesOf(text) };
    return {
      path: '/v1/traces',
      contentType: JSON_TYPE,
      body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
    };
  },
  'native JSON': (text) => ({
    path: NATIVE,
    contentType: JSON_TYPE,
    body: JSON.stringify({ type: 'a.b', facts: { file_path: `/srv/${text}` }, content: { text } }),
  }),
  'native NDJSON': (text) => ({
    path: NATIVE,
    contentType: 'application/x-ndjson',
    body: `{"type":"c.d"}\n${JSON.stringify({ type: 'e.f', content: { inner: JSON.stringify({ text }) } })}\n`,
  }),
  transcript: (text, index) => ({
    path: '/v1/transcripts/claude-code',
    contentType: 'application/x-ndjson',
    body: JSON.stringify({
      type: 'user',
      uuid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
      sessionId: 'transcript',
      timestamp: '2026-11-21T08:13:27.387Z',
      message: { role: 'user', content: text },
    }),
  }),
  'a gateway': (text, index) => ({
    path: '/v1/gateways/litellm',
    contentType: JSON_TYPE,
    body: JSON.stringify([{ id: `call-${index}`, model: 'm', messages: [{ role: 'user', content: text }] }]),
  }),
  'a webhook': (text, index) => {
    const payload = JSON.stringify({ action: 'opened', issue: { title: text } });
    const body = new URLSearchParams({ payload }).toString();
    const signature = createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex');
    return {
      path: '/v1/webhooks/github',
      contentType: 'application/x-www-form-urlencoded',
      body,
      headers: {
        'x-github-event': 'issues',
        'x-github-delivery': `delivery-${index}`,
        'x-hub-signature-256': `sha256=${signature}`,
      },
    };
  },
};

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let records: readonly ListedRecord[];
/** Everything that came out of the server or lies in its folder, by where it was. */
const remains = new Map<string, Buffer>();

async function sendAll(server: TestServer): Promise<void> {
  for (const [name, build] of Object.entries(SOURCES)) {
    for (const [index, text] of TEXTS.entries()) {
      const answer = await post(server, build(text, index));
      const told = await answer.text();
      expect([name, answer.status]).toEqual([name, 200]);
      remains.set(`answer of ${name} ${index}`, Buffer.from(told));
    }
  }
}

async function keepFiles(root: string, stage: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    remains.set(`${stage} ${path}`, bytes);
    // A bundle has a plain line before its gzip.
    const gzipped = bytes.subarray(path.includes('/bundle/') ? bytes.indexOf('\n') + 1 : 0);
    if (gzipped[0] === 0x1f && gzipped[1] === 0x8b)
      remains.set(`${stage} ${path} inflated`, gunzipSync(gzipped));
  }
}

async function keepPackage(server: TestServer): Promise<void> {
  const period = { from: '2020-01-01T00:00:00.000Z', to: '2100-01-01T00:00:00.000Z' };
  const bytes = Buffer.from(await fetchPackage(server.apiUrl, ADMIN_TOKEN, { framework: 'soc2', period }));
  const zip = await fromBufferPromise(bytes);
  for await (const entry of zip.eachEntry()) {
    const pieces: Buffer[] = [];
    for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer);
    remains.set(`package ${entry.fileName}`, Buffer.concat(pieces));
  }
}

async function keepAnswers(server: TestServer): Promise<void> {
  records = await getAll<ListedRecord>(server, '/v1/records?include=content&limit=1000');
  const paths = [
    '/v1/quarantine',
    '/v1/sessions',
    '/v1/sessions/s/timeline?include=content',
    '/v1/tool-calls',
  ];
  for (const path of paths) {
    remains.set(`API ${path}`, Buffer.from(JSON.stringify(await getAll(server, path))));
  }
  for (const [index, record] of records.entries()) {
    remains.set(`record ${index}`, Buffer.from(JSON.stringify(record)));
    const body = record.content?.['body_base64'];
    if (typeof body === 'string') remains.set(`quarantined ${index}`, Buffer.from(body, 'base64'));
  }
}

beforeAll(async () => {
  folder = await makeTempDir();
  await mkdir(join(folder.path, 'keys'), { mode: 0o700 });
  const secrets = JSON.stringify({ github: [WEBHOOK_SECRET] });
  await writeFile(join(folder.path, 'keys', 'webhook-secrets.json'), secrets, { mode: 0o600 });
  const server = await startServer(folder.path, { AFFIDAVIT_LOG_LEVEL: 'trace' });
  await sendAll(server);
  await keepFiles(join(folder.path, 'event-log'), 'while running');
  await server.sealed();
  await keepAnswers(server);
  await keepPackage(server);
  expect(await server.stop()).toBe(0);
  remains.set('standard error', Buffer.from(server.stderr()));
  remains.set('standard output', Buffer.from(server.stdout()));
  await keepFiles(folder.path, 'after the stop');
}, 180_000);
afterAll(() => folder.remove());

describe('a secret that was sent', () => {
  it('stands in no file, no log line, no answer and no package', () => {
    expect(remains.size).toBeGreaterThan(1_000);
    const places: string[] = [];
    for (const [place, bytes] of remains) {
      for (const value of [...CLEAR, SHARED]) {
        const spellings = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
        if (spellings.some((one) => bytes.includes(one))) places.push(`${place}: ${value.slice(0, 4)}…`);
      }
    }
    expect(places).toEqual([]);
  });

  it('has left its mark in the records of each source, under its type', () => {
    const marks = new Set(JSON.stringify(records).match(/\[secret:[a-z_]+:[0-9a-f]{16}\]/g));
    const types = new Set([...marks].map((mark) => mark.split(':')[1] as SecretType));
    expect([...types].sort()).toEqual([...SECRET_TYPES].sort());
    const classes = new Set(records.flatMap(({ facts }) => facts.data_classes ?? []));
    expect(SECRET_TYPES.filter((type) => !classes.has(type))).toEqual([]);
  });

  it('has the same fingerprint wherever it was seen', () => {
    const holders = records.filter(({ content }) => JSON.stringify(content ?? '').includes('export GH='));
    const marks = holders.map(
      ({ content }) => /GH=\[secret:github_token:([0-9a-f]{16})\]/.exec(JSON.stringify(content))?.[1],
    );
    expect(new Set(holders.map(({ source }) => source)).size).toBeGreaterThanOrEqual(5);
    expect(new Set(marks).size).toBe(1);
    expect(marks[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is said to have been in a quarantined body too', () => {
    const quarantined = records.filter(({ type }) => type === 'quarantined');
    expect(quarantined.length).toBeGreaterThanOrEqual(TEXTS.length);
    expect(quarantined.filter(({ facts }) => facts.data_classes === undefined)).toEqual([]);
  });
});
