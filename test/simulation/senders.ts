/** Who posts to the receivers: new records, and again what they sent before, in the same or in another grouping. */
import { pickWeighted } from './choices.ts';
import type { World } from './world.ts';

/** No run has more. */
const MAX_RECORDS = 24;

interface Posting {
  readonly kind: string;
  readonly records: readonly number[];
}

/** One request, and what its sender hears of it. */
export function send(world: World): void {
  const { choices, judge, sent, coverage } = world;
  const { kind, records } = choosePosting(world);
  if (records.length === 0) return;
  sent.push(records);
  const outcomes = [
    { what: 'acknowledged', weight: 196 },
    { what: 'not kept', weight: 30 },
    { what: 'kept, unanswered', weight: 30 },
  ] as const;
  const chosen = pickWeighted<(typeof outcomes)[number]['what']>(choices.byte(), outcomes);
  const outcome = world.partition.isReceiving() ? chosen : 'not kept';
  coverage.count(`${kind}, ${outcome}`);
  world.say(`a sender posts records ${records.join(' ')}: ${outcome}`);
  const isForgotten = world.mutant === 'append_not_kept' && choices.byte() >= 192;
  const skip = choices.byte() >= 208 ? 1 + choices.below(3) : 0;
  const isAcknowledged = outcome === 'acknowledged';
  if (outcome !== 'not kept' && !isForgotten) world.partition.append(records, { skip, isAcknowledged });
  if (outcome === 'acknowledged') for (const n of records) judge.acknowledged.add(n);
}

function choosePosting({ choices, sent }: World): Posting {
  const next = Math.max(-1, ...sent.flat()) + 1;
  const fresh = Array.from({ length: 1 + choices.below(3) }, (_, n) => next + n);
  const earlier = sent[choices.below(Math.max(sent.length, 1))] ?? [];
  if (next > MAX_RECORDS) return { kind: 'sent again', records: earlier };
  return pickWeighted<Posting>(choices.byte(), [
    { what: { kind: 'sent', records: fresh }, weight: 150 },
    { what: { kind: 'sent again', records: earlier }, weight: 56 },
    { what: { kind: 'sent in another grouping', records: [...earlier.slice(-1), ...fresh] }, weight: 50 },
  ]);
}
