/**
 * Defects that are planted on purpose: the simulation must find each of them, or it finds nothing. They sit in the
 * models or around the ports; the code under test stays as it is.
 */
import { isSealable } from '../../schemas/sealable.ts';
import type { Ledger } from '../../store/ledger/ledger.ts';
import type { Projection } from '../../store/ledger/projection.ts';

export const MUTANTS = {
  acknowledged_before_published: 'the event log is acknowledged as soon as the bundle is created',
  archive_overwrites: 'the archive takes other bytes under a key that exists',
  rows_inserted_blindly: 'the record store inserts by token alone, without looking at what is there',
  lost_race_ignored: 'a sequencer that lost the race for a bundle goes on as if it had won',
  guard_ignored: 'nobody remembers which heads were signed when an older archive comes back',
  rows_not_asked_for_ids: 'ids that were sealed before the start count as new until the table is filled',
  seen_ids_not_followed: 'the ids of a bundle are not known once it is sealed',
  offset_ahead: 'the sequencer begins to read one envelope too late',
  position_not_sealed: 'a batch that yields no new record moves the position without a bundle',
  log_without_id: 'nobody notices that the event log was lost and an empty one has its name',
  dead_letters_untold: 'the position moves behind entries without an envelope, and no count says so',
  invalid_passed_over: 'a batch with a record that is not of its schema is acknowledged and not sealed',
  append_not_kept: 'an envelope is acknowledged to its sender and not kept',
  clock_waited_for: 'a log that was sealed ahead of its time is refused until that time has come',
  clock_trusted: 'a clock that is months ahead seals by its time',
  clock_step_unreported: 'bundles are sealed behind the time of the log, and nobody hears of it',
  folder_unflushed: 'a put is answered before the name of the object is flushed',
  existing_unflushed: 'a put that finds its bytes is answered before their name is flushed',
  bad_partition_stops_all: 'a process whose partition is parked gives up all its partitions',
  other_partition_read: 'a sequencer reads the event log of another partition',
  other_offset_read: 'a sequencer goes on where the log of another partition ends',
  received_before_settled: 'receivers append after a power loss before the log is in line with the ledger',
  known_head_unflushed: 'the head guard answers for a head that it finds before that is flushed',
} as const;

/** What the protocol does not withstand, and what is therefore left out of the runs unless it is asked for. */
export const LIMITS = {
  slept_beyond_window: 'a statement arrives when the engine has forgotten the token of its rows',
  restored_under_insert: 'an older copy of the record store is restored between two statements of an insert',
  older_archive_elsewhere: 'an older copy of the archive is restored where the newest head was not signed',
} as const;
export type Mutant = keyof typeof MUTANTS | keyof typeof LIMITS;

/** The ledger as the sequencer gets to see it. */
export function mutateLedger(ledger: Ledger, mutant: Mutant | undefined): Ledger {
  if (mutant === 'acknowledged_before_published')
    return {
      ...ledger,
      append: async (batch) => {
        await ledger.append(batch);
        return { published: Promise.resolve() };
      },
    };
  if (mutant === 'invalid_passed_over')
    return {
      ...ledger,
      append: (batch) =>
        batch.records.every(isSealable)
          ? ledger.append(batch)
          : Promise.resolve({ published: Promise.resolve() }),
    };
  if (mutant === 'position_not_sealed')
    return {
      ...ledger,
      append: (batch) =>
        batch.records.every(({ type }) => type === 'ingest.counted')
          ? Promise.resolve({ published: Promise.resolve() })
          : ledger.append(batch),
    };
  if (mutant === 'offset_ahead') {
    const nextOffset = () => ledger.nextOffset() + (ledger.treeSize() > 0 ? 1n : 0n);
    return { ...ledger, nextOffset };
  }
  return ledger;
}

/** The seen ids as the ledger gets to see them. */
export function mutateSeenIds(seenIds: Projection, mutant: Mutant | undefined): Projection {
  if (mutant !== 'seen_ids_not_followed') return seenIds;
  return { ...seenIds, apply: () => Promise.resolve() };
}
