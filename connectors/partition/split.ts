import type { EnvelopeHeader, EnvelopeSource } from '../../schemas/envelope.ts';
import { collectorKey, sessionKey } from '../../schemas/envelope.ts';
import type { OtlpSignal } from '../wire/otlp/descriptor.ts';
import type { ItemUnit } from '../drafts/source.ts';
import { openMembers } from '../drafts/members.ts';
import { skipSpace } from './json-bytes.ts';
import { openNative, readMember } from './native-pieces.ts';
import { openOtlpJson, readJsonPairs } from './otlp-json.ts';
import { openOtlpProtobuf, readProtobufPairs } from './otlp-protobuf.ts';
import { createOtlpUnits } from './otlp-units.ts';
import { divide, surveyPieces, type Holder } from './pieces.ts';

/** A body as its receiver has read it. */
export interface BodyToSplit extends Pick<EnvelopeHeader, 'source' | 'content_type' | 'principal'> {
  /** As the receiver counted. */
  readonly itemCount: number;
  readonly body: Buffer;
  /** Pointers of the items and groups of it that will be sealed as quarantined; '' for the body as a whole. */
  readonly quarantinedUnits: readonly string[];
  /** Of a format whose objects may become several records: what each becomes. */
  readonly units?: readonly ItemUnit[] | undefined;
}

/** What of a body goes by one key. */
export interface BodyPart {
  readonly key: string;
  readonly body: Buffer;
  readonly itemCount: number;
}

/**
 * What the parts of one body may have more than the body, by repeating resource and scope. Little enough for one append,
 * and for the memory of a receiver.
 */
export const MAX_REPEATED_BYTES = 16 * 1024 * 1024;

/**
 * Splits a body by session, so that each item goes by the same key in whatever grouping it is delivered: the session
 * that its record will have, or the collector where it has none or will be sealed as quarantined. Parts come in the
 * order in which their keys first appear; the items of a part keep their order and their own bytes, and what stands
 * around an item (resource, scope, metric, members unknown here) is repeated in each part that has need of it.
 *
 * A body of one key is its only part, the same buffer. So is a hook's, which is one event however many calls it tells
 * of. A body stays whole, under its collector's key, where it will be quarantined as a whole, where its parts would
 * repeat more than MAX_REPEATED_BYTES, and where the pieces found are not as many as the receiver counted.
 *
 * Pure; throws nothing for a body that its receiver has read.
 */
export function splitBySession(split: BodyToSplit): readonly BodyPart[] {
  const { body, principal, quarantinedUnits } = split;
  const whole = (key: string): BodyPart[] => [{ key, body, itemCount: split.itemCount }];
  if (quarantinedUnits.includes('')) return whole(collectorKey(principal));
  if (split.source === 'claude-code-hook') return whole(hookKey(split));
  const opened = open(split, split.source);
  if (opened === undefined) return whole(collectorKey(principal));
  const { keys, itemCount } = surveyPieces(opened);
  const [firstKey] = keys;
  if (itemCount !== split.itemCount || firstKey === undefined) return whole(collectorKey(principal));
  if (keys.size === 1) return whole(firstKey);
  const shares = [...divide(opened, firstKey)];
  const bytes = shares.reduce((sum, [, { chunks }]) => sum + byteCount(chunks), 0);
  if (bytes > body.length + MAX_REPEATED_BYTES) return whole(collectorKey(principal));
  return shares.map(([key, share]) => ({
    key,
    body: Buffer.concat(share.chunks),
    itemCount: share.itemCount,
  }));
}

function byteCount(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/** What the body says; the calls of a batch belong to the session of their batch. */
function hookKey({ body, principal }: BodyToSplit): string {
  const session_id = readMember(body, skipSpace(body, 0), 'session_id') ?? null;
  const session = openMembers({ session_id }).text('session_id');
  return session === undefined ? collectorKey(principal) : sessionKey(session);
}

function open(split: BodyToSplit, source: Exclude<EnvelopeSource, 'claude-code-hook'>): Holder | undefined {
  switch (source) {
    case 'otlp-logs':
      return openOtlp('logs', split);
    case 'otlp-metrics':
      return openOtlp('metrics', split);
    case 'otlp-traces':
      return openOtlp('traces', split);
    default:
      return openNative(split);
  }
}

function openOtlp(
  signal: OtlpSignal,
  { content_type, body, principal, quarantinedUnits, units }: BodyToSplit,
): Holder | undefined {
  const options = { principal, unsound: new Set(quarantinedUnits), units };
  return content_type === 'application/x-protobuf'
    ? openOtlpProtobuf(signal, body, createOtlpUnits(options, readProtobufPairs))
    : openOtlpJson(signal, body, createOtlpUnits(options, readJsonPairs));
}
