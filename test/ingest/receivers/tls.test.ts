import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { credentials, makeGenericClientConstructor, Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { startReceivers, type RunningReceivers } from '../../../ingest/receivers/serve.ts';
import { BEARER, prepareBench } from './setup.ts';

const pem = (name: string): string => readFileSync(join(import.meta.dirname, 'tls', name), 'utf8');
const AUTHORITY = pem('ca.pem');
const SERVER = { cert: pem('server.pem'), key: pem('server.key') };
const CLIENT = { cert: pem('client.pem'), key: pem('client.key') };
const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';

let running: RunningReceivers | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function start(clientCa?: string): Promise<RunningReceivers> {
  const serving = { host: '127.0.0.1', port: 0, grpcPort: 0, tls: { ...SERVER, clientCa } };
  running = await startReceivers(prepareBench().options, serving);
  return running;
}

/** Status of an export over HTTPS, or 'refused' where the connection was. */
function post(port: number, own: Partial<typeof CLIENT> = {}): Promise<number | 'refused' | undefined> {
  return new Promise((resolve) => {
    const options = { method: 'POST', host: '127.0.0.1', port, path: '/v1/logs', ca: AUTHORITY, ...own };
    const headers = { ...BEARER, 'content-type': 'application/json' };
    const sent = request({ ...options, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on('error', () => resolve('refused'));
    sent.end('{}');
  });
}

/** 'taken' or the code of the refusal, over gRPC. */
function call(port: number, own?: typeof CLIENT): Promise<string> {
  const trusted = Buffer.from(AUTHORITY);
  const secure =
    own === undefined
      ? credentials.createSsl(trusted)
      : credentials.createSsl(trusted, Buffer.from(own.key), Buffer.from(own.cert));
  const Client = makeGenericClientConstructor({}, 'raw');
  const client = new Client(`127.0.0.1:${String(port)}`, secure);
  const metadata = new Metadata();
  metadata.set('authorization', BEARER.authorization);
  const asTheyAre = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(LOGS, asTheyAre, asTheyAre, Buffer.alloc(0), metadata, (error) => {
      client.close();
      resolve(error === null ? 'taken' : 'refused');
    });
  });
}

describe('receivers with a certificate', () => {
  it('speak TLS over HTTP and gRPC', async () => {
    const { port, grpcPort } = await start();
    expect(await post(port)).toBe(200);
    expect(await call(grpcPort!)).toBe('taken');
  });

  it('take over both only what comes with a certificate of the authority, where one is named', async () => {
    const { port, grpcPort } = await start(AUTHORITY);
    expect(await post(port)).toBe('refused');
    expect(await post(port, CLIENT)).toBe(200);
    expect(await call(grpcPort!)).toBe('refused');
    expect(await call(grpcPort!, CLIENT)).toBe('taken');
  });

  it('end while a connection under TLS is open', async () => {
    const open = await start();
    const { port } = open;
    expect(await post(port)).toBe(200);
    await open.close();
    running = undefined;
    expect(await post(port)).toBe('refused');
  });
});
