/** Delivers a gateway's logs that lie elsewhere, in a folder, a bucket or a topic, to its route of the receivers. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openBucketOfLogs, openFolderOfLogs, type LogFiles } from '../compose-collect.ts';
import type { Config } from '../config.ts';
import { PipelineError } from '../schemas/errors.ts';
import { openDelivery, requireCollectorToken, toPulledEvent, type Delivery } from './collect-delivery.ts';
import { collectFiles } from './collect-files.ts';
import type { FilesTotals } from './collect-open-file.ts';
import { openFileStates, type FileProblem, type FileStates, type Place } from './collect-state.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';

export interface CollectGatewayOptions {
  /** Folder, `file:` URL, `s3://bucket/prefix` or `kafka://brokers/topic?group=…`. */
  readonly from: string;
  /** Base URL of the receivers. */
  readonly to: string;
  readonly state?: string;
  /** Seconds between two looks; without it there is one. */
  readonly follow?: string;
  /** Of a topic: whether it ends at what is there at the start. */
  readonly once: boolean;
  readonly json: boolean;
}

/** What a run tells, on standard output and in the log. */
export interface FilesPulled extends FilesTotals {
  readonly from: string;
  readonly start_cursor: Place | null;
  readonly last_cursor: Place | null;
  /** Of files and lines; the first of them are listed. */
  readonly problem_count: number;
  /** Whether the signal came before the end. */
  readonly stopped: boolean;
}

const MAX_PROBLEMS_LISTED = 100;
const MAX_FOLLOW_SECONDS = 86_400;

/**
 * One pull, or one after the other until the signal. A record `collector.pulled` says of each what it brought and what
 * it could not bring; a quiet one after the first has none. Resolves whether all was taken. Throws CONFIG_INVALID for
 * options, STORE_UNAVAILABLE where a side does not answer; what was delivered by then is remembered.
 */
export async function collectGateway(
  config: Config,
  name: string,
  options: CollectGatewayOptions,
  output: Output,
  signal: AbortSignal,
): Promise<boolean> {
  const token = requireCollectorToken(config);
  const followMs = followMsOf(options);
  const { from, open } = sourceOf(config, options.from);
  const patience = followMs === undefined ? {} : { patienceMs: Number.POSITIVE_INFINITY };
  const delivery = openDelivery({ to: options.to, token, signal, ...patience });
  const path = options.state ?? join(config.data, 'collect', `gateway-${name}-${nameOf(from)}.json`);
  const states = await openFileStates(path, { gateway: name, from });
  const files = await open();
  try {
    const common = { config, name, from, files, states, delivery, output, signal };
    return await pullAgain({ ...common, json: options.json, followMs });
  } finally {
    files.close();
  }
}

interface Pull {
  readonly config: Config;
  readonly name: string;
  readonly from: string;
  readonly files: LogFiles;
  readonly states: FileStates;
  readonly delivery: Delivery;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly followMs: number | undefined;
}

async function pullAgain(pull: Pull): Promise<boolean> {
  const { followMs, signal } = pull;
  let toldBefore: string | undefined;
  let isWhole = true;
  for (;;) {
    const pulled = await pullOnce(pull);
    const problems = JSON.stringify(pulled.problems);
    if (toldBefore === undefined || pulled.requests > 0 || problems !== toldBefore) await tell(pull, pulled);
    toldBefore = problems;
    isWhole &&= pulled.problem_count === 0;
    if (followMs === undefined || signal.aborted) return isWhole;
    await delay(followMs, undefined, { signal }).catch(() => undefined);
    if (isAborted(signal)) return isWhole;
  }
}

/** Asked again after a wait, where the compiler still believes the first answer. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function pullOnce({ config, name, from, output, signal, ...run }: Pull): Promise<FilesPulled> {
  const start_cursor = run.states.last();
  const progress = createProgress(output);
  const totals = await collectFiles({
    ...run,
    path: `/v1/gateways/${encodeURIComponent(name)}`,
    maxBodyBytes: config.ingest.max_inflated_bytes,
    onProgress: ({ files, requests, accepted }) => {
      progress.step(
        `${String(accepted)} accepted in ${String(requests)} requests, ${String(files)} files done`,
      );
    },
  });
  progress.done();
  const problems: readonly FileProblem[] = [...totals.problems, ...run.states.untold()];
  return {
    from,
    ...totals,
    ...{ start_cursor, last_cursor: run.states.last(), stopped: signal.aborted },
    problem_count: problems.length,
    problems: problems.slice(0, MAX_PROBLEMS_LISTED),
  };
}

async function tell({ name, states, delivery, output, json }: Pull, pulled: FilesPulled): Promise<void> {
  const bytes = toPulledEvent(`gateway:${name}`, pulled);
  const answer = await delivery.post('/v1/events', { contentType: 'application/json', bytes });
  if (answer.kind === 'accepted') await states.told();
  output.write(json ? toJsonLine(pulled) : toText(pulled));
  if (answer.kind !== 'refused') return;
  throw new PipelineError('STORE_UNAVAILABLE', `the receivers refuse the record of the run: ${answer.code}`);
}

function toText(pulled: FilesPulled): string {
  const { files, files_seen, requests, accepted, quarantined, waiting, problems, problem_count } = pulled;
  const more = problem_count - problems.length;
  return [
    `delivered ${String(accepted)} items of ${String(files)} files in ${String(requests)} requests; `,
    `${String(files_seen)} files are there\n`,
    ...(quarantined > 0 ? [`${String(quarantined)} items are in quarantine\n`] : []),
    ...(waiting > 0
      ? [`${String(waiting)} files end in the middle of a line, which is left for later\n`]
      : []),
    ...problems.map(({ file, line, reason, code }) => {
      const place = line === undefined ? file : `${file}, line ${String(line)}`;
      return `not taken: ${place}: ${reason}${code === undefined ? '' : ` (${code})`}\n`;
    }),
    ...(more > 0 ? [`and ${String(more)} more\n`] : []),
  ].join('');
}

function followMsOf({ follow }: CollectGatewayOptions): number | undefined {
  if (follow === undefined) return undefined;
  if (/^[1-9][0-9]{0,4}$/.test(follow) && Number(follow) <= MAX_FOLLOW_SECONDS) return Number(follow) * 1000;
  throw new PipelineError(
    'CONFIG_INVALID',
    `--follow must be from 1 to ${String(MAX_FOLLOW_SECONDS)} seconds`,
  );
}

interface Source {
  /** One spelling of one place. */
  readonly from: string;
  readonly open: () => Promise<LogFiles>;
}

function sourceOf(config: Config, from: string): Source {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(from) ?? [];
  if (bucket !== undefined) {
    return { from: `s3://${bucket}/${prefix}`, open: () => openBucketOfLogs(config, { bucket, prefix }) };
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(from) && !from.startsWith('file:')) {
    throw new PipelineError('CONFIG_INVALID', `--from ${from}: neither a folder, file:, s3: nor kafka:`);
  }
  const folder = from.startsWith('file:') ? fileURLToPath(from) : resolve(from);
  return { from: folder, open: () => Promise.resolve(openFolderOfLogs(folder)) };
}

/** Two places have two states. */
function nameOf(from: string): string {
  return createHash('sha256').update(from).digest('hex').slice(0, 12);
}
