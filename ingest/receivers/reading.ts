import type { Expanded, ItemUnit } from '../../connectors/drafts/source.ts';
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
  /** Pointers of those that the sequencer will seal as quarantined: an item, a group, or '' for the whole body. */
  readonly quarantinedUnits: readonly string[];
  /** Of a format whose objects may become several records: what each becomes. */
  readonly units?: readonly ItemUnit[];
  readonly reply: Reply;
}

/** The quarantined of a connector's items, where `pointerOf` tells each by its place; a body's only item is the body. */
export function quarantinedUnits(
  expanded: readonly Expanded[],
  pointerOf: (index: number) => string,
): string[] {
  return expanded.flatMap(({ kind }, index) => {
    if (kind !== 'quarantined') return [];
    return [expanded.length === 1 ? '' : pointerOf(index)];
  });
}

export function jsonReply(document: object): Reply {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(document)) };
}
