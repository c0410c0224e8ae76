/** Delivers the items of one request, and finds the refused items in it. */
import type { CollectedBody, Delivered, Delivery } from '../send/delivery.ts';

/** Counts of acknowledged requests and their items. */
export interface DeliveryCounts {
  requests: number;
  accepted: number;
  quarantined: number;
}

export interface ItemsTarget {
  readonly delivery: Delivery;
  /** Route to post to. */
  readonly path: string;
  /** Every delivery adds to them. */
  readonly counts: DeliveryCounts;
}

export type Refused = Extract<Delivered, { readonly kind: 'refused' }>;

/** `given_up`: `onRefused` returned false. */
export type ItemsEnd = 'done' | 'stopped' | 'given_up';

/**
 * Delivers lines, each with its end, as one request. If it is refused, each half is sent again, until every refused line
 * is alone. `onRefused` gets the index of each refused line and returns whether to continue.
 */
export async function deliverItems(
  target: ItemsTarget,
  lines: readonly Buffer[],
  onRefused: (index: number, answer: Refused) => boolean,
): Promise<ItemsEnd> {
  const sent = lines.filter((line) => !isBlankLine(line));
  if (sent.length === 0) return 'done';
  const bytes = new Uint8Array(Buffer.concat(sent));
  const answer = await deliverBody(target, { contentType: 'application/x-ndjson', bytes });
  if (answer.kind === 'accepted') return 'done';
  if (answer.kind === 'stopped') return 'stopped';
  if (lines.length === 1) return onRefused(0, answer) ? 'done' : 'given_up';
  const middle = Math.ceil(lines.length / 2);
  const first = await deliverItems(target, lines.slice(0, middle), onRefused);
  if (first !== 'done') return first;
  return deliverItems(target, lines.slice(middle), (index, refused) => onRefused(middle + index, refused));
}

/** Posts a body and counts its accepted items. */
export async function deliverBody(
  { delivery, path, counts }: ItemsTarget,
  body: CollectedBody,
): Promise<Delivered> {
  const answer = await delivery.post(path, body);
  if (answer.kind !== 'accepted') return answer;
  counts.requests += 1;
  counts.accepted += answer.accepted;
  counts.quarantined += answer.quarantined;
  return answer;
}

const BLANK: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));

/** A line of spaces does not hold an item. */
function isBlankLine(line: Buffer): boolean {
  return line.every((byte) => BLANK.has(byte));
}
