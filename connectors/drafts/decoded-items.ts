/** The items of a decoded body: as drafts for the sequencer, and counted for a receiver. */
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { QuarantineReason } from '../../schemas/quarantine.ts';
import { countUnsound, MAX_ITEMS, oversizedBody, type DecodedBody, type ItemPlace } from '../wire/body.ts';
import type { BodyItem, DraftRecord, Expanded, ReadBody } from './source.ts';

/**
 * Drafts and quarantined items in the order of the body. An item becomes one draft or several, and each item is
 * judged by itself: one on which its source fails is quarantined alone. A body of more than MAX_ITEMS drafts is one
 * quarantined item.
 */
export function expandItems<Item extends { readonly index: number }>(
  envelope: Envelope,
  decoded: DecodedBody<Item>,
  toDrafts: (item: Item) => readonly DraftRecord[],
): Expanded[] {
  const { items, problems } = decoded;
  const expanded: Expanded[] = [];
  const cuts = problems.length > 0 ? decoded.unitBytes() : NO_CUTS;
  let nextProblem = 0;
  const pushProblemsBefore = (index: number): void => {
    for (;;) {
      const problem = problems[nextProblem];
      if (problem === undefined || problem.index >= index) return;
      const { unit_pointer, pointer, reason } = problem;
      const bytes = cuts.get(unit_pointer) ?? envelope.body;
      expanded.push({ kind: 'quarantined', item: { reason, pointer, bytes } });
      nextProblem += 1;
    }
  };
  let draftCount = 0;
  for (const item of items) {
    pushProblemsBefore(item.index);
    const place = () => decoded.placeOf(item);
    const drafts = tryDrafts(item, toDrafts);
    draftCount += drafts?.length ?? 1;
    if (draftCount > MAX_ITEMS) return quarantineBody(envelope, 'body_expands_too_large');
    if (drafts === undefined) expanded.push(quarantineItem(place()));
    else for (const draft of drafts) expanded.push({ kind: 'draft', draft, place });
  }
  pushProblemsBefore(decoded.unitCount);
  return expanded;
}

/** Undefined if the source fails on the item. The error may quote the item, so it is not kept. */
function tryDrafts<Item>(
  item: Item,
  toDrafts: (item: Item) => readonly DraftRecord[],
): readonly DraftRecord[] | undefined {
  try {
    return toDrafts(item);
  } catch {
    return undefined;
  }
}

/** An item that a receiver accepted and that cannot become a record. */
export function quarantineItem({ pointer, bytes }: ItemPlace): Expanded {
  return { kind: 'quarantined', item: { reason: 'body_undecodable', pointer, bytes } };
}

const NO_CUTS: ReadonlyMap<string, Uint8Array> = new Map();

/**
 * How a receiver counts and groups items. Both members must agree with the drafts that `expandItems` gets for the
 * item.
 */
export interface ItemReader<Item> {
  /** How many drafts the item becomes. @default one */
  readonly countOf?: (item: Item) => number;
  readonly sessionOf: (item: Item) => string | undefined;
}

/** Reads the same body for a receiver. Throws nothing. */
export function readItems<Item extends { readonly index: number }>(
  envelope: Envelope,
  decoded: DecodedBody<Item>,
  { countOf, sessionOf }: ItemReader<Item>,
): ReadBody {
  const { items, problems, unitCount } = decoded;
  const itemCount = items.length + countUnsound(problems);
  const counts = countOf === undefined ? undefined : items.map(countOf);
  const draftCount = counts?.reduce((sum, count) => sum + count, 0) ?? items.length;
  if (draftCount > MAX_ITEMS) {
    return readItems(envelope, oversizedBody<Item>(envelope.body, itemCount), { sessionOf });
  }
  return {
    itemCount,
    recordCount: draftCount + problems.length,
    problems,
    items() {
      const read = new Array<BodyItem>(unitCount).fill(UNSOUND);
      items.forEach((item, place) => {
        read[item.index] = { recordCount: counts?.[place] ?? 1, session: sessionOf(item) };
      });
      return read;
    },
    cut: decoded.cut,
  };
}

const UNSOUND: BodyItem = { recordCount: 1, session: undefined };

/** The whole body as one quarantined item. */
export function quarantineBody(envelope: Envelope, reason: QuarantineReason, pointer = ''): Expanded[] {
  return [{ kind: 'quarantined', item: { reason, pointer, bytes: envelope.body } }];
}

/**
 * Runs the expansion of a body that a receiver accepted. A body that does not decode, because another release
 * accepted it or the log was restored, is quarantined as a whole.
 */
export function expandOrQuarantine(envelope: Envelope, expand: () => Expanded[]): Expanded[] {
  try {
    return expand();
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return quarantineBody(envelope, 'body_undecodable');
  }
}
