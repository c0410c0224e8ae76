/** A deployment whose processes reach every engine through a proxy that can break what passes. */
import { bundlePrefix } from '../../store/chain/layout.ts';
import { openField, type Field } from '../scale/field.ts';
import { startS3Proxy, type S3Proxy } from '../support/s3-server-proxy.ts';
import { openScaleOut, type ScaleOut } from '../support/scale-out.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import type { ChaosArguments } from './arguments.ts';
import { createStallWatch, type StallWatch } from './stalls.ts';

/** A silent sequencer loses its partitions after this time. */
export const SESSION_TIMEOUT_MS = 6_000;

/** Few enough for a busy machine: a partition that waits for the processor is no stalled one. */
const CONNECTIONS = 2;

export interface Ground {
  readonly deployment: ScaleOut;
  readonly field: Field;
  readonly stalls: StallWatch;
  readonly broker: TcpProxy;
  readonly clickhouse: TcpProxy;
  /** The way of each sequencer to the bucket. */
  readonly buckets: readonly S3Proxy[];
  close(): Promise<void>;
}

export async function openGround(given: ChaosArguments): Promise<Ground> {
  const proxies = new Map<'broker' | 'clickhouse', TcpProxy>();
  const stand = (name: 'broker' | 'clickhouse') => async (port: number) => {
    const proxy = await startTcpProxy(port);
    proxies.set(name, proxy);
    return proxy.port;
  };
  const deployment = await openScaleOut({
    partitions: given.partitions,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    beforeBroker: stand('broker'),
    beforeClickHouse: stand('clickhouse'),
  });
  if ('skipped' in deployment) throw new Error(deployment.skipped);
  const [broker, clickhouse] = [proxies.get('broker'), proxies.get('clickhouse')];
  if (broker === undefined || clickhouse === undefined)
    throw new Error('a broker that was given has no proxy');
  const buckets = await Promise.all(
    Array.from({ length: given.sequencers }, () => startS3Proxy(deployment.s3.port)),
  );
  const stalls = createStallWatch();
  for (const bucket of buckets) watchBundles(bucket, stalls);
  const field = await openField(deployment, {
    ingest: given.ingest,
    connections: CONNECTIONS,
    sequencers: given.sequencers,
    sequencerEnv: (n) => ({ AFFIDAVIT_S3_ENDPOINT: buckets[n]?.endpoint ?? '' }),
    witness: {
      acknowledged: (event) => stalls.acknowledged(event, performance.now()),
      sealed: (log, bundle) => stalls.sealed(log, bundle),
    },
  });
  return {
    ...{ deployment, field, stalls, broker, clickhouse, buckets },
    async close() {
      await field.close();
      await deployment.dispose();
      await Promise.all([broker, clickhouse, ...buckets].map((proxy) => proxy.close()));
    },
  };
}

function watchBundles(bucket: S3Proxy, stalls: StallWatch): void {
  const [before = '', behind = ''] = bundlePrefix('*').split('*');
  const place = new RegExp(`/${before}([^/]+)${behind}[0-9/]*/([0-9]{20})\\?`);
  bucket.onStored((url) => {
    const [, log, startIndex] = place.exec(`${url}?`) ?? [];
    if (log !== undefined) stalls.stored(log, Number(startIndex), performance.now());
  });
}
