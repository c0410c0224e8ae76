import { Readable } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Principal, VerifyToken } from '../../schemas/principal.ts';
import type { EventLog } from '../event-log.ts';
import { answerFailure, toPipelineError } from './answer.ts';
import { mediaTypeOf, readBody, type BodyLimits } from './body.ts';
import { createReceiverCounters, type ReceiverCounters } from './counters.ts';
import { repeatedBytes, toEnvelope, toKeyedEnvelopes } from './envelopes.ts';
import type { Reply } from './reading.ts';
import { INGEST_ROUTES, type IngestRoute } from './routes.ts';
import { createShares, type Share, type ShareLimits } from './shares.ts';

export interface ReceiverOptions {
  readonly eventLog: Pick<EventLog, 'append'>;
  /**
   * Whether each envelope holds items of one session only, and says which: for an event log of several partitions.
   * @default false
   */
  readonly splitBySession?: boolean;
  readonly verifyToken: VerifyToken;
  readonly clock: Clock;
  /** Ids of envelopes and requests. */
  readonly newId: () => string;
  readonly logger: Logger;
  /** @default four times `maxInflatedBytes` for all, half of it and 1024 requests for one collector */
  readonly limits: BodyLimits & Partial<ShareLimits>;
  readonly timeouts?: Partial<ReceiverTimeouts>;
  readonly counters?: ReceiverCounters;
}

/** What a slow or idle sender may hold a socket for, in milliseconds. */
export interface ReceiverTimeouts {
  /** From opening a connection, or from the first byte of a further request, to the end of its header. @default 15000 */
  readonly headersMs: number;
  /** To the last byte of the request. @default 60000 */
  readonly requestMs: number;
  /** Between an answer and the next request. @default 65000 */
  readonly keepAliveMs: number;
  /** How often the first two are looked at. @default 5000 */
  readonly checkEveryMs: number;
}

const TIMEOUTS: ReceiverTimeouts = {
  headersMs: 15_000,
  requestMs: 60_000,
  // Longer than the idle time of usual balancers, so that the one which closes is never us.
  keepAliveMs: 65_000,
  checkEveryMs: 5_000,
};
const MAX_REQUESTS_PER_COLLECTOR = 1024;
/** Those who share a token with one that sends without waiting keep room. */
const MAX_REQUESTS_PER_CONNECTION = 256;
const MAX_IDEMPOTENCY_KEY = 256;

interface Context {
  readonly options: ReceiverOptions;
  readonly counters: ReceiverCounters;
  readonly shares: { enter(collector: string, connection: object): Share };
}

/**
 * The HTTP receivers: requests in, envelopes appended to the event log. A request is authenticated before its body
 * is read, its body is decoded only to see that it can be and to count, and it is answered with success only after
 * the event log has it on stable storage. Nothing that a client sent is ever logged.
 */
export function buildReceivers(options: ReceiverOptions): FastifyInstance {
  const counters = options.counters ?? createReceiverCounters();
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const app = fastify({
    logger: false,
    genReqId: options.newId,
    keepAliveTimeout: timeouts.keepAliveMs,
    requestTimeout: timeouts.requestMs,
    http: { headersTimeout: timeouts.headersMs, connectionsCheckingInterval: timeouts.checkEveryMs },
    forceCloseConnections: 'idle',
    // What arrives on an open connection while it closes is taken like any other request: the event log closes later.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) =>
      void answerFailure(request, reply, toPipelineError(error), false),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.setNotFoundHandler((request, reply) =>
    answerFailure(request, reply, new PipelineError('NOT_FOUND', 'no such route'), false),
  );
  const context = { options, counters, shares: createShares(shareLimits(options.limits), counters) };
  for (const route of INGEST_ROUTES) addRoute(app, route, context);
  return app;
}

function shareLimits(limits: ReceiverOptions['limits']): ShareLimits {
  const maxInFlightBytes = limits.maxInFlightBytes ?? 4 * limits.maxInflatedBytes;
  return {
    maxInFlightBytes,
    maxInFlightPerCollectorBytes: limits.maxInFlightPerCollectorBytes ?? maxInFlightBytes / 2,
    maxRequestsInFlightPerCollector: limits.maxRequestsInFlightPerCollector ?? MAX_REQUESTS_PER_COLLECTOR,
    maxRequestsInFlightPerConnection: limits.maxRequestsInFlightPerConnection ?? MAX_REQUESTS_PER_CONNECTION,
  };
}

function addRoute(app: FastifyInstance, route: IngestRoute, context: Context): void {
  const { options, counters } = context;
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = toPipelineError(error);
    counters.refused[known.code] = (counters.refused[known.code] ?? 0) + 1;
    logFailure(options.logger, known, { route: route.url, request_id: request.id });
    return answerFailure(request, reply, known, route.isOtlp);
  };
  app.route({
    method: 'POST',
    url: route.url,
    errorHandler: (error, request, reply) => void fail(error, request, reply),
    handler: async (request, reply) => {
      counters.requests += 1;
      const { contentType, body } = await receive(request, route, context);
      return reply.header('content-type', contentType).send(body);
    },
  });
  app.route({
    method: app.supportedMethods.filter((method) => method !== 'POST'),
    url: route.url,
    handler: (request, reply) => {
      void reply.header('allow', 'POST');
      return fail(new PipelineError('METHOD_NOT_ALLOWED', 'this route takes POST'), request, reply);
    },
  });
}

/** From the credential to the durable envelope; the reply it resolves with is a success. */
async function receive(
  request: FastifyRequest,
  route: IngestRoute,
  { options, counters, shares }: Context,
): Promise<Reply> {
  const receivedAt = toInstant(options.clock());
  const principal = authenticate(request, options.verifyToken);
  const contentType = route.contentTypes.find((type) => type === mediaTypeOf(request.headers));
  if (contentType === undefined) {
    throw new PipelineError(
      'CONTENT_TYPE_UNSUPPORTED',
      `this route takes ${route.contentTypes.join(' or ')}`,
    );
  }
  const stamp = {
    v: 1,
    envelope_id: options.newId(),
    source: route.source,
    receiver: route.url,
    principal: principal.id,
    received_at: receivedAt,
    content_type: contentType,
    idempotency_key: route.isOtlp ? null : idempotencyKeyOf(request),
  } as const;
  const share = shares.enter(principal.id, request.raw.socket);
  try {
    const body = await readBody(bodyStream(request), request.headers, options.limits, share.take);
    const received = route.read({
      body,
      contentType,
      toHeader: (itemCount) => ({ ...stamp, item_count: itemCount }),
    });
    // An export without items is a success that leaves nothing to keep.
    if (received.itemCount > 0) {
      const stamped = { stamp, body, received };
      const { splitBySession = false, newId } = options;
      const envelopes = splitBySession ? toKeyedEnvelopes(stamped, newId) : [toEnvelope(stamped)];
      share.add(repeatedBytes(envelopes, body));
      await append(options.eventLog, envelopes);
    }
    counters.items += received.itemCount;
    counters.quarantinedItems += received.quarantinedUnits.length;
    counters.bytes += body.length;
    return received.reply;
  } finally {
    share.release();
  }
}

function authenticate(request: FastifyRequest, verifyToken: VerifyToken): Principal {
  // Some exporters decode the percent signs of a configured header value and some send them as they stand.
  const token = /^Bearer(?: +|%20)([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new PipelineError('AUTH_MISSING', 'the request carries no bearer token');
  const principal = verifyToken(token);
  if (principal === undefined) throw new PipelineError('AUTH_INVALID', 'the bearer token is not known');
  return principal;
}

function idempotencyKeyOf(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === '') return null;
  if (typeof key === 'string' && key.length <= MAX_IDEMPOTENCY_KEY) return key;
  const detail = `the Idempotency-Key header has more than ${MAX_IDEMPOTENCY_KEY} characters`;
  throw new PipelineError('PARAMETER_INVALID', detail, { place: 'Idempotency-Key' });
}

/** A request without a body, which the framework does not hand to a parser, has an empty one. */
function bodyStream(request: FastifyRequest): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}

/** Whatever stops an append, nothing was acknowledged and the same request may be sent again: never a 500. */
async function append(eventLog: Pick<EventLog, 'append'>, envelopes: readonly Envelope[]): Promise<void> {
  try {
    await eventLog.append(envelopes);
  } catch (error) {
    if (error instanceof PipelineError && error.retry === 'later') throw error;
    throw new PipelineError('LOG_UNAVAILABLE', 'the event log did not take the request', { cause: error });
  }
}

/** Codes and identifiers only: a parser's message may quote what it could not parse. */
function logFailure(logger: Logger, error: PipelineError, fields: Readonly<Record<string, string>>): void {
  const line = { ...fields, code: error.code, detail: error.detail };
  if (error.code === 'INTERNAL') logger.error({ ...line, cause: causeOf(error) }, 'receiver failed');
  else if (error.retry === 'later') logger.warn({ ...line, cause: causeOf(error) }, 'receiver pushed back');
  else logger.debug(line, 'receiver refused request');
}

function causeOf(error: PipelineError): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return 'none';
  const code = 'code' in cause ? String(cause.code) : '';
  return `${cause.name} ${code} ${(cause.stack ?? '').split('\n').slice(1, 4).join(' ')}`.trim();
}
