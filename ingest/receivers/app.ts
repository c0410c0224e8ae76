import { Readable } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Reply } from '../../connectors/drafts/answers.ts';
import type { Source } from '../../connectors/drafts/source.ts';
import { describeUnknownGateway, gatewayNameIn } from '../../connectors/sources/gateways/gateway-source.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { answerFailure, toPipelineError } from './answer.ts';
import { mediaTypeOf, readBody, type BodyLimits } from './body.ts';
import type { TlsTexts } from './grpc/server.ts';
import { createIntake, refuse, takeIn, type Intake, type IntakeOptions } from './intake.ts';
import { identifySender } from './sender.ts';

export interface ReceiverOptions extends IntakeOptions {
  readonly timeouts?: Partial<ReceiverTimeouts>;
}

/** How long a slow or idle sender may hold a socket, in milliseconds. */
export interface ReceiverTimeouts {
  /** From opening a connection, or from the first byte of a further request, to the end of its header. @default 15000 */
  readonly headersMs: number;
  /** To the last byte of the request. @default 60000 */
  readonly requestMs: number;
  /** Between an answer and the next request. @default 65000 */
  readonly keepAliveMs: number;
  /** How often the first two are checked. @default 5000 */
  readonly checkEveryMs: number;
}

const TIMEOUTS: ReceiverTimeouts = {
  headersMs: 15_000,
  requestMs: 60_000,
  // Longer than the idle time of usual load balancers, so that the balancer closes a connection first.
  keepAliveMs: 65_000,
  checkEveryMs: 5_000,
};

/**
 * The HTTP receivers: requests in, envelopes appended to the event log. A request is authenticated before its body
 * is read, its body is read once, by its source, and it is answered with success only after the event log has it on
 * stable storage. Nothing that a client sent is ever logged.
 */
export function buildReceivers(
  options: ReceiverOptions,
  intake: Intake = createIntake(options),
  tls?: TlsTexts,
): FastifyInstance {
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const app = fastify({
    logger: false,
    genReqId: options.newId,
    keepAliveTimeout: timeouts.keepAliveMs,
    requestTimeout: timeouts.requestMs,
    ...listenerOf(timeouts, tls),
    forceCloseConnections: 'idle',
    // A request that arrives on an open connection while the server closes is accepted: the event log closes later.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) =>
      void answerFailure(request, reply, countRefusal(intake, toPipelineError(error), request), false),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.setNotFoundHandler((request, reply) => {
    countRefusal(intake, new PipelineError('NOT_FOUND', 'no such route'), request);
    return answerFailure(request, reply, notFound(intake, request), false);
  });
  for (const source of intake.sources) addRoute(app, source, intake);
  return app;
}

/** Counts and logs a refusal of a request that no route took. Its path may hold anything, so it is not logged. */
function countRefusal(intake: Intake, error: PipelineError, { id }: FastifyRequest): PipelineError {
  intake.counters.requests += 1;
  return refuse(intake, error, { request_id: id });
}

function notFound({ sources }: Intake, { url }: FastifyRequest): PipelineError {
  const gateway = gatewayNameIn(url.split(/[?#]/, 1)[0] ?? '');
  const detail = gateway === undefined ? 'no such route' : describeUnknownGateway(gateway, sources);
  return new PipelineError('NOT_FOUND', detail, {
    hint: 'docs/sources.md lists the routes of the receivers',
  });
}

/** HTTP, or HTTPS. HTTPS asks for a client certificate if an authority for client certificates is given. */
function listenerOf(timeouts: ReceiverTimeouts, tls: TlsTexts | undefined) {
  const bounds = { headersTimeout: timeouts.headersMs, connectionsCheckingInterval: timeouts.checkEveryMs };
  if (tls === undefined) return { http: bounds };
  const { cert, key, clientCa } = tls;
  const mutual = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { https: { ...bounds, cert, key, ...mutual, minVersion: 'TLSv1.2' as const } };
}

function addRoute(app: FastifyInstance, source: Source, intake: Intake): void {
  const url = source.route;
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = refuse(intake, error, { route: url, request_id: request.id });
    return answerFailure(request, reply, known, source.otlp !== undefined);
  };
  app.route({
    method: 'POST',
    url,
    errorHandler: (error, request, reply) => void fail(error, request, reply),
    handler: async (request, reply) => {
      intake.counters.requests += 1;
      const { contentType, body } = await receive(request, source, intake);
      return reply.header('content-type', contentType).send(body);
    },
  });
  app.route({
    method: app.supportedMethods.filter((method) => method !== 'POST'),
    url,
    handler: (request, reply) => {
      intake.counters.requests += 1;
      void reply.header('allow', 'POST');
      return fail(new PipelineError('METHOD_NOT_ALLOWED', 'this route takes POST'), request, reply);
    },
  });
}

/** Handles a request from its credential to the durable envelope. Resolves with the answer of success. */
async function receive(request: FastifyRequest, source: Source, intake: Intake): Promise<Reply> {
  const { options, shares } = intake;
  const receivedAt = toInstant(options.clock());
  const sender = identifySender(request.headers, source, options);
  const contentType =
    source.otherTypes ?? source.contentTypes.find((type) => type === mediaTypeOf(request.headers));
  if (contentType === undefined) {
    throw new PipelineError(
      'CONTENT_TYPE_UNSUPPORTED',
      `this route takes ${source.contentTypes.join(' or ')}`,
    );
  }
  const share = shares.enter(sender.collector, request.raw.socket);
  try {
    const limits = limitsOf(source, options.limits);
    const sent = await readBody(bodyStream(request), request.headers, limits, share.take);
    sender.requireGenuine(sent);
    return await takeIn(intake, { source, sender, contentType, receivedAt, sent, share });
  } finally {
    share.release();
  }
}

/** The body of a webhook is read before its sender is known, so the limit of its platform applies too. */
function limitsOf({ proof }: Source, limits: BodyLimits): BodyLimits {
  if (proof === 'bearer') return limits;
  return {
    maxBodyBytes: Math.min(limits.maxBodyBytes, proof.maxBytes),
    maxInflatedBytes: Math.min(limits.maxInflatedBytes, proof.maxBytes),
  };
}

/** The framework does not parse a request without a body. Such a request has an empty body. */
function bodyStream(request: FastifyRequest): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}
