/** Identifies the sender of a request: by bearer token before the body is read, or by a proof over the body. */
import type { IncomingHttpHeaders } from 'node:http';
import { findSecrets } from '../../connectors/detect/secrets.ts';
import type { Source } from '../../connectors/drafts/source.ts';
import type { Clock } from '../../schemas/clock.ts';
import { CollectorRun } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { VerifyToken } from '../../schemas/principal.ts';
import { compileValidator } from '../../schemas/validate.ts';

/** Characters of an Idempotency-Key header. */
const MAX_IDEMPOTENCY_KEY = 256;
const checkRun = compileValidator(CollectorRun);

export interface Sender {
  /** The id of the collector that the credential belongs to. */
  readonly collector: string;
  readonly idempotencyKey: string | null;
  /** The name of the event, if a header gives it. */
  readonly eventName: string | undefined;
  /** The sender's own count of its deliveries. */
  readonly collectorRun?: CollectorRun | undefined;
  /** To be called with the body before the body is parsed; throws if the body is not the sender's. */
  readonly requireGenuine: (body: Uint8Array) => void;
}

/** Secrets of each platform that sends webhooks. A platform has several while one secret replaces another. */
export type WebhookSecrets = Readonly<Partial<Record<string, readonly string[]>>>;

export interface KnownSenders {
  readonly verifyToken: VerifyToken;
  readonly webhookSecrets?: WebhookSecrets;
  readonly clock: Clock;
}

/**
 * Throws AUTH_MISSING, AUTH_INVALID or AUTH_FORBIDDEN; of a webhook WEBHOOK_NOT_CONFIGURED or WEBHOOK_UNSIGNED;
 * PARAMETER_INVALID for a malformed header.
 */
export function identifySender(
  headers: IncomingHttpHeaders,
  { proof, otlp }: Pick<Source, 'proof' | 'otlp'>,
  { verifyToken, webhookSecrets = {}, clock }: KnownSenders,
): Sender {
  if (proof === 'bearer') {
    return {
      collector: collectorOf(headers, verifyToken),
      idempotencyKey: otlp === undefined ? idempotencyKeyOf(headers) : null,
      eventName: undefined,
      collectorRun: collectorRunOf(headers),
      requireGenuine: () => undefined,
    };
  }
  const { platform, open } = proof;
  const secrets = webhookSecrets[platform] ?? [];
  if (secrets.length === 0) {
    throw new PipelineError('WEBHOOK_NOT_CONFIGURED', `no secret is known for webhooks of ${platform}`);
  }
  const { id, eventName, requireGenuine } = open(headers, secrets, clock());
  // The name of a collector cannot contain a colon, so this id belongs to no collector.
  return { collector: `webhook:${platform}`, idempotencyKey: id, eventName, requireGenuine };
}

function collectorOf(headers: IncomingHttpHeaders, verifyToken: VerifyToken): string {
  // Some exporters decode the percent signs of a configured header value and some send them unchanged.
  const token = /^Bearer(?: +|%20)([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (token === undefined) throw new PipelineError('AUTH_MISSING', 'the request carries no bearer token');
  const principal = verifyToken(token);
  if (principal === undefined) throw new PipelineError('AUTH_INVALID', 'the bearer token is not known');
  if (principal.role !== 'collector') {
    throw new PipelineError('AUTH_FORBIDDEN', 'sending needs the collector role; use a collector token');
  }
  return principal.id;
}

const BOOT_HEADER = 'affidavit-collector-boot';
const SEQUENCE_HEADER = 'affidavit-collector-sequence';

function collectorRunOf(headers: IncomingHttpHeaders): CollectorRun | undefined {
  const { [BOOT_HEADER]: boot_id, [SEQUENCE_HEADER]: sequence } = headers;
  if (boot_id === undefined && sequence === undefined) return undefined;
  const run = checkRun({ boot_id, sequence: Number(sequence) });
  // The header that names a run has no room for a mark.
  if (run.ok && findSecrets(run.value.boot_id).length === 0) return run.value;
  const detail = `${BOOT_HEADER} names a run, and ${SEQUENCE_HEADER} counts from 1 in it`;
  throw new PipelineError('PARAMETER_INVALID', detail, { place: BOOT_HEADER });
}

function idempotencyKeyOf(headers: IncomingHttpHeaders): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined || key === '') return null;
  if (typeof key === 'string' && key.length <= MAX_IDEMPOTENCY_KEY) return key;
  const detail = `the Idempotency-Key header has more than ${MAX_IDEMPOTENCY_KEY} characters`;
  throw new PipelineError('PARAMETER_INVALID', detail, { place: 'Idempotency-Key' });
}
