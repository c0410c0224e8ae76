/** What every receiver does with a request once its own protocol has been read. */
import type { Logger } from 'pino';
import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { EventLog } from '../event-log.ts';
import { toPipelineError } from './answer.ts';
import type { BodyLimits } from './body.ts';
import { createReceiverCounters, type ReceiverCounters } from './counters.ts';
import { repeatedBytes, toEnvelope, toKeyedEnvelopes } from './envelopes.ts';
import type { Reading, Received } from './reading.ts';
import type { Fingerprint } from './redact-text.ts';
import { readWithoutSecrets, redactHeader } from './redact.ts';
import type { IngestRoute } from './routes.ts';
import type { KnownSenders, Sender } from './sender.ts';
import { createShares, type Share, type ShareLimits } from './shares.ts';

export interface IntakeOptions extends KnownSenders {
  readonly eventLog: Pick<EventLog, 'append'>;
  /**
   * Whether each envelope holds items of one session only, and says which: for an event log of several partitions.
   * @default false
   */
  readonly splitBySession?: boolean;
  /** What a secret is called once it is taken out of a body. */
  readonly fingerprint: Fingerprint;
  /** Ids of envelopes and requests. */
  readonly newId: () => string;
  readonly logger: Logger;
  /** @default four times `maxInflatedBytes` for all, half of it and 1024 requests for one collector */
  readonly limits: BodyLimits & Partial<ShareLimits>;
  readonly counters?: ReceiverCounters;
}

/** What all receivers of a process share: who may hold how much, and what is counted. */
export interface Intake {
  readonly options: IntakeOptions;
  readonly counters: ReceiverCounters;
  readonly shares: { enter(collector: string, connection: object): Share };
}

const MAX_REQUESTS_PER_COLLECTOR = 1024;
/** Those who share a token with one that sends without waiting keep room. */
const MAX_REQUESTS_PER_CONNECTION = 256;

export function createIntake(options: IntakeOptions): Intake {
  const counters = options.counters ?? createReceiverCounters();
  return { options, counters, shares: createShares(shareLimits(options.limits), counters) };
}

function shareLimits(limits: IntakeOptions['limits']): ShareLimits {
  const maxInFlightBytes = limits.maxInFlightBytes ?? 4 * limits.maxInflatedBytes;
  return {
    maxInFlightBytes,
    maxInFlightPerCollectorBytes: limits.maxInFlightPerCollectorBytes ?? maxInFlightBytes / 2,
    maxRequestsInFlightPerCollector: limits.maxRequestsInFlightPerCollector ?? MAX_REQUESTS_PER_COLLECTOR,
    maxRequestsInFlightPerConnection: limits.maxRequestsInFlightPerConnection ?? MAX_REQUESTS_PER_CONNECTION,
  };
}

/** A request that was read: its body, and who sent it. */
export interface Delivery {
  readonly route: IngestRoute;
  readonly sender: Pick<Sender, 'principal' | 'idempotencyKey' | 'eventName' | 'collectorRun'>;
  readonly contentType: EnvelopeHeader['content_type'];
  readonly receivedAt: string;
  readonly sent: Buffer;
  readonly share: Share;
}

/**
 * Makes envelopes of a request and appends them. Resolves when the event log has them on stable storage. Throws what
 * the route's reader does, and otherwise only what may be sent again.
 */
export async function takeIn({ options, counters }: Intake, delivery: Delivery): Promise<Received> {
  const { route, sent, share } = delivery;
  const stamp = toStamp(options, delivery);
  const toHeader: Reading['toHeader'] = (itemCount) => ({ ...stamp, item_count: itemCount });
  const reading = { body: sent, contentType: delivery.contentType, toHeader };
  const { source } = route;
  const { body, received, mark } = readWithoutSecrets(route.read, reading, { ...options, source });
  // An export without items is a success that leaves nothing to keep.
  if (received.itemCount > 0) {
    const stamped = { stamp: { ...stamp, ...mark }, body, received };
    const { splitBySession = false, newId } = options;
    const envelopes = splitBySession ? toKeyedEnvelopes(stamped, newId) : [toEnvelope(stamped)];
    share.add(repeatedBytes(envelopes, body));
    await append(options.eventLog, envelopes);
  }
  counters.items += received.itemCount;
  counters.quarantinedItems += received.quarantinedUnits.length;
  counters.bytes += sent.length;
  return received;
}

function toStamp(options: IntakeOptions, { route, sender, contentType, receivedAt }: Delivery) {
  return {
    v: 1,
    envelope_id: options.newId(),
    source: route.source,
    receiver: route.url,
    principal: sender.principal,
    received_at: receivedAt,
    content_type: contentType,
    idempotency_key: redactHeader(sender.idempotencyKey, options.fingerprint),
    ...(sender.eventName === undefined ? {} : { event_name: sender.eventName }),
    ...(sender.collectorRun === undefined ? {} : { collector_run: sender.collectorRun }),
  } as const;
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

/** Counts and logs what a sender will be told. */
export function refuse(
  { options, counters }: Intake,
  error: unknown,
  fields: Readonly<Record<string, string>>,
): PipelineError {
  const known = toPipelineError(error);
  counters.refused[known.code] = (counters.refused[known.code] ?? 0) + 1;
  logFailure(options.logger, known, fields);
  return known;
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
