/** gRPC as a broken or hostile client speaks it: mutated messages in sound frames, and frames that are none. */
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { MutatedMessage } from './mutations.ts';
import { TOKEN } from './setup.ts';

const SERVICES = {
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
} as const;

/** One call as it goes over the wire. */
export interface GrpcCall {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is written before the stream is ended. */
  readonly frames: Buffer;
  /** Whether the frames are what the protocol asks for, whatever the message is. */
  readonly isSound: boolean;
}

/** gRPC over HTTP/2, "Length-Prefixed-Message": a flag, four bytes of length, the message. */
export function frame(message: Buffer, { flag = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, message]);
}

interface Framing {
  readonly frames: Buffer;
  readonly encoding?: string;
  readonly isSound: boolean;
}

const FRAMINGS: readonly ((message: Buffer, at: number) => Framing)[] = [
  (message) => ({ frames: frame(message), isSound: true }),
  (message) => ({ frames: frame(gzipSync(message), { flag: 1 }), encoding: 'gzip', isSound: true }),
  (message) => ({ frames: frame(message), encoding: 'gzip', isSound: true }),
  (message) => ({ frames: frame(message, { flag: 1 }), encoding: 'gzip', isSound: false }),
  (message) => ({ frames: frame(gzipSync(message), { flag: 1 }), isSound: false }),
  (message) => ({ frames: frame(message, { flag: 1 }), encoding: 'snappy', isSound: false }),
  (message, at) => ({ frames: frame(message, { length: message.length + 1 + at }), isSound: false }),
  (message) => ({ frames: frame(message, { length: 0xffff_ffff }), isSound: false }),
  (message, at) => ({
    frames: frame(message, { length: Math.max(0, message.length - 1 - at) }),
    isSound: false,
  }),
  (message, at) => ({ frames: frame(message).subarray(0, at % 5), isSound: false }),
  (message) => ({ frames: Buffer.concat([frame(message), frame(message)]), isSound: false }),
  (message, at) => ({ frames: frame(message, { flag: 2 + (at % 200) }), isSound: false }),
  (_, at) => ({ frames: Buffer.alloc(at % 40, 0xff), isSound: false }),
];

/** Three of four are sound in all but the message. */
export function grpcCalls(messages: fc.Arbitrary<MutatedMessage>): fc.Arbitrary<GrpcCall> {
  return fc
    .record({
      message: messages,
      framing: fc.nat(FRAMINGS.length * 4).map((n) => (n < FRAMINGS.length ? n : n % 2)),
      at: fc.nat(300),
      otherType: fc.nat(80).map((n) => (n === 0 ? 'application/grpc+json' : 'application/grpc')),
    })
    .map(({ message: { signal, body }, framing, at, otherType }) => {
      const { frames, encoding, isSound } = FRAMINGS[framing]!(body, at);
      return {
        path: `/${SERVICES[signal]}/Export`,
        headers: {
          'content-type': otherType,
          te: 'trailers',
          authorization: `Bearer ${TOKEN}`,
          ...(encoding === undefined ? {} : { 'grpc-encoding': encoding }),
        },
        frames,
        isSound,
      };
    });
}

export interface GrpcClient {
  /** The status of the call: a number of gRPC, or what ended the stream instead. */
  send(call: Omit<GrpcCall, 'isSound'>): Promise<string>;
  close(): void;
}

const ANSWER_LIMIT_MS = 20_000;

/** Speaks over one connection, and over a new one where the server has ended it. */
export function openGrpcClient(port: number): GrpcClient {
  let session: ClientHttp2Session | undefined;
  const current = (): ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      session = connect(`http://127.0.0.1:${String(port)}`);
      session.on('error', () => undefined);
    }
    return session;
  };
  return {
    send: ({ path, headers, frames }) =>
      new Promise((resolve) => {
        const stream = current().request({ ':method': 'POST', ':path': path, ...headers });
        let code: string | undefined;
        const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), ANSWER_LIMIT_MS);
        const take = (told: Record<string, string | number | string[] | undefined>) => {
          const { ':status': http, 'grpc-status': grpc } = told;
          if (grpc !== undefined) code = grpc.toString();
          else if (http !== undefined && http !== 200) code = `http ${http.toString()}`;
        };
        stream.on('response', take).on('trailers', take);
        stream.on('error', () => undefined);
        stream.on('close', () => {
          clearTimeout(timer);
          resolve(code ?? `reset ${String(stream.rstCode)}`);
        });
        stream.resume();
        stream.end(frames);
      }),
    close: () => session?.close(),
  };
}
