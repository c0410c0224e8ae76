/** Who posts to the receivers: new records, and again what they sent before, in the same or in another grouping. */
import { partitionOf } from '../../ingest/kafka/partition-of.ts';
import { pickWeighted } from './choices.ts';
import type { Lane } from './lane.ts';
import type { World } from './world.ts';

/** No run has more. */
const MAX_RECORDS = 24;
const SESSIONS = 8;

interface Posting {
  readonly kind: string;
  readonly records: readonly number[];
}

/** One request of one session, and what its sender hears of it. */
export function send(world: World): void {
  const { choices, coverage } = world;
  const lane = laneOfSession(world);
  const { judge, partition } = lane;
  const { kind, records } = choosePosting(world, lane);
  if (records.length === 0) return;
  lane.sent.push(records);
  // What a power loss may take.
  const unanswered = world.disk === undefined ? 30 : 80;
  const outcomes = [
    { what: 'acknowledged', weight: 226 - unanswered },
    { what: 'not kept', weight: 30 },
    { what: 'kept, unanswered', weight: unanswered },
  ] as const;
  const chosen = pickWeighted<(typeof outcomes)[number]['what']>(choices.byte(), outcomes);
  const outcome = partition.isReceiving() ? chosen : 'not kept';
  coverage.count(`${kind}, ${outcome}`);
  world.say(`a sender posts records ${records.join(' ')}: ${outcome}`);
  const isForgotten = world.mutant === 'append_not_kept' && choices.byte() >= 192;
  const skip = choices.byte() >= 208 ? 1 + choices.below(3) : 0;
  const isAcknowledged = outcome === 'acknowledged';
  if (outcome !== 'not kept' && !isForgotten) partition.append(records, { skip, isAcknowledged });
  if (outcome === 'acknowledged') for (const n of records) judge.acknowledged.add(n);
  if (choices.byte() < 236 || !partition.isReceiving()) return;
  partition.appendDead();
  coverage.count('dead letter');
  world.say('another program writes to the event log');
}

/** As receivers choose: all that a session sends goes into one partition. */
function laneOfSession({ lanes, choices }: World): Lane {
  if (lanes.length === 1) return lanes[0];
  return lanes[partitionOf(`session ${choices.below(SESSIONS)}`, lanes.length)] ?? lanes[0];
}

function choosePosting({ choices, lanes }: World, { sent }: Lane): Posting {
  const next = Math.max(-1, ...lanes.flatMap((lane) => lane.sent.flat())) + 1;
  const fresh = Array.from({ length: 1 + choices.below(3) }, (_, n) => next + n);
  const earlier = sent[choices.below(Math.max(sent.length, 1))] ?? [];
  if (next > MAX_RECORDS) return { kind: 'sent again', records: earlier };
  return pickWeighted<Posting>(choices.byte(), [
    { what: { kind: 'sent', records: fresh }, weight: 150 },
    { what: { kind: 'sent again', records: earlier }, weight: 56 },
    { what: { kind: 'sent in another grouping', records: [...earlier.slice(-1), ...fresh] }, weight: 50 },
  ]);
}
