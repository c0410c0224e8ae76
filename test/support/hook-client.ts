import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bareEnvironment, COLLECTOR_TOKEN, MAIN } from './server.ts';

export interface HookRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

/** Starts the built hook client as an agent does; the caller writes its standard input. */
export function startHook(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, 'hook', ...args], {
    env: bareEnvironment({ AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN, ...env }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export async function endOf(child: ChildProcess): Promise<HookRun> {
  const started = performance.now();
  const texts = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts, tookMs: performance.now() - started };
}

export function runHook(
  event: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<HookRun> {
  const child = startHook(args, env);
  child.stdin!.on('error', () => undefined).end(event);
  return endOf(child);
}

export interface Delivery {
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

export interface StandIn {
  readonly url: string;
  readonly deliveries: Delivery[];
  /** What it answers from now on; `hang` reads and never answers. */
  answer: number | 'hang' | ((delivery: Delivery) => number);
  close(): Promise<void>;
}

/** A collector on 127.0.0.1 that keeps what it is sent and answers as it is told. */
export async function startStandIn(port = 0): Promise<StandIn> {
  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString();
      const delivery = { path: request.url!, body, headers: request.headers };
      standIn.deliveries.push(delivery);
      const { answer } = standIn;
      if (answer === 'hang') return;
      response.writeHead(typeof answer === 'number' ? answer : answer(delivery)).end('{}');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const standIn: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deliveries: [],
    answer: 200,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return standIn;
}
