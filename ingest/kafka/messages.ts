/** Envelopes as messages: the frame is the value, the key keeps a session in its partition, there are no headers. */
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { ReadEntry, ReadFrame, Unreadable } from '../frame-reader.ts';
import type { FetchedMessage, OutgoingMessage } from './client.ts';
import { partitionOf } from './partition-of.ts';

export interface MessageOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly maxMessageBytes: number;
  readonly keyOf: (envelope: Envelope) => string | null;
  readonly toFrame: (envelope: Envelope) => Buffer;
}

export type Encode = (envelope: Envelope) => OutgoingMessage;

const NO_HEADERS = {};

/** Throws BODY_TOO_LARGE for an envelope that the topic would not take. */
export function createEncoder({
  topic,
  partitions,
  maxMessageBytes,
  keyOf,
  toFrame,
}: MessageOptions): Encode {
  return (envelope) => {
    const value = toFrame(envelope);
    const key = keyOf(envelope) ?? envelope.idempotency_key ?? envelope.envelope_id;
    const bytes = value.length + Buffer.byteLength(key);
    if (bytes > maxMessageBytes) {
      const detail = `an envelope has ${bytes} bytes, the topic takes ${maxMessageBytes}`;
      throw new PipelineError('BODY_TOO_LARGE', detail);
    }
    return { topic, partition: partitionOf(key, partitions), key, value, headers: NO_HEADERS, bytes };
  };
}

/** Other programs may write to the topic, so a message that holds no envelope is a result and not an error. */
export function readMessage(read: ReadFrame, { value, offset }: FetchedMessage): ReadEntry | Unreadable {
  return value === null ? { unreadable: 'no value' } : read(value, offset);
}

/** A message that holds no envelope, with its place and the reason. */
export interface DeadLetter {
  readonly topic: string;
  readonly partition: number;
  readonly message: FetchedMessage;
  readonly reason: string;
}

/** The message as it was found, with its place and the reason as headers. */
export function toDeadLetter(
  deadLetterTopic: string,
  { topic, partition, message, reason }: DeadLetter,
): OutgoingMessage {
  const { key, value, offset } = message;
  const headers = { reason, topic, partition: String(partition), offset: String(offset) };
  const bytes = (value?.length ?? 0) + (key?.length ?? 0);
  return { topic: deadLetterTopic, partition: 0, key, value, headers, bytes };
}
