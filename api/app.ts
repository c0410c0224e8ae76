/**
 * The API: records, proofs, sessions, tool calls and evidence packages over HTTP. In: requests with a token. Out:
 * answers from the record store and the published log. The only thing it writes is an order for a package.
 */
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
} from 'fastify';
import type { Logger } from 'pino';
import type { ReadBacklog } from '../schemas/backlog.ts';
import type { Clock } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { VerifyToken } from '../schemas/principal.ts';
import type { EvidencePackages } from '../reports/package/packages.ts';
import type { LogTree } from '../store/ledger/log-tree.ts';
import type { PublishedLog } from '../store/ledger/published-log.ts';
import type { RecordStore } from '../store/records/record-store.ts';
import { declarePrincipal, principalOf, requireAdmin } from './http/auth.ts';
import { trackRoutes } from './http/known-routes.ts';
import { registerOpenApi } from './http/openapi.ts';
import { refuseClient, sendProblem } from './http/problem.ts';
import { changeRoute } from './routes/changes.ts';
import { checkpointRoute } from './routes/checkpoint.ts';
import { completenessRoute } from './routes/completeness.ts';
import { evidencePackageRoutes } from './routes/evidence-packages.ts';
import { metricsRoute, publicRoutes, type Readiness } from './routes/operation.ts';
import { proofRoute } from './routes/proofs.ts';
import { quarantineRoute } from './routes/quarantine.ts';
import { recordRoutes } from './routes/records.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { tileRoutes } from './routes/tiles.ts';
import { toolCallRoute } from './routes/tool-calls.ts';
import type { TypedApp } from './http/typed-app.ts';

/** Bodies of the API have a few members; evidence arrives at the receivers. */
const MAX_BODY_BYTES = 64 * 1024;
/** Clients choose session ids; a longer one is stored and can be found by a filter, but not by a path. */
const MAX_PATH_PARAMETER_LENGTH = 1024;
/** How long a client may take to send a request; the same as at the receivers. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How long a client may take from its connection, or from the first byte of a further request, to the end of the header. */
const HEADERS_TIMEOUT_MS = 15_000;
/** How often these two are checked. */
const TIMEOUT_CHECK_MS = 5_000;
/** How long a connection may idle between an answer and the next request. */
const KEEP_ALIVE_MS = 65_000;

const TIMEOUTS: ApiTimeouts = {
  headersMs: HEADERS_TIMEOUT_MS,
  requestMs: REQUEST_TIMEOUT_MS,
  checkEveryMs: TIMEOUT_CHECK_MS,
};

/** How long a slow client may hold a connection, in milliseconds. */
export interface ApiTimeouts {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly checkEveryMs: number;
}

/** Sources of the routes of evidence. */
export interface EvidenceSources {
  readonly store: RecordStore;
  /** All logs of the deployment. */
  readonly published: readonly PublishedLog[];
  /** The trees of these logs, by name. */
  readonly trees: ReadonlyMap<string, LogTree>;
  /** Left out where another process makes packages and serves their routes. */
  readonly packages?: EvidencePackages | undefined;
  /** Left out where no event log is at hand. */
  readonly readBacklog?: ReadBacklog | undefined;
}

export interface ApiOptions {
  /** Left out where the process serves no evidence: then only the routes of operation exist. */
  readonly evidence?: EvidenceSources | undefined;
  readonly verifyToken: VerifyToken;
  readonly readiness: () => Promise<Readiness>;
  /** Prometheus text; without it there is no /metrics. */
  readonly metrics?: () => Promise<string>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Gives request ids. */
  readonly newId: () => string;
  /** @default 15 seconds for the header, 60 for the request, checked every 5 */
  readonly timeouts?: ApiTimeouts;
}

/** The API as a fastify instance that does not listen yet; `close` ends it. */
export function buildApi(options: ApiOptions): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = options.logger;
  const { headersMs, requestMs, checkEveryMs } = options.timeouts ?? TIMEOUTS;
  const app: TypedApp = fastify({
    loggerInstance,
    // `addHooks` logs one line per request, which names no URL.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: options.newId,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Node would answer a request without a Host header itself, and not with a problem; `addHooks` refuses it.
    http: {
      headersTimeout: headersMs,
      connectionsCheckingInterval: checkEveryMs,
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: MAX_PATH_PARAMETER_LENGTH },
    // A request is served as it was sent or refused: no member is dropped or repaired.
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: 'array', useDefaults: true, allErrors: true },
    },
    frameworkErrors: (error, request, reply) => {
      secureAnswer(reply);
      void sendProblem(error, request, reply);
    },
    clientErrorHandler: (error, socket) => refuseClient(error, socket, options.newId()),
  });
  // Response schemas only describe answers. A compiled serialiser would cut members off that a schema does not name.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.setErrorHandler(sendProblem);
  const knownRoutes = trackRoutes(app);
  app.setNotFoundHandler((request, reply) => {
    const allowed = knownRoutes.methodsOf(request.url);
    if (allowed.length === 0) throw new PipelineError('NOT_FOUND', 'no route has this path');
    void reply.header('allow', allowed.join(', '));
    throw new PipelineError('METHOD_NOT_ALLOWED', `this path takes ${allowed.join(', ')}`);
  });
  addHooks(app);
  registerOpenApi(app);
  void app.register((scope: TypedApp, _options, done) => {
    publicRoutes(scope, options.readiness);
    done();
  });
  void app.register((scope: TypedApp, _options, done) => {
    requireAdmin(scope, options.verifyToken);
    if (options.evidence !== undefined) evidenceRoutes(scope, options.evidence, options.clock);
    if (options.metrics !== undefined) metricsRoute(scope, options.metrics);
    done();
  });
  return app;
}

function evidenceRoutes(app: TypedApp, sources: EvidenceSources, clock: Clock): void {
  const { store, published, packages } = sources;
  recordRoutes(app, store);
  proofRoute(app, sources);
  sessionRoutes(app, store);
  toolCallRoute(app, store);
  changeRoute(app, store);
  completenessRoute(app, sources, clock);
  quarantineRoute(app, store);
  checkpointRoute(app, published);
  tileRoutes(app, sources);
  if (packages !== undefined) evidencePackageRoutes(app, packages, published);
}

function addHooks(app: TypedApp): void {
  declarePrincipal(app);
  app.addHook('onRequest', (request, reply, done) => {
    secureAnswer(reply);
    const { httpVersionMinor, headers } = request.raw;
    const lacksHost = httpVersionMinor > 0 && headers.host === undefined;
    done(lacksHost ? new PipelineError('BODY_MALFORMED', 'the request has no Host header') : undefined);
  });
  // The route's pattern instead of the URL: query strings hold names of people and search words.
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const fields = {
      method: request.method,
      route,
      status: reply.statusCode,
      principal: principalOf(request)?.id,
      duration_ms: Math.round(reply.elapsedTime),
    };
    request.log.info(fields, 'request served');
    done();
  });
}

function secureAnswer(reply: FastifyReply): void {
  void reply.headers({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
  });
}
