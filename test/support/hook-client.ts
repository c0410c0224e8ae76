import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { runHook as runInProcess } from '../../ingest/hook/client.ts';
import type { HookWorld } from '../../ingest/hook/world.ts';
import { bareEnvironment, COLLECTOR_TOKEN, MAIN } from './server.ts';

export interface HookRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built hook client as an agent does; the caller writes its standard input. */
export function startHook(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, 'hook', ...args], {
    env: bareEnvironment({ AFFIDAVIT_COLLECTOR_TOKEN: COLLECTOR_TOKEN, ...env }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export async function endOf(child: ChildProcess): Promise<HookRun> {
  const texts = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts };
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

/** An agent's input, which can stay open. */
export function openInput(event?: string): PassThrough {
  const input = new PassThrough();
  if (event !== undefined) input.end(event);
  return input;
}

/** Runs the client in this process, where the test owns its clocks. */
export async function callHook(
  input: PassThrough,
  args: readonly string[],
  world: Partial<HookWorld> = {},
): Promise<HookRun> {
  const texts = { stdout: '', stderr: '' };
  const from = performance.now();
  const code = await runInProcess({
    argv: args,
    env: {},
    stdin: input as unknown as NodeJS.ReadStream,
    print: (text) => void (texts.stdout += text),
    note: (text) => void (texts.stderr += text),
    now: Date.now,
    elapsedMs: () => performance.now() - from,
    newId: randomUUID,
    stop: new AbortController().signal,
    ...world,
  });
  return { code, ...texts };
}

export interface Delivery {
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** `hang` reads and never answers. */
export type Answer = number | 'hang';

export interface StandIn {
  readonly url: string;
  readonly deliveries: Delivery[];
  /** How many requests the client gave up before they were answered. */
  abandoned: number;
  /** The answer from now on. */
  answer: Answer | ((delivery: Delivery) => Answer);
  close(): Promise<void>;
}

/** A collector that keeps what it is sent and answers as it is told; on 127.0.0.1 unless another address is given. */
export async function startStandIn(port = 0, address = '127.0.0.1'): Promise<StandIn> {
  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces).toString();
      const delivery = { path: request.url!, body, headers: request.headers };
      standIn.deliveries.push(delivery);
      const answer = typeof standIn.answer === 'function' ? standIn.answer(delivery) : standIn.answer;
      if (answer !== 'hang') response.writeHead(answer).end('{}');
    });
    response.on('close', () => {
      if (!response.writableEnded) standIn.abandoned += 1;
    });
  });
  server.listen(port, address);
  await once(server, 'listening');
  const standIn: StandIn = {
    url: `http://${isIPv6(address) ? `[${address}]` : address}:${(server.address() as AddressInfo).port}`,
    deliveries: [],
    abandoned: 0,
    answer: 200,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return standIn;
}
