/**
 * Which key signs which part of a log. The genesis names the first key; a bundle with `next_vkey` is the last one of its
 * key. In: the genesis, and the headers that change the key, in order. Out: the key of a bundle, a checkpoint or a package.
 * Pure.
 */
import type { BundleHeader, LogGenesis } from '../../schemas/bundle.ts';
import { isHeaderSigned, isTakenUp } from './bundle-signature.ts';
import { openCheckpointBy, parseCheckpoint, type Checkpoint } from './checkpoint.ts';
import { parseNote, parseVkey, type VerifierKey } from './note.ts';

/** One key of a log, and where its term begins. */
export interface KeyTerm {
  /** `start_index` of the bundle that names the key in `next_vkey`; undefined for the key of the genesis. */
  readonly rotatedAt: number | undefined;
  readonly vkey: string;
  readonly key: VerifierKey;
  /** Signs packages about the log with a checkpoint in this term. Undefined for the head log, about which there are none. */
  readonly packageKey: string | undefined;
}

/** The keys of a log in the order of their terms. The first is that of the genesis. */
export type KeyHistory = readonly [KeyTerm, ...KeyTerm[]];

/** The members of a header that say whose turn it is. */
export type KeyedHeader = Pick<
  BundleHeader,
  'origin' | 'start_index' | 'leaf_count' | 'tree_size' | 'next_vkey' | 'next_package_key' | 'rotated_at'
>;

/** The history of a log that never changed its key. Undefined where the genesis names no Ed25519 key. */
export function keysOfGenesis({
  vkey,
  package_key: packageKey,
}: Pick<LogGenesis, 'vkey' | 'package_key'>): KeyHistory | undefined {
  const key = parseVkey(vkey);
  return key && [{ rotatedAt: undefined, vkey, key, packageKey }];
}

/** The key of the next bundle. */
export function currentTerm(keys: KeyHistory): KeyTerm {
  return keys.at(-1) ?? keys[0];
}

/** The key that signs the bundle that starts at `start`. The bundle that names a key is signed by the key before it. */
export function termOfBundle(keys: KeyHistory, start: number): KeyTerm {
  return keys.findLast(({ rotatedAt }) => rotatedAt === undefined || rotatedAt < start) ?? keys[0];
}

/**
 * The keys that sign the checkpoint of a size: one, and old and new one, in this order, where a bundle that changes the key
 * ends. Such a bundle holds one leaf.
 */
export function termsOfCheckpoint(keys: KeyHistory, size: number): readonly [KeyTerm, ...KeyTerm[]] {
  const position = keys.findLastIndex(({ rotatedAt }) => rotatedAt === undefined || rotatedAt < size);
  const term = keys[position] ?? keys[0];
  const before = keys[position - 1];
  return before !== undefined && term.rotatedAt === size - 1 ? [before, term] : [term];
}

/**
 * The verifier key that signs packages about the first `size` leaves: that of the newest change below, else that of the
 * genesis.
 */
export function packageKeyAt(keys: KeyHistory, size: number): string | undefined {
  return termsOfCheckpoint(keys, size).at(-1)?.packageKey;
}

/** Name of the key that signs packages about a log; the first line of what it signs, too. */
export function packageKeyName(origin: string): string {
  return `${origin}/evidence-package`;
}

/**
 * In words, why a header does not fit the keys of its log; undefined where it does. Keys behind it may be known or not. Its
 * signature is not looked at. SPEC (archive.md): `rotated_at` names the bundle that named the key. A bundle with `next_vkey`
 * holds one leaf, and the next key has the name of the log and was never a key of it. `next_package_key` stands beside it.
 */
export function rotationProblem(keys: KeyHistory, header: KeyedHeader): string | undefined {
  const { start_index, leaf_count, next_vkey, rotated_at } = header;
  const named = termOfBundle(keys, start_index).rotatedAt;
  if (rotated_at !== named)
    return `says that its key was named ${describe(rotated_at)}, and that was ${describe(named)}`;
  const known = keys.find(({ rotatedAt }) => rotatedAt === start_index);
  const problem = knownProblem(known, header);
  if (problem !== undefined) return problem;
  const before = keys.filter(({ rotatedAt = -1 }) => rotatedAt < start_index);
  if (next_vkey === undefined)
    return header.next_package_key === undefined ? undefined : 'changes the key of packages alone';
  if (leaf_count !== 1) return `changes the key and holds ${String(leaf_count)} leaves`;
  const next = parseVkey(next_vkey);
  if (next?.name !== header.origin) return `changes the key to ${next_vkey}, which is none of this log`;
  // Signature lines tell keys apart by their ids alone.
  const isUsed = before.some(({ key }) => key.keyId === next.keyId);
  if (isUsed) return `changes the key to ${next_vkey}, which was a key of this log before`;
  return packageKeyProblem(before, header);
}

/** A header that is known to change the keys names the same ones again. */
function knownProblem(
  known: KeyTerm | undefined,
  { next_vkey, next_package_key }: KeyedHeader,
): string | undefined {
  if (known === undefined) return undefined;
  if (known.vkey !== next_vkey) return `does not change the key to ${known.vkey}`;
  if (known.packageKey === next_package_key) return undefined;
  return `does not change the key of packages to ${known.packageKey ?? 'none'}`;
}

/**
 * SPEC (archive.md): where the genesis names a package key, each change of key names the next one, which has the name of
 * package keys and was never one of the log. Where it names none, no change does.
 */
function packageKeyProblem(
  before: readonly KeyTerm[],
  { origin, next_package_key: named }: KeyedHeader,
): string | undefined {
  const isPackaged = before[0]?.packageKey !== undefined;
  if (named === undefined) return isPackaged ? 'changes the key and not that of packages' : undefined;
  if (!isPackaged) return 'names a key of packages, and there are none about this log';
  const next = parseVkey(named);
  if (next?.name !== packageKeyName(origin))
    return `changes the key of packages to ${named}, which is none of this log`;
  const isUsed = before.some(({ packageKey = '' }) => parseVkey(packageKey)?.keyId === next.keyId);
  return isUsed ? `changes the key of packages to ${named}, which was one before` : undefined;
}

/** The judgement of the keys of a log on a header. */
export interface HeaderVerdict {
  /** Whether the key whose turn it is signed it. */
  readonly isSigned: boolean;
  /** In words, why a header that is signed does not fit the keys. */
  readonly problem: string | undefined;
}

/**
 * `rotationProblem` with the signatures. SPEC (archive.md): the key of its place signs a header, and the next key, where it
 * names one, signs that too: so both vouch for the genesis and the leaves up to there.
 */
export function judgeHeader(keys: KeyHistory, header: BundleHeader): HeaderVerdict {
  if (!isHeaderSigned(header, termOfBundle(keys, header.start_index).key))
    return { isSigned: false, problem: undefined };
  const problem = rotationProblem(keys, header);
  if (problem !== undefined || isTakenUp(header)) return { isSigned: true, problem };
  return {
    isSigned: true,
    problem: `names ${header.next_vkey ?? 'no key'} as the next key without its signature`,
  };
}

function describe(rotatedAt: number | undefined): string {
  return rotatedAt === undefined ? 'by the genesis' : `by the bundle at ${String(rotatedAt)}`;
}

/** The history after a bundle that `rotationProblem` finds nothing wrong with and whose key signed it. */
export function keysAfter(
  keys: KeyHistory,
  { start_index, next_vkey, next_package_key: packageKey }: KeyedHeader,
): KeyHistory {
  const key = next_vkey === undefined ? undefined : parseVkey(next_vkey);
  if (key === undefined || next_vkey === undefined) return keys;
  return [...keys, { rotatedAt: start_index, vkey: next_vkey, key, packageKey }];
}

/** The checkpoint of a note that all keys of its size signed, else undefined. Lines of other keys are ignored. */
export function openCheckpointOf(keys: KeyHistory, note: string): Checkpoint | undefined {
  const size = sizeOf(note);
  if (size === undefined) return undefined;
  return openCheckpointBy(
    note,
    termsOfCheckpoint(keys, size).map(({ key }) => key),
  );
}

/** As `openCheckpointOf`, where the signature lines are those of these keys alone, in their order. */
export function openExactCheckpoint(keys: KeyHistory, note: string): Checkpoint | undefined {
  const checkpoint = openCheckpointOf(keys, note);
  if (checkpoint === undefined) return undefined;
  const signed = parseNote(note)?.signatures.map(({ name, keyId }) => `${name} ${keyId}`);
  const asked = termsOfCheckpoint(keys, checkpoint.tree_size).map(({ key }) => `${key.name} ${key.keyId}`);
  return signed?.join('\n') === asked.join('\n') ? checkpoint : undefined;
}

/** Whether a note is a head of this log that none of the keys of its size signed, and other keys of that name did. */
export function isOfOtherKey(keys: KeyHistory, note: string): boolean {
  const parsed = parseNote(note);
  const checkpoint = parsed && parseCheckpoint(parsed.text);
  if (parsed === undefined || checkpoint?.origin !== keys[0].key.name) return false;
  const asked = termsOfCheckpoint(keys, checkpoint.tree_size).map(({ key }) => key.keyId);
  const named = parsed.signatures.filter(({ name }) => name === checkpoint.origin);
  return named.length > 0 && named.every(({ keyId }) => !asked.includes(keyId));
}

function sizeOf(note: string): number | undefined {
  const parsed = parseNote(note);
  return parsed && parseCheckpoint(parsed.text)?.tree_size;
}
