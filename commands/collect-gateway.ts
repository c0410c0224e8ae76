/** `affidavit collect gateway`: delivers a gateway's logs from a folder, a bucket or a topic to its route. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SYSTEM } from '../app/context.ts';
import { openBucketOfLogs, openFolderOfLogs, openStateFile, openTopic } from '../app/pull-sources.ts';
import type { Config } from '../config.ts';
import { openFileStates } from '../ingest/pull/file-states.ts';
import { pullFiles } from '../ingest/pull/files-pull.ts';
import type { GatewayLogs } from '../ingest/pull/gateway-logs.ts';
import type { PullReporter, PullTarget } from '../ingest/pull/pulled.ts';
import { pullTopic } from '../ingest/pull/topic-pull.ts';
import { openDelivery } from '../ingest/send/delivery.ts';
import { PipelineError } from '../schemas/errors.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';
import { requireCollectorToken } from './tokens.ts';

export interface CollectGatewayOptions {
  /** Folder, `file:` URL, `s3://bucket/prefix` or `kafka://brokers/topic?group=…`. */
  readonly from: string;
  /** Base URL of the receivers. */
  readonly to: string;
  readonly state?: string;
  /** Seconds between two looks; without it there is a single look. */
  readonly follow?: string;
  /** Whether the pull of a topic ends behind the messages that are there at the start. */
  readonly once: boolean;
  readonly json: boolean;
}

/** The longest wait between two looks. */
const MAX_FOLLOW_SECONDS = 86_400;

/**
 * One pull, or one after the other until the signal. Resolves with whether every item was taken. Throws USAGE_INVALID
 * for options, STORE_UNAVAILABLE or LOG_UNAVAILABLE if a side does not answer; items delivered by then are remembered.
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
  const topic = topicOf(options.from, name);
  const isEndless = followMs !== undefined || (topic !== undefined && !options.once);
  const patience = isEndless ? { patienceMs: Number.POSITIVE_INFINITY } : {};
  const { clock } = SYSTEM;
  const target = {
    gateway: name,
    path: `/v1/gateways/${encodeURIComponent(name)}`,
    delivery: openDelivery({ to: options.to, token, clock, signal, ...patience }),
    reporter: createReporter(output, options.json),
    clock,
    signal,
  };
  if (topic === undefined) return collectFrom(config, options, { ...target, followMs });
  if (followMs !== undefined)
    throw new PipelineError('USAGE_INVALID', 'a topic is followed without --follow');
  const from = `kafka://${topic.brokers}/${topic.topic}?group=${topic.groupId}`;
  const opened = await openTopic(config, topic);
  try {
    return await pullTopic({ ...target, from, topic: opened, once: options.once });
  } finally {
    await opened.close();
  }
}

/** Pulls from a folder or a bucket. */
async function collectFrom(
  config: Config,
  options: CollectGatewayOptions,
  target: Omit<PullTarget, 'from'> & { readonly followMs: number | undefined },
): Promise<boolean> {
  const { gateway } = target;
  const { from, open } = sourceOf(config, options.from);
  const path = options.state ?? join(config.data, 'collect', `gateway-${gateway}-${nameOf(from)}.json`);
  const states = await openFileStates(openStateFile(path), { gateway, from });
  const files = await open();
  try {
    return await pullFiles({
      ...target,
      from,
      files,
      states,
      maxBodyBytes: config.ingest.max_inflated_bytes,
    });
  } finally {
    files.close();
  }
}

function followMsOf({ follow }: CollectGatewayOptions): number | undefined {
  if (follow === undefined) return undefined;
  if (/^[1-9][0-9]{0,4}$/.test(follow) && Number(follow) <= MAX_FOLLOW_SECONDS) return Number(follow) * 1000;
  throw new PipelineError(
    'USAGE_INVALID',
    `--follow must be from 1 to ${String(MAX_FOLLOW_SECONDS)} seconds`,
  );
}

/** Undefined if the source is not a topic. Throws USAGE_INVALID for an incomplete name of a topic. */
function topicOf(from: string, name: string) {
  if (!from.startsWith('kafka:')) return undefined;
  const [, brokers, topic, query = ''] =
    /^kafka:\/\/([^/?#]+)\/([A-Za-z0-9._-]+)(?:\?([^#]*))?$/.exec(from) ?? [];
  const asked = new URLSearchParams(query);
  const groupId = asked.get('group') ?? `affidavit-${name}`;
  const isKnown = [...asked.keys()].every((key) => key === 'group');
  if (brokers !== undefined && topic !== undefined && isKnown && groupId !== '')
    return { brokers, topic, groupId };
  throw new PipelineError(
    'USAGE_INVALID',
    `--from ${from}: not kafka://BROKER:PORT,BROKER:PORT/TOPIC?group=NAME`,
  );
}

/** Shows a living line on a terminal while a pull works, then its result. */
function createReporter(output: Output, json: boolean): PullReporter {
  const progress = createProgress(output);
  return {
    progress: (text) => progress.step(text),
    result: (pulled, lines) => {
      progress.done();
      output.write(json ? toJsonLine(pulled) : `${lines.join('\n')}\n`);
    },
  };
}

interface LogSource {
  /** The same spelling for the same source. */
  readonly from: string;
  readonly open: () => Promise<GatewayLogs>;
}

function sourceOf(config: Config, from: string): LogSource {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(from) ?? [];
  if (bucket !== undefined) {
    return { from: `s3://${bucket}/${prefix}`, open: () => openBucketOfLogs(config, { bucket, prefix }) };
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(from) && !from.startsWith('file:')) {
    throw new PipelineError('USAGE_INVALID', `--from ${from}: neither a folder, file:, s3: nor kafka:`);
  }
  const folder = from.startsWith('file:') ? fileURLToPath(from) : resolve(from);
  return { from: folder, open: () => openFolderOfLogs(folder) };
}

/** Each source has a state file, named by a digest of the source. */
function nameOf(from: string): string {
  return createHash('sha256').update(from).digest('hex').slice(0, 12);
}
