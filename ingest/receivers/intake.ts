/** The steps that all receivers share, once the protocol of a request has been read. */
import type { Logger } from 'pino';
import type { Reply } from '../../connectors/drafts/answers.ts';
import type { Source } from '../../connectors/drafts/source.ts';
import { SOURCES } from '../../connectors/sources/index.ts';
import type { Envelope, EnvelopeHeader } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { EventLog } from '../event-log.ts';
import { toPipelineError } from './answer.ts';
import type { BodyLimits } from './body.ts';
import { createReceiverCounters, type ReceiverCounters } from './counters.ts';
import { repeatedBytes, toEnvelope, toKeyedEnvelopes } from './envelopes.ts';
import type { Fingerprint } from './redact-text.ts';
import { readWithoutSecrets, redactHeader } from './redact.ts';
import type { KnownSenders, Sender } from './sender.ts';
import { createShares, type Share, type ShareLimits } from './shares.ts';

export interface IntakeOptions extends KnownSenders {
  /** The outside systems that may send. @default all that are known */
  readonly sources?: readonly Source[];
  readonly eventLog: Pick<EventLog, 'append'>;
  /**
   * Whether each envelope holds items of one session only, and says which: for an event log of several partitions.
   * @default false
   */
  readonly splitBySession?: boolean;
  /** The name that stands in a body where a secret was. */
  readonly fingerprint: Fingerprint;
  /** Ids of envelopes and requests. */
  readonly newId: () => string;
  readonly logger: Logger;
  /** @default four times `maxInflatedBytes` for all, half of it and 1024 requests for one collector */
  readonly limits: BodyLimits & Partial<ShareLimits>;
  readonly counters?: ReceiverCounters;
}

/** All receivers of a process share these: sources, counters, and limits of what a sender may hold. */
export interface Intake {
  readonly options: IntakeOptions;
  readonly sources: readonly Source[];
  readonly counters: ReceiverCounters;
  readonly shares: { enter(collector: string, connection: object): Share };
}

/** Requests of one collector between their credential and their answer. */
const MAX_REQUESTS_PER_COLLECTOR = 1024;
/** Of these, the requests of one connection: other senders with the same token keep room. */
const MAX_REQUESTS_PER_CONNECTION = 256;

export function createIntake(options: IntakeOptions): Intake {
  const counters = options.counters ?? createReceiverCounters();
  const shares = createShares(shareLimits(options.limits), counters);
  return { options, sources: options.sources ?? SOURCES, counters, shares };
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

/** A request whose body has arrived, and who sent it. */
export interface Request {
  readonly source: Source;
  readonly sender: Pick<Sender, 'collector' | 'idempotencyKey' | 'eventName' | 'collectorRun'>;
  readonly contentType: EnvelopeHeader['content_type'];
  readonly receivedAt: string;
  readonly sent: Buffer;
  readonly share: Share;
}

/**
 * Makes envelopes of a request and appends them. Resolves with the answer when the event log has them on stable storage.
 * Throws the errors of the source, and otherwise only those after which the request may be sent again.
 */
export async function takeIn({ options, counters }: Intake, request: Request): Promise<Reply> {
  const { source, sent } = request;
  const { envelopes, reply, recordCount, quarantinedCount } = prepare(options, request);
  // An export without items is a success that leaves nothing to keep.
  if (envelopes.length > 0) await append(options.eventLog, envelopes);
  counters.items += recordCount;
  counters.quarantinedItems += quarantinedCount;
  counters.bytes += sent.length;
  counters.itemsBySource[source.name] = (counters.itemsBySource[source.name] ?? 0) + recordCount;
  return reply;
}

interface Prepared {
  readonly envelopes: readonly Envelope[];
  readonly reply: Reply;
  readonly recordCount: number;
  readonly quarantinedCount: number;
}

/** Nothing of the parsed body outlives this function, so that no parsed body is held while the event log writes. */
function prepare(options: IntakeOptions, request: Request): Prepared {
  const { source, contentType, share } = request;
  const { splitBySession = false, newId, fingerprint } = options;
  const arrived = toArrived(options, request);
  const { body, read, mark } = readWithoutSecrets(source, arrived, fingerprint);
  const reply = source.answer.toReply(read, contentType);
  const { recordCount, problems } = read;
  const counts = { recordCount, quarantinedCount: problems.length };
  if (recordCount === 0) return { envelopes: [], reply, ...counts };
  const stamped = { stamp: mark === undefined ? arrived : { ...arrived, redacted: mark }, body, read };
  const envelopes = splitBySession ? toKeyedEnvelopes(stamped, newId) : [toEnvelope(stamped)];
  share.add(repeatedBytes(envelopes, body));
  return { envelopes, reply, ...counts };
}

/** The request as an envelope whose body was not read yet. */
function toArrived(options: IntakeOptions, request: Request): Envelope {
  const { source, sender, contentType, receivedAt, sent } = request;
  const { collectorRun: collector_run } = sender;
  const event_name = redactHeader(sender.eventName, options.fingerprint);
  const arrived: Envelope = {
    v: 1,
    envelope_id: options.newId(),
    source: source.name,
    receiver: source.route,
    principal: sender.collector,
    received_at: receivedAt,
    content_type: contentType,
    item_count: 0,
    idempotency_key: redactHeader(sender.idempotencyKey, options.fingerprint),
    body: sent,
  };
  const named = event_name === undefined ? arrived : { ...arrived, event_name };
  return collector_run === undefined ? named : { ...named, collector_run };
}

/**
 * If an append fails, nothing was acknowledged and the same request may be sent again. So the answer is never a 500. A
 * request that the event log can never take is refused for good, or its sender would send it for ever.
 */
async function append(eventLog: Pick<EventLog, 'append'>, envelopes: readonly Envelope[]): Promise<void> {
  try {
    await eventLog.append(envelopes);
  } catch (error) {
    const isKnown = error instanceof PipelineError;
    if (isKnown && (error.retry === 'later' || error.code === 'BODY_TOO_LARGE')) throw error;
    throw new PipelineError('LOG_UNAVAILABLE', 'the event log did not take the request', { cause: error });
  }
}

/** Counts and logs a refusal that the sender will get. */
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
