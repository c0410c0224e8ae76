/** Envelopes as messages: the frame is the value, the key keeps a session in its partition, there are no headers. */
import kafkajs, { type KafkaMessage, type Message } from 'kafkajs';
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { decodeEnvelope, encodeEnvelope } from '../framing.ts';

/** One message on its way to a partition. */
export interface Outgoing {
  readonly topic: string;
  readonly partition: number;
  readonly message: Message;
  readonly bytes: number;
}

export interface MessageOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly maxMessageBytes: number;
  readonly keyOf: (envelope: Envelope) => string | null;
}

export type Encode = (envelope: Envelope) => Outgoing;

/** Throws BODY_TOO_LARGE for an envelope that the topic would not take. */
export function createEncoder({ topic, partitions, maxMessageBytes, keyOf }: MessageOptions): Encode {
  const partitionOf = createPartitionOf(topic, partitions);
  return (envelope) => {
    const value = encodeEnvelope(envelope);
    const key = keyOf(envelope) ?? envelope.idempotency_key ?? envelope.envelope_id;
    const bytes = value.length + Buffer.byteLength(key);
    if (bytes > maxMessageBytes) {
      const detail = `an envelope has ${bytes} bytes, the topic takes ${maxMessageBytes}`;
      throw new PipelineError('BODY_TOO_LARGE', detail);
    }
    return { topic, partition: partitionOf(key), message: { key, value }, bytes };
  };
}

/** Murmur2 of the key, as all common clients do it, so that anybody can tell a key's partition. */
function createPartitionOf(topic: string, partitions: number): (key: string) => number {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return (key) => choose({ topic, partitionMetadata, message: { key, value: null } });
}

export type Decoded = { readonly envelope: Envelope } | { readonly unreadable: string };

/** Whoever may write to the topic can put anything there, so what is no envelope is told, not thrown. */
export function decodeMessage({ value, offset }: KafkaMessage): Decoded {
  if (value === null) return { unreadable: 'no value' };
  try {
    const envelope = decodeEnvelope(value, BigInt(offset));
    return isEnvelope(envelope) ? { envelope } : { unreadable: 'header of another version' };
  } catch (error) {
    return { unreadable: error instanceof PipelineError ? error.detail : 'header does not decode' };
  }
}

function isEnvelope(decoded: { readonly v?: unknown; readonly envelope_id?: unknown }): boolean {
  return decoded.v === 1 && typeof decoded.envelope_id === 'string';
}

export interface DeadLetter {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
  readonly reason: string;
}

/** The message as it was found, with where and why. */
export function toDeadLetter(
  deadLetterTopic: string,
  { topic, partition, message, reason }: DeadLetter,
): Outgoing {
  const headers = { reason, topic, partition: String(partition), offset: message.offset };
  const bytes = (message.value?.length ?? 0) + (message.key?.length ?? 0);
  return {
    topic: deadLetterTopic,
    partition: 0,
    message: { key: message.key, value: message.value, headers },
    bytes,
  };
}
