import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { QuarantineReason } from '../../schemas/quarantine.ts';
import { MAX_ITEMS, oversizedBody, type DecodedBody, type UnitProblem } from '../wire/decoded-body.ts';
import type { DraftRecord, Expanded, ItemUnit } from './source.ts';

/** Items and quarantined units in the order of the body. */
export function expandDecoded<Item extends { readonly index: number }>(
  envelope: Envelope,
  decoded: DecodedBody<Item>,
  toDraft: (item: Item) => DraftRecord,
): Expanded[] {
  const expanded = new Array<Expanded>(decoded.itemCount);
  for (const item of decoded.items) expanded[item.index] = { kind: 'draft', draft: toDraft(item) };
  if (decoded.problems.length > 0) {
    const cuts = decoded.unitBytes();
    for (const { index, unit_pointer, pointer, reason } of decoded.problems) {
      const bytes = cuts.get(unit_pointer) ?? envelope.body;
      expanded[index] = { kind: 'quarantined', item: { reason, pointer, bytes } };
    }
  }
  return expanded;
}

/** An item with all that becomes of it, and the session that all of it belongs to. */
export interface ExpandedUnit {
  readonly expanded: Expanded[];
  readonly session: string | undefined;
}

export interface ExpandedBody {
  /** In the order of the body; an unsound item is one quarantined record without a session. */
  readonly units: readonly ExpandedUnit[];
  readonly problems: readonly UnitProblem[];
}

/** The same where an item may become several records; each item stands or falls by itself. */
export function expandUnits<Item extends { readonly index: number }>(
  envelope: Envelope,
  decoded: DecodedBody<Item>,
  toUnit: (item: Item) => { readonly drafts: readonly DraftRecord[]; readonly session: string | undefined },
): ExpandedBody {
  const units = new Array<ExpandedUnit>(decoded.itemCount);
  let draftCount = 0;
  for (const item of decoded.items) {
    const { drafts, session } = toUnit(item);
    draftCount += drafts.length;
    if (draftCount > MAX_ITEMS) return expandUnits(envelope, oversizedBody<Item>(envelope.body), toUnit);
    units[item.index] = { expanded: drafts.map((draft) => ({ kind: 'draft', draft })), session };
  }
  const cuts = decoded.problems.length > 0 ? decoded.unitBytes() : new Map<string, Uint8Array>();
  for (const { index, unit_pointer, pointer, reason } of decoded.problems) {
    const item = { reason, pointer, bytes: cuts.get(unit_pointer) ?? envelope.body };
    units[index] = { expanded: [{ kind: 'quarantined', item }], session: undefined };
  }
  return { units, problems: decoded.problems };
}

/** What receivers and splitters need to know of the units of a body. */
export function toItemUnits({ units }: ExpandedBody): ItemUnit[] {
  return units.map(({ expanded, session }) => ({ recordCount: expanded.length, session }));
}

/** The whole body as one quarantined item. */
export function quarantineBody(envelope: Envelope, reason: QuarantineReason, pointer = ''): Expanded[] {
  return [{ kind: 'quarantined', item: { reason, pointer, bytes: envelope.body } }];
}

/**
 * Runs an expansion of a body that a receiver let through. A body that does not decode after all, because another
 * release took it in or the log was restored, is kept as a whole.
 */
export function expandOrQuarantine(envelope: Envelope, expand: () => Expanded[]): Expanded[] {
  try {
    return expand();
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return quarantineBody(envelope, 'body_undecodable');
  }
}
