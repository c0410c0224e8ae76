import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startGrpc, type RunningGrpc } from '../../../../ingest/receivers/grpc/server.ts';
import { createIntake } from '../../../../ingest/receivers/intake.ts';
import { toProtobuf } from '../../../connectors/wire/otlp/to-protobuf.ts';
import { frame, openGrpcClient, type GrpcClient } from '../fuzz-grpc.ts';
import { BEARER, logsRequest, prepareBench, type Bench } from '../setup.ts';

const MESSAGE = Buffer.from(
  toProtobuf('logs', JSON.parse(logsRequest('{"body":{"stringValue":"hello"}}')) as never),
);
const GZIP = { 'grpc-encoding': 'gzip' };

let bench: Bench;
let server: RunningGrpc;
let client: GrpcClient;
beforeEach(async () => {
  bench = prepareBench();
  server = await startGrpc(createIntake(bench.options), { host: '127.0.0.1', port: 0 });
  client = openGrpcClient(server.port);
});
afterEach(async () => {
  client.close();
  await server.close(1_000);
});

const send = (frames: Buffer, headers: Record<string, string> = {}) =>
  client.send({
    path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    headers: { 'content-type': 'application/grpc', te: 'trailers', ...BEARER, ...headers },
    frames,
  });

describe('a gRPC message', () => {
  it.each<[string, Buffer, Record<string, string>, string]>([
    ['as it is', frame(MESSAGE), {}, '0'],
    ['in gzip', frame(gzipSync(MESSAGE), { flag: 1 }), GZIP, '0'],
    ['that says gzip and is none', frame(MESSAGE, { flag: 1 }), GZIP, '3'],
    ['in gzip that is cut short', frame(gzipSync(MESSAGE).subarray(0, 15), { flag: 1 }), GZIP, '3'],
    ['in a compression that nobody knows', frame(MESSAGE, { flag: 1 }), { 'grpc-encoding': 'snappy' }, '12'],
    ['shorter than it says', frame(MESSAGE, { length: MESSAGE.length + 5 }), {}, '12'],
    ['larger than may be', frame(MESSAGE, { length: 0xffff_ffff }), {}, '8'],
    ['beside another', Buffer.concat([frame(MESSAGE), frame(MESSAGE)]), {}, '12'],
    ['that is not there', Buffer.alloc(0), {}, '12'],
    ['that does not decode', frame(Buffer.of(0x0a, 0xff)), {}, '3'],
  ])(
    '%s is taken or refused for good, never as a failure of the server',
    async (_, frames, headers, code) => {
      expect(await send(frames, headers)).toBe(code);
      expect(bench.appended.length).toBe(code === '0' ? 1 : 0);
      expect(bench.options.counters.inFlightBytes).toBe(0);
      expect(await send(frame(MESSAGE))).toBe('0');
    },
  );

  it('is counted as a request where it is broken, and named in the log', async () => {
    await send(frame(MESSAGE, { flag: 1 }), GZIP);
    expect(bench.options.counters.requests).toBe(1);
    expect(bench.logged()).toContain('BODY_MALFORMED');
  });
});
