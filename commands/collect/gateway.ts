/** Delivers a gateway's logs that lie elsewhere, in a folder, a bucket or a topic, to its route of the receivers. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBucketOfLogs, openFolderOfLogs, openTopic, type LogFiles } from '../../app/pull-sources.ts';
import type { Config } from '../../config.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { openDelivery, requireCollectorToken } from './delivery.ts';
import { pullFiles } from './files-pull.ts';
import type { PullTarget } from './pulled.ts';
import { openFileStates } from './state.ts';
import { pullTopic } from './topic.ts';
import type { Output } from '../output.ts';

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

const MAX_FOLLOW_SECONDS = 86_400;

/**
 * One pull, or one after the other until the signal. Resolves whether all was taken. Throws CONFIG_INVALID for options,
 * STORE_UNAVAILABLE and LOG_UNAVAILABLE where a side does not answer; what was delivered by then is remembered.
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
  const target = {
    ...{ gateway: name, path: `/v1/gateways/${encodeURIComponent(name)}`, json: options.json },
    ...{ delivery: openDelivery({ to: options.to, token, signal, ...patience }), output, signal },
  };
  if (topic === undefined) return collectFrom(config, options, { ...target, followMs });
  if (followMs !== undefined)
    throw new PipelineError('CONFIG_INVALID', 'a topic is followed without --follow');
  const from = `kafka://${topic.brokers}/${topic.topic}?group=${topic.groupId}`;
  const opened = await openTopic(config, topic);
  try {
    return await pullTopic({ ...target, from, topic: opened, once: options.once });
  } finally {
    await opened.close();
  }
}

/** Out of a folder or a bucket. */
async function collectFrom(
  config: Config,
  options: CollectGatewayOptions,
  target: Omit<PullTarget, 'from'> & { readonly followMs: number | undefined },
): Promise<boolean> {
  const { gateway } = target;
  const { from, open } = sourceOf(config, options.from);
  const path = options.state ?? join(config.data, 'collect', `gateway-${gateway}-${nameOf(from)}.json`);
  const states = await openFileStates(path, { gateway, from });
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
    'CONFIG_INVALID',
    `--follow must be from 1 to ${String(MAX_FOLLOW_SECONDS)} seconds`,
  );
}

/** Undefined for what is no topic. Throws CONFIG_INVALID for one that is not named in full. */
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
    'CONFIG_INVALID',
    `--from ${from}: not kafka://BROKER:PORT,BROKER:PORT/TOPIC?group=NAME`,
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
