/** The faults that befall a deployment: each is done, lasts a while and is undone. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Seat } from '../scale/field.ts';
import type { S3Fault, S3Proxy } from '../support/s3-server-proxy.ts';
import type { Passage, TcpProxy } from '../support/tcp-proxy.ts';
import type { Random } from '../torture/random.ts';
import { SESSION_TIMEOUT_MS, type Ground } from './ground.ts';
import { slowOnePartition, type BadPartition } from './bad-partition.ts';
import { restart } from './restart.ts';
import { strikeWithStranger } from './stranger.ts';

/** What a strike is done to; two strikes at once are done to different things. */
type Target = 'receiver' | 'sequencer' | 'broker' | 'bucket' | 'clickhouse' | 'partition';

export interface Strike {
  readonly name: string;
  readonly target: Target;
  /** No other strike may explain a stall beside it. */
  readonly isAlone?: boolean;
  run(ground: Ground, random: Random): Promise<BadPartition | undefined>;
}

const ANY_METHOD = ['PUT', 'GET', 'HEAD', 'POST'] as const;
const anyRequest = (fault: Omit<S3Fault, 'method'>): S3Fault[] =>
  ANY_METHOD.map((method) => ({ ...fault, method }));

/** By name, so that `--only` can choose. */
export const STRIKES: readonly Strike[] = [
  { name: 'receiver killed', target: 'receiver', run: (...on) => kill('ingest', ...on) },
  { name: 'sequencer killed', target: 'sequencer', run: (...on) => kill('sequence', ...on) },
  { name: 'sequencer paused beyond its session', target: 'sequencer', run: pauseSequencer },
  { name: 'broker killed', target: 'broker', run: killBroker },
  onBroker('refuses', 'refused', [1_000, 6_000]),
  onBroker('is silent', 'silent', [2_000, 12_000]),
  onBroker('loses answers', 'mute', [500, 4_000]),
  onBucket('loses answers', () => [{ method: 'PUT', how: 'reset-after' }], [1_000, 5_000]),
  onBucket('says that it failed', () => [{ method: 'PUT', how: 'status-after' }], [1_000, 5_000]),
  onBucket('is busy', () => anyRequest({ how: 503, code: 'SlowDown' }), [2_000, 8_000]),
  onBucket('is slow', (random) => anyRequest({ how: () => delay(random.whole(500, 4_000)) }), [4_000, 9_000]),
  onBucket(
    'takes credentials for expired',
    () => anyRequest({ how: 403, code: 'ExpiredToken' }),
    [2_000, 8_000],
  ),
  onBucket(
    'does not know the key',
    () => anyRequest({ how: 403, code: 'InvalidAccessKeyId' }),
    [2_000, 8_000],
  ),
  onClickHouse('loses answers', () => 'mute', [1_000, 5_000]),
  onClickHouse('refuses', () => 'refused', [1_000, 8_000]),
  onClickHouse('is slow', (random) => ({ delayMs: random.whole(300, 3_000) }), [3_000, 8_000]),
  { name: 'partition with slow bundles', target: 'partition', isAlone: true, run: slowOnePartition },
  { name: 'partition with a foreign object', target: 'partition', isAlone: true, run: strikeWithStranger },
];

type Bounds = readonly [leastMs: number, mostMs: number];

function onBroker(what: string, passage: Passage, bounds: Bounds): Strike {
  return throughProxy(
    { name: 'broker', what, bounds },
    ({ broker }) => broker,
    () => passage,
  );
}

function onClickHouse(what: string, passage: (random: Random) => Passage, bounds: Bounds): Strike {
  return throughProxy({ name: 'clickhouse', what, bounds }, ({ clickhouse }) => clickhouse, passage);
}

interface Named {
  readonly name: 'broker' | 'clickhouse';
  readonly what: string;
  readonly bounds: Bounds;
}

function throughProxy(
  { name, what, bounds }: Named,
  proxyOf: (ground: Ground) => TcpProxy,
  passage: (random: Random) => Passage,
): Strike {
  return {
    name: `${name} ${what}`,
    target: name,
    async run(ground, random) {
      const proxy = proxyOf(ground);
      proxy.set(passage(random));
      await delay(random.whole(...bounds));
      proxy.set('open');
      return undefined;
    },
  };
}

/** For one sequencer or for all of them. */
function onBucket(what: string, faults: (random: Random) => readonly S3Fault[], bounds: Bounds): Strike {
  return {
    name: `bucket ${what}`,
    target: 'bucket',
    async run({ buckets }, random) {
      const struck: readonly S3Proxy[] = random.chance(0.5)
        ? buckets
        : buckets.slice(random.whole(0, buckets.length - 1)).slice(0, 1);
      for (const bucket of struck) for (const fault of faults(random)) bucket.arm(fault);
      await delay(random.whole(...bounds));
      for (const bucket of struck) bucket.reset();
      return undefined;
    },
  };
}

function anySeat({ field }: Ground, role: Seat['role'], random: Random): Seat {
  const [first, ...others] = field.seats.filter((seat) => seat.role === role);
  if (first === undefined) throw new Error(`no process of the role ${role}`);
  return random.pick([first, ...others]);
}

async function kill(role: Seat['role'], ground: Ground, random: Random): Promise<undefined> {
  const seat = anySeat(ground, role, random);
  const pauseMs = random.whole(0, 1_000);
  await restart(ground, seat, 'SIGKILL', pauseMs);
}

async function pauseSequencer(ground: Ground, random: Random): Promise<undefined> {
  const { process: paused } = anySeat(ground, 'sequence', random).process;
  paused.kill('SIGSTOP');
  await delay(SESSION_TIMEOUT_MS + random.whole(1_000, 5_000));
  paused.kill('SIGCONT');
}

async function killBroker({ deployment }: Ground, random: Random): Promise<undefined> {
  await deployment.broker.kill();
  await delay(random.whole(0, 2_000));
  await deployment.broker.start();
}
