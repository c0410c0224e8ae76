import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { compose, type Running } from '../app/app.ts';
import { createContext, SYSTEM } from '../app/context.ts';
import { initialise } from '../app/deployment.ts';
import { loadConfig, type Config } from '../config.ts';
import { call, expectStatus } from '../ingest/send/http.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { PACKAGE_PATHS } from '../schemas/evidence-package.ts';
import type { ToolCall } from '../schemas/tool-call.ts';
import { openContainer } from '../store/verify/container.ts';
import { verifyPath } from '../store/verify/verify-path.ts';
import { createFindings, renderReport } from '../store/verify/report.ts';
import { createProgress, type Output, type Progress } from './output.ts';
import { fetchPackage } from './package-client.ts';
import { loadRecordings, type Recording } from './recordings.ts';

export interface DemoOptions {
  /** Whether the pipeline's data folder is kept. */
  readonly keep: boolean;
}

interface Stage {
  readonly ingestUrl: string;
  readonly apiUrl: string;
  readonly collectorToken: string;
  readonly adminToken: string;
  readonly output: Output;
  readonly progress: Progress;
}

const DAY_MS = 86_400_000;
/** The demo gives up if its records are not sealed by then. */
const SEAL_DEADLINE_MS = 60_000;
/** How often the readiness of the pipeline is read. */
const POLL_MS = 50;

/**
 * Shows every step on recorded sessions: real HTTP into a temporary pipeline, sealing, a SOC 2 evidence package, offline
 * verification, and a copy with one byte changed. Throws if a step does not have the expected result.
 */
export async function demo(output: Output, { keep }: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'affidavit-demo-'));
  const data = join(folder, 'data');
  const progress = createProgress(output, { always: true });
  progress.step(`starting the embedded pipeline in ${data}`);
  const config = demoConfig(data);
  const { created } = await initialise(createContext(config), { isSynthetic: true });
  const running = await compose(config);
  try {
    progress.done();
    const packageFile = join(folder, 'evidence.zip');
    await makePackage(toStage({ ...running, created }, output, progress), packageFile);
    await running.close();
    await checkOffline(packageFile, folder, output, progress);
  } finally {
    await running.close();
    if (!keep) await rm(data, { recursive: true, force: true });
  }
}

/** Free ports, a new folder, and no variable of the caller's environment. */
function demoConfig(data: string): Config {
  const config = loadConfig(undefined, {});
  return {
    ...config,
    data,
    log_level: 'error',
    origin: 'demo.affidavit.invalid/p0',
    ingest: { ...config.ingest, port: 0, seal_after_ms: 0 },
    api: { port: 0 },
  };
}

function toStage({ ingestPort, apiPort, created }: Running, output: Output, progress: Progress): Stage {
  if (created?.admin === undefined || created.collector === undefined) {
    throw new PipelineError('INTERNAL', 'the demo folder was not new');
  }
  return {
    ingestUrl: `http://127.0.0.1:${String(ingestPort)}`,
    apiUrl: `http://127.0.0.1:${String(apiPort)}`,
    collectorToken: created.collector,
    adminToken: created.admin,
    output,
    progress,
  };
}

async function makePackage(stage: Stage, file: string): Promise<void> {
  const { output, progress } = stage;
  const recordings = await loadRecordings();
  for (const recording of recordings) await send(stage, recording);
  progress.step('waiting until every record is sealed');
  const sealed = await waitUntilSealed(stage);
  progress.done();
  output.write(`sealed ${String(sealed)} records\n`);
  for (const recording of recordings) await compareWithTruth(stage, recording);

  progress.step('making a SOC 2 evidence package');
  const now = SYSTEM.clock();
  const period = { from: toInstant(now - DAY_MS), to: toInstant(now + 1) };
  await writeFile(file, await fetchPackage(stage.apiUrl, stage.adminToken, { framework: 'soc2', period }));
  progress.done();
}

async function send(stage: Stage, recording: Recording): Promise<void> {
  stage.progress.step(`sending recording ${recording.name}: ${recording.about}`);
  for (const { path, contentType, body } of recording.requests) {
    const sent = { method: 'POST', token: stage.collectorToken, contentType, body } as const;
    await expectStatus(await call(stage.ingestUrl + path, sent), 200);
  }
  stage.progress.done();
}

async function waitUntilSealed({ apiUrl, adminToken }: Stage): Promise<number> {
  const deadline = SYSTEM.clock() + SEAL_DEADLINE_MS;
  while (SYSTEM.clock() < deadline) {
    const answer = await expectStatus(await call(`${apiUrl}/readyz`, { token: adminToken }), 200);
    const state = (await answer.json()) as { lag: { envelopes: number }; published_tree_size: number };
    if (state.lag.envelopes === 0) return state.published_tree_size;
    await delay(POLL_MS);
  }
  throw new PipelineError('INTERNAL', `not sealed within ${String(SEAL_DEADLINE_MS)} ms`);
}

/** An outcome may be `unresolved` if hooks and telemetry cannot know it; it must never differ from the truth. */
async function compareWithTruth(
  { apiUrl, adminToken, output }: Stage,
  { name, truth, requests }: Recording,
): Promise<void> {
  const first = JSON.parse(new TextDecoder().decode(requests[0]?.body)) as { session_id?: string };
  const url = `${apiUrl}/v1/tool-calls?session_id=${encodeURIComponent(first.session_id ?? '')}`;
  const answer = await expectStatus(await call(url, { token: adminToken }), 200);
  const { data } = (await answer.json()) as { data: ToolCall[] };
  const derived = new Map(data.map((toolCall) => [toolCall.tool_use_id, toolCall.outcome]));
  const wrong = [...truth].filter(
    ([id, outcome]) => derived.get(id) !== outcome && derived.get(id) !== 'unresolved',
  );
  const right = [...truth].filter(([id, outcome]) => derived.get(id) === outcome).length;
  output.write(
    `${name}: ${String(right)} of ${String(truth.size)} tool-call outcomes derived, ${String(wrong.length)} wrong\n`,
  );
  if (wrong.length > 0) throw new PipelineError('INTERNAL', `wrong outcomes in recording ${name}`);
}

async function checkOffline(file: string, folder: string, output: Output, progress: Progress): Promise<void> {
  progress.step('verifying the package offline');
  const good = await verifyPath(file);
  progress.done();
  output.write(renderReport(good));
  if (!good.ok) throw new PipelineError('INTERNAL', 'the fresh package does not verify');

  progress.step('changing one byte of a copy and verifying that');
  const tampered = join(folder, 'evidence-tampered.zip');
  const bytes = await readFile(file);
  const at = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
  await writeFile(tampered, bytes);
  const bad = await verifyPath(tampered);
  progress.done();
  output.write(`byte ${String(at)} changed: ${renderReport(bad)}`);
  if (bad.ok) throw new PipelineError('INTERNAL', 'the changed copy still verifies');

  const pdf = join(folder, PACKAGE_PATHS.report);
  await extract(file, PACKAGE_PATHS.report, pdf);
  output.write(`\nevidence package  ${file}\nreport            ${pdf}\nchanged copy      ${tampered}\n`);
  output.write(`try               npm run -s affidavit -- verify ${file}\n`);
}

async function extract(packageFile: string, path: string, target: string): Promise<void> {
  const container = await openContainer(packageFile, createFindings());
  if (container === undefined) throw new PipelineError('INTERNAL', 'the package does not open');
  try {
    await pipeline(Readable.from(container.read(path)), createWriteStream(target));
  } finally {
    container.close();
  }
}
