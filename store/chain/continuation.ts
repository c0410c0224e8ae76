/** The log that a log continues under new keys. In: the member of its genesis. Out: the trusted head. Pure. */
import type { Continuation, LogGenesis } from '../../schemas/bundle.ts';
import type { Facts } from '../../schemas/record.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { parseNote } from './note.ts';

/** The leaves that are trusted of a log; `root_hash` is null where there are none. */
export interface TrustedHead {
  readonly tree_size: number;
  /** Hex. */
  readonly root_hash: string | null;
}

/** A log of records that continues another one. */
export interface ContinuingLog {
  readonly log: string;
  readonly origin: string;
  readonly synthetic: boolean;
  readonly continues: Continuation;
}

/** The trusted head of the log that is continued; undefined where the note is not a head of it. No signature is looked at. */
export function trustedHead({
  origin,
  checkpoint,
}: Pick<Continuation, 'origin' | 'checkpoint'>): TrustedHead | undefined {
  if (checkpoint === undefined) return { tree_size: 0, root_hash: null };
  const note = parseNote(checkpoint);
  const head = note && parseCheckpoint(note.text);
  if (head?.origin !== origin || head.tree_size === 0) return undefined;
  return { tree_size: head.tree_size, root_hash: head.root_hash };
}

/** SPEC (archive.md): a genesis that continues a log names another origin than its own, and a head of that log. */
export function isContinuationSound({
  origin,
  continues,
}: Pick<LogGenesis, 'origin' | 'continues'>): boolean {
  if (continues === undefined) return true;
  return continues.origin !== origin && trustedHead(continues) !== undefined;
}

/** The facts of the record with which such a log begins. */
export function factsOfContinuation(
  continues: Continuation,
): Pick<Facts, 'generation' | 'previous_origin' | 'trusted_tree_size' | 'trusted_root_hash'> {
  const { tree_size = 0, root_hash = null } = trustedHead(continues) ?? {};
  return {
    generation: continues.generation,
    previous_origin: continues.origin,
    trusted_tree_size: tree_size,
    ...(root_hash === null ? {} : { trusted_root_hash: root_hash }),
  };
}

/** For people, on one line. */
export function describeContinuation(continues: Continuation): string {
  const { tree_size = 0, root_hash = null } = trustedHead(continues) ?? {};
  const name = `generation ${String(continues.generation)}, continues ${continues.origin}`;
  if (root_hash === null) return `${name}, of which no record is trusted`;
  return `${name} from its ${String(tree_size)} trusted records on, root ${root_hash}`;
}
