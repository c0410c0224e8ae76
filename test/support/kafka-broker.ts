import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { freePort } from './free-port.ts';
import { fetchKafka, runToEnd } from './kafka-broker-files.ts';

export interface KafkaBroker {
  readonly brokers: readonly string[];
  /** The same for those who show `SASL_USER`; undefined where the broker was given. */
  readonly saslBrokers: readonly string[] | undefined;
  /** Whether it is this process's own, so that it can be ended and started again. */
  readonly isOwn: boolean;
  /** Ends it as an operator would, and starts it on the same port with the same data. */
  restart(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Ends it and removes its data. */
  dispose(): Promise<void>;
}

/** For SASL PLAIN. */
export const SASL_USER = { username: 'affidavit', password: 'only for tests' };

export interface Skipped {
  readonly skipped: string;
}

export interface BrokerOptions {
  /** Folder in which the data folder of a broker of this process is made. */
  readonly parent?: string | undefined;
  /** What stands before the broker, by its port; gives the port that clients are told to use. */
  readonly before?: ((port: number) => Promise<number>) | undefined;
}

/**
 * One Apache Kafka broker on loopback: that of `AFFIDAVIT_TEST_KAFKA_BROKERS`, else one of its own. Where neither is to
 * be had the reason is printed and returned; with CI=true it is thrown, since there a missing engine is a failure.
 */
export async function startKafkaBroker(options: BrokerOptions = {}): Promise<KafkaBroker | Skipped> {
  const given = process.env['AFFIDAVIT_TEST_KAFKA_BROKERS'];
  if (given !== undefined && given !== '') return givenBroker(given.split(','));
  try {
    return await startOwnBroker(await fetchKafka(), options);
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    const skipped = `no Kafka broker: ${error instanceof Error ? error.message : String(error)}`;
    process.stdout.write(`skipped: ${skipped}\n`);
    return { skipped };
  }
}

function givenBroker(brokers: readonly string[]): KafkaBroker {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error('the broker was given, it is not ended here'));
  return {
    brokers,
    saslBrokers: undefined,
    isOwn: false,
    restart: refuse,
    start: refuse,
    stop: refuse,
    kill: refuse,
    dispose: () => Promise.resolve(),
  };
}

async function startOwnBroker(
  libraries: string,
  { parent = tmpdir(), before = (port) => Promise.resolve(port) }: BrokerOptions,
): Promise<KafkaBroker> {
  const dir = await mkdtemp(join(parent, 'affidavit-kafka-'));
  const port = await freePort();
  const saslPort = await freePort();
  const clientPort = await before(port);
  await writeSettings(dir, { port, clientPort, saslPort, controllerPort: await freePort() });
  const classes = join(libraries, '*');
  const java = [
    'java',
    '-Xmx512m',
    '-Xms128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    classes,
  ];
  const settings = join(dir, 'server.properties');
  // A URL-safe id may begin with a dash, which the broker's scripts take for an option.
  const id = `k${randomBytes(16).toString('base64url').slice(1)}`;
  await runToEnd([...java, 'kafka.tools.StorageTool', 'format', '--standalone', '-t', id, '-c', settings]);
  const brokers = [`127.0.0.1:${clientPort}`];
  let running: Guarded | undefined;

  async function start(): Promise<void> {
    running = await spawnGuarded([...java, 'kafka.Kafka', settings], join(dir, 'broker.log'));
    await untilAnswering(brokers, running, join(dir, 'broker.log'));
  }
  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = running;
    running = undefined;
    await ending?.end(signal);
  }

  await start();
  return {
    brokers,
    saslBrokers: [`127.0.0.1:${saslPort}`],
    isOwn: true,
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    dispose: async () => {
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

interface Ports {
  readonly port: number;
  readonly clientPort: number;
  readonly saslPort: number;
  readonly controllerPort: number;
}

async function writeSettings(dir: string, ports: Ports): Promise<void> {
  const { port, clientPort, saslPort, controllerPort } = ports;
  const data = join(dir, 'data');
  await mkdir(data);
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const listeners = [
    `PLAINTEXT://127.0.0.1:${port}`,
    `SASL://127.0.0.1:${saslPort}`,
    `CONTROLLER://127.0.0.1:${controllerPort}`,
  ].join(',');
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners,
    'advertised.listeners': listeners.replace(`:${port},`, `:${clientPort},`),
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl.plain.sasl.jaas.config': `${plain} required user_${SASL_USER.username}="${SASL_USER.password}";`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': true,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'controlled.shutdown.enable': false,
    'log.retention.check.interval.ms': 500,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  await writeFile(join(dir, 'server.properties'), `${lines.join('\n')}\n`);
}

interface Guarded {
  readonly hasEnded: () => boolean;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Ends its child when its standard input closes, as it does however this process ends. */
const GUARD =
  'log=$1; shift; "$@" >>"$log" 2>&1 & child=$!; echo $child; (cat >&2; kill -KILL $child) <&3 & watch=$!; wait $child; kill $watch';

async function spawnGuarded(command: readonly string[], log: string): Promise<Guarded> {
  const guard: ChildProcessByStdio<null, Readable, null> = spawn(
    'sh',
    ['-c', GUARD, 'guard', log, ...command],
    {
      stdio: ['ignore', 'pipe', openSync('/dev/null', 'w'), 'pipe'],
    },
  ) as never;
  const gate = guard.stdio[3] as unknown as Writable;
  gate.on('error', () => undefined);
  const exited = once(guard, 'exit');
  const [line] = (await once(guard.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString().trim());
  return {
    hasEnded: () => guard.exitCode !== null,
    end: async (signal) => {
      if (guard.exitCode === null) process.kill(pid, signal);
      await exited;
      gate.destroy();
    },
  };
}

async function untilAnswering(brokers: readonly string[], running: Guarded, log: string): Promise<void> {
  const client = new kafkajs.Kafka({
    brokers: [...brokers],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 0 },
  });
  for (let attempt = 0; attempt < 240 && !running.hasEnded(); attempt++) {
    const admin = client.admin();
    try {
      await admin.connect();
      if ((await admin.describeCluster()).brokers.length > 0) return;
    } catch {
      // Not yet.
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
    await sleep(250);
  }
  await running.end('SIGKILL');
  throw new Error(`it does not answer: ${(await readFile(log, 'utf8')).slice(-2000)}`);
}
