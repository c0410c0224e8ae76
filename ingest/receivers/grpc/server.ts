/** OTLP/gRPC: the sources of OTLP's signals over another protocol, read, stamped and kept by the same code. */
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  status,
  type handleUnaryCall,
  type Metadata,
  type ServerInterceptor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Source } from '../../../connectors/drafts/source.ts';
import type { OtlpSignal } from '../../../connectors/wire/otlp/descriptor.ts';
import { toInstant } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { refuse, takeIn, type Intake } from '../intake.ts';
import { identifySender, type Sender } from '../sender.ts';
import { toStatus } from './status.ts';

const CONTENT_TYPE = 'application/x-protobuf';
/** Calls that one connection may have open; each may hold a message. */
const MAX_STREAMS = 64;
/** A connection without calls is closed after this time. */
const IDLE_MS = 300_000;
/** How often a silent client is asked whether it is still there. */
const KEEPALIVE_MS = 60_000;

/** PEM texts. With `clientCa` a client must show a certificate of this authority, and needs its token as well. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
}

export interface GrpcOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsTexts | undefined;
}

export interface RunningGrpc {
  readonly port: number;
  /** Answers the calls in hand, and cuts those that take more than `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const SERVICES: Readonly<Record<OtlpSignal, string>> = {
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
};

type Handler = handleUnaryCall<Buffer, Buffer>;

/**
 * Listens for OTLP/gRPC. A call is authenticated when its header has arrived, before its message is read, and is
 * answered with success only after the event log has it. Rejects if the port is not free.
 */
export async function startGrpc(intake: Intake, { host, port, tls }: GrpcOptions): Promise<RunningGrpc> {
  const { maxInflatedBytes } = intake.options.limits;
  const server = new Server({
    'grpc.max_receive_message_length': maxInflatedBytes,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.max_connection_idle_ms': IDLE_MS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    interceptors: [guardCall(intake)],
  });
  for (const source of intake.sources) {
    if (source.otlp === undefined) continue;
    server.addService(definitionOf(source.otlp), { Export: exportHandler(intake, source) });
  }
  const bound = await bind(server, `${host.includes(':') ? `[${host}]` : host}:${String(port)}`, tls);
  return {
    port: bound,
    close: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function bind(server: Server, address: string, tls: TlsTexts | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, toCredentials(tls), (error, port) => {
      if (error === null) resolve(port);
      else
        reject(new PipelineError('START_REFUSED', `OTLP/gRPC cannot listen on ${address}`, { cause: error }));
    });
  });
}

function toCredentials(tls: TlsTexts | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key, clientCa } = tls;
  const ca = clientCa === undefined ? null : Buffer.from(clientCa);
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  return ServerCredentials.createSsl(ca, [pair], clientCa !== undefined);
}

/** Messages stay bytes, because the sources decode them. */
function definitionOf(signal: OtlpSignal): ServiceDefinition {
  const asTheyAre = (bytes: Buffer): Buffer => bytes;
  return {
    Export: {
      path: `/${SERVICES[signal]}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asTheyAre,
      requestDeserialize: asTheyAre,
      responseSerialize: asTheyAre,
      responseDeserialize: asTheyAre,
    },
  };
}

function exportHandler(intake: Intake, source: Source): Handler {
  return (call, callback) => {
    intake.counters.requests += 1;
    const receivedAt = toInstant(intake.options.clock());
    receive(intake, {
      source,
      receivedAt,
      metadata: call.metadata,
      sent: call.request,
    }).then(
      (body) => callback(null, body),
      (error: unknown) => {
        callback(toStatus(refuse(intake, error, { route: source.route, protocol: 'grpc' })));
      },
    );
  };
}

interface Call {
  readonly source: Source;
  readonly receivedAt: string;
  readonly metadata: Metadata;
  readonly sent: Buffer;
}

async function receive(intake: Intake, { source, receivedAt, metadata, sent }: Call): Promise<Buffer> {
  const sender = senderOf(intake, metadata);
  // The limit of streams already bounds the calls of one connection.
  const share = intake.shares.enter(sender.collector, {});
  try {
    share.take(sent.length);
    const reply = await takeIn(intake, {
      source,
      sender,
      contentType: CONTENT_TYPE,
      receivedAt,
      sent,
      share,
    });
    return reply.body;
  } finally {
    share.release();
  }
}

function senderOf({ options }: Intake, metadata: Metadata): Sender {
  const [authorization] = metadata.get('authorization');
  const headers = typeof authorization === 'string' ? { authorization } : {};
  return identifySender(headers, { proof: 'bearer', otlp: 'logs' }, options);
}

/**
 * Refuses a call without the token of a collector before a byte of its message is read. A message with a broken frame
 * or compression is refused like any other message that does not decode; the library would report an error of this
 * server.
 */
function guardCall(intake: Intake): ServerInterceptor {
  return (_method, call) => {
    const sendStatus = call.sendStatus.bind(call);
    const refuseCall = (error: unknown): void => {
      intake.counters.requests += 1;
      sendStatus(toStatus(refuse(intake, error, { protocol: 'grpc' })));
    };
    let isWhole = false;
    call.sendStatus = (sent) => {
      if (isWhole || sent.code !== status.INTERNAL) sendStatus(sent);
      else
        refuseCall(
          new PipelineError('BODY_MALFORMED', 'the message is broken in its frame or its compression'),
        );
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, pass) => {
            try {
              senderOf(intake, metadata);
            } catch (error) {
              refuseCall(error);
              return;
            }
            pass(metadata);
          },
          onReceiveHalfClose: (pass) => {
            // From here on the handler answers.
            isWhole = true;
            pass();
          },
        });
      },
    });
  };
}
