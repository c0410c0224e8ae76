import type { EnvelopeHeader } from '../../schemas/envelope.ts';

/** A body that was read, with what its route knows of it. */
export interface Reading {
  readonly body: Buffer;
  readonly contentType: EnvelopeHeader['content_type'];
  /** Stamps the body; for readers that ask a connector what would become of it. */
  readonly toHeader: (itemCount: number) => EnvelopeHeader;
}

export interface Reply {
  readonly contentType: string;
  readonly body: Buffer;
}

/** What a body turned out to be. Its reply is sent only once the envelope is durable. */
export interface Received {
  readonly itemCount: number;
  /** Of these, items that the sequencer will seal as quarantined. */
  readonly quarantinedCount: number;
  readonly reply: Reply;
}

export function jsonReply(document: object): Reply {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(document)) };
}
