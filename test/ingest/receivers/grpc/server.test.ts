import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  status,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { startGrpc, type RunningGrpc } from '../../../../ingest/receivers/grpc/server.ts';
import { createIntake } from '../../../../ingest/receivers/intake.ts';
import { PipelineError, type ErrorCode } from '../../../../schemas/errors.ts';
import { toProtobuf } from '../../../connectors/wire/otlp/to-protobuf.ts';
import { ADMIN_TOKEN, logsRequest, prepareBench, TOKEN } from '../setup.ts';

const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const ONE_RECORD = Buffer.from(
  toProtobuf('logs', JSON.parse(logsRequest('{"body":{"stringValue":"hello"}}')) as never),
);
const asTheyAre = (bytes: Buffer): Buffer => bytes;

const started: RunningGrpc[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.close(1_000)));
});

async function start(overrides: Parameters<typeof prepareBench>[0] = {}) {
  const bench = prepareBench(overrides);
  const running = await startGrpc(createIntake(bench.options), { host: '127.0.0.1', port: 0 });
  started.push(running);
  return { bench, port: running.port };
}

interface Answered {
  readonly body?: Buffer;
  readonly error?: ServiceError;
}

function call(port: number, path: string, body: Buffer, metadata: Metadata): Promise<Answered> {
  const Client = makeGenericClientConstructor({}, 'raw');
  const client = new Client(`127.0.0.1:${String(port)}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  });
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asTheyAre, asTheyAre, body, metadata, (error, answer) => {
      client.close();
      resolve(error === null ? { body: answer! } : { error });
    });
  });
}

function withToken(token = TOKEN): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

const send = (port: number, body: Buffer, metadata = withToken()) => call(port, LOGS, body, metadata);
const refusing = (code: ErrorCode): Parameters<typeof prepareBench>[0] => ({
  append: () => Promise.reject(new PipelineError(code, 'not now')),
});

describe('OTLP over gRPC', () => {
  it('keeps the bytes of a message, stamped as over HTTP, and answers that all was taken', async () => {
    const { bench, port } = await start();
    expect(await send(port, ONE_RECORD)).toEqual({ body: Buffer.alloc(0) });
    expect(bench.appended).toMatchObject([
      {
        source: 'otlp-logs',
        receiver: '/v1/logs',
        principal: 'collector-1',
        content_type: 'application/x-protobuf',
        item_count: 1,
      },
    ]);
    expect(Buffer.compare(bench.appended[0]!.body, ONE_RECORD)).toBe(0);
    expect(bench.options.counters).toMatchObject({ requests: 1, items: 1, inFlightBytes: 0 });
  });

  it.each([
    ['metrics', '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', 'otlp-metrics'],
    ['traces', '/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'otlp-traces'],
  ] as const)('takes %s', async (signal, path, source) => {
    const { bench, port } = await start();
    const item =
      signal === 'metrics'
        ? { scopeMetrics: [{ metrics: [{ name: 'm', sum: { dataPoints: [{ asInt: '1' }] } }] }] }
        : { scopeSpans: [{ spans: [{ name: 's' }] }] };
    const request = signal === 'metrics' ? { resourceMetrics: [item] } : { resourceSpans: [item] };
    const answer = await call(port, path, Buffer.from(toProtobuf(signal, request)), withToken());
    expect(answer.error).toBeUndefined();
    expect(bench.appended).toMatchObject([{ source, item_count: 1 }]);
  });

  it.each([
    ['without a token', new Metadata()],
    ['with another token', withToken('another')],
  ])('refuses a call %s, and keeps nothing', async (_, metadata) => {
    const { bench, port } = await start();
    expect((await send(port, ONE_RECORD, metadata)).error?.code).toBe(status.UNAUTHENTICATED);
    expect(bench.appended).toEqual([]);
    expect(bench.logged()).not.toContain('another');
  });

  it('refuses a call with an admin token, says which token sends, and keeps nothing', async () => {
    const { bench, port } = await start();
    const { error } = await send(port, ONE_RECORD, withToken(ADMIN_TOKEN));
    expect(error).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: 'sending needs the collector role; use a collector token',
    });
    expect(error?.metadata.get('grpc-status-details-bin')).toEqual([]);
    expect(bench.appended).toEqual([]);
    expect(bench.options.counters).toMatchObject({ requests: 1, refused: { AUTH_FORBIDDEN: 1 } });
  });

  it('refuses a message that does not decode as final', async () => {
    const { port } = await start();
    const { error } = await send(port, Buffer.from([0x0a, 0xff]));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(error?.metadata.get('grpc-status-details-bin')).toEqual([]);
  });

  it.each([
    ['LOG_PUSHBACK', status.UNAVAILABLE],
    ['LOG_UNAVAILABLE', status.UNAVAILABLE],
    ['COLLECTOR_PUSHBACK', status.RESOURCE_EXHAUSTED],
  ] as const)('asks to come again on %s, and says when', async (code, expected) => {
    const { port } = await start(refusing(code));
    const { error } = await send(port, ONE_RECORD);
    expect(error?.code).toBe(expected);
    const [details] = error!.metadata.get('grpc-status-details-bin');
    expect(Buffer.from(details!).toString('latin1')).toContain('type.googleapis.com/google.rpc.RetryInfo');
    expect(Buffer.from(details!).subarray(-4)).toEqual(Buffer.from([0x0a, 0x02, 0x08, 0x05]));
  });

  it('asks to come again where the event log fails in a way that nobody foresaw', async () => {
    const { port } = await start({ append: () => Promise.reject(new Error('disk')) });
    expect((await send(port, ONE_RECORD)).error?.code).toBe(status.UNAVAILABLE);
  });

  it('refuses a message beyond the limit, and goes on', async () => {
    const { bench, port } = await start();
    const { error } = await send(port, Buffer.alloc(2_500_000));
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error?.metadata.get('grpc-status-details-bin')).toEqual([]);
    expect((await send(port, ONE_RECORD)).error).toBeUndefined();
    expect(bench.appended).toHaveLength(1);
  });

  it('says what it does not serve', async () => {
    const { port } = await start();
    expect((await call(port, '/no.Such/Method', ONE_RECORD, withToken())).error?.code).toBe(
      status.UNIMPLEMENTED,
    );
  });

  it('answers the call in hand before it ends', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let arrived = (): void => undefined;
    const waiting = new Promise<void>((resolve) => (arrived = resolve));
    const { bench, port } = await start({
      append: () => {
        arrived();
        return held;
      },
    });
    const answer = send(port, ONE_RECORD);
    await waiting;
    const closing = started.pop()!.close(5_000);
    release();
    expect((await answer).error).toBeUndefined();
    await closing;
    expect(bench.appended).toHaveLength(1);
  });
});
