/**
 * `npm run golden -- VERSION`: makes the golden evidence of a version of the formats with the built program, once, when the
 * version is new. Made evidence is never made again: later programs must read these bytes.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FrameWriter } from '../../ingest/frame-writer.ts';
import { toFrameKey } from '../../ingest/frame-key.ts';
import { encodeEnvelope, encodeForWriter } from '../../ingest/framing.ts';
import type { LogGenesis } from '../../schemas/bundle.ts';
import type { VerificationReport } from '../../schemas/verification.ts';
import { genesisKey } from '../../store/chain/layout.ts';
import { hookEnvelope } from '../support/hook-envelope.ts';
import { makeTempDir, post, runAffidavit, startServer, type Sent } from '../support/server.ts';
import { digestOfTexts, FORMATS, FRAME_KEY, FRAME_PLACE, type Expected, type GoldenFrame } from './golden.ts';

const JSON_TYPE = 'application/json';
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

function prompt(name: string, n: number): Sent {
  const attributes = [
    text('event.name', 'user_prompt'),
    text('session.id', `session-${name}`),
    text('user.email', `${name}@example.com`),
    text('prompt', `golden prompt ${String(n)} of ${name}: café 日本 \u{1f512}`),
  ];
  const scopeLogs = [{ logRecords: [{ timeUnixNano: `176300000000${String(n)}000000`, attributes }] }];
  const resource = { attributes: [text('service.name', 'claude-code')] };
  return {
    path: '/v1/logs',
    contentType: JSON_TYPE,
    body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] }),
  };
}

function hook(n: number): Sent {
  const event = {
    session_id: 'session-hook',
    hook_event_name: 'PreToolUse',
    tool_name: 'Write',
    tool_use_id: `toolu_${String(n)}`,
    cwd: '/home/alice/acme',
    tool_input: { file_path: '/home/alice/acme/src/a.ts', content: `export const n = ${String(n)};\n` },
  };
  return { path: '/v1/hooks/claude-code', contentType: JSON_TYPE, body: JSON.stringify(event) };
}

/** Several bundles; two people, a record about nobody, and one that is quarantined. */
const BATCHES: readonly (readonly Sent[])[] = [
  [prompt('alice', 0), prompt('bob', 1), hook(2)],
  [
    prompt('alice', 3),
    hook(4),
    { path: '/v1/hooks/claude-code', contentType: JSON_TYPE, body: '{"session_id": 5}' },
  ],
  [prompt('bob', 6), hook(7)],
];

async function makeDeployment(target: string): Promise<Expected> {
  const folder = await makeTempDir();
  const made = join(folder.path, 'data');
  const server = await startServer(made, { AFFIDAVIT_STORE_HEAD_LOG_EVERY_MS: '1000' });
  for (const batch of BATCHES) {
    for (const sent of batch) await (await post(server, sent)).arrayBuffer();
    await server.sealed();
  }
  await server.stop();
  for (const part of ['archive', 'keys', 'key-store'])
    await cp(join(made, part), join(target, part), { recursive: true });
  const genesis = await readFile(join(made, 'archive', genesisKey('p0')), 'utf8');
  const { vkey } = JSON.parse(genesis) as LogGenesis;
  const texts_sha256 = await digestOfTexts(made);
  const { stdout } = await runAffidavit(['verify', made, '--open', '--json'], { AFFIDAVIT_DATA: made });
  await folder.remove();
  const { tree_size, root_hash } = JSON.parse(stdout) as VerificationReport;
  return { tree_size: tree_size!, root_hash: root_hash!, vkey, texts_sha256 };
}

function makeFrames(): GoldenFrame[] {
  const writer = new FrameWriter({ key: toFrameKey(FRAME_KEY), place: FRAME_PLACE, randomBytes });
  return [hookEnvelope(1), hookEnvelope(2), hookEnvelope(3)].map((envelope, n) => {
    const frame = n === 0 ? encodeEnvelope(envelope) : encodeForWriter(envelope);
    if (n > 0) {
      const turn = writer.begin();
      turn.seal(frame);
      turn.written();
    }
    const { body, ...header } = envelope;
    return {
      frame: frame.toString('base64'),
      header: { ...header },
      body: Buffer.from(body).toString('base64'),
    };
  });
}

const [version = ''] = process.argv.slice(2);
if (!/^[1-9][0-9]*$/.test(version)) throw new Error('usage: npm run golden -- VERSION');
const target = join(FORMATS, version);
if (existsSync(target)) throw new Error(`${target} exists; golden evidence is never made again`);
await mkdir(target, { recursive: true });
const expected = await makeDeployment(join(target, 'deployment'));
const write = (name: string, value: unknown) =>
  writeFile(join(target, name), `${JSON.stringify(value, null, 2)}\n`);
await write('expected.json', expected);
await write('event-log.json', makeFrames());
await copyFile(resolve(import.meta.dirname, '../../dist/hook.mjs'), join(target, 'hook-client'));
