/**
 * Watches a run: what was appended, acknowledged, created, signed and published, each at the moment when it takes
 * effect. Keeps the first thing that must not be; `final-checks.ts` looks at what is left in the end.
 */
import type { BundleHeader } from '../../schemas/bundle.ts';
import { isOwnInstant } from '../../schemas/clock.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { parseCheckpoint } from '../../store/chain/checkpoint.ts';
import { parseKey } from '../../store/chain/layout.ts';
import {
  leafHash,
  appendLeaves,
  chainHash,
  chainStart,
  frontierRoot,
  type Frontier,
} from '../../store/chain/merkle.ts';
import { parseNote } from '../../store/chain/note.ts';
import { parseShape } from '../../store/verify/shape.ts';
import { MAX_CLOCK_AHEAD_MS, numberOf, RECEIVED_MS } from './subject.ts';

export type Fault =
  | 'fork'
  | 'gap'
  | 'lost'
  | 'twice'
  | 'invented'
  | 'double_signed'
  | 'early_ack'
  | 'early_checkpoint'
  | 'false_alarm'
  | 'not_recovered'
  | 'far_ahead'
  | 'unreported'
  | 'vanished'
  | 'invalid'
  | 'damaged';

export interface Finding {
  readonly fault: Fault;
  readonly detail: string;
}

/** The log after one of its bundles. */
export interface Step {
  readonly treeSize: number;
  readonly root: string;
  readonly frontier: Frontier;
  readonly chain: Uint8Array;
  readonly nextOffset: bigint;
  readonly eventLog: string | undefined;
  readonly integratedAtMs: number;
}

const NOTHING: Step = {
  treeSize: 0,
  root: hex(frontierRoot([])),
  frontier: [],
  chain: chainStart(),
  nextOffset: 0n,
  eventLog: undefined,
  integratedAtMs: 0,
};

export interface Judge {
  readonly finding: () => Finding | undefined;
  find(fault: Fault, detail: string): void;
  readonly appended: Set<number>;
  /** What was lost together with an event log, and not sent again since. */
  readonly lostWithLog: Set<number>;
  readonly acknowledged: Set<number>;
  /** Numbers of the sealed records, in log order. */
  readonly sealed: readonly number[];
  readonly head: () => Step;
  readonly steps: readonly Step[];
  /** Size of the newest checkpoint that is visible. */
  readonly publishedSize: () => number;
  bundleCreated(bytes: Uint8Array): void;
  /** Whether it is a head of the log, as checkpoints are, and no header of a bundle. */
  signed(message: Uint8Array): boolean;
  checkpointCreated(note: string, isQueryable: (from: number, to: number) => boolean): void;
  /** Somebody was told that the object is durable. */
  objectPromised(key: string): void;
  /** A power loss took an object. */
  objectVanished(key: string): void;
  /** The event log was told that it may forget these records. */
  eventLogAcknowledged(records: readonly number[]): void;
}

/** The first thing that must not be, in whichever log. */
export interface Findings {
  first: Finding | undefined;
}

/** Of one log. Judges of several logs share their findings. */
export function createJudge(findings: Findings = { first: undefined }): Judge {
  const find = (fault: Fault, detail: string) => void (findings.first ??= { fault, detail });
  const steps: Step[] = [];
  const sealed: number[] = [];
  const places = new Map<number, number>();
  /** Ids of the leaves that the program made itself, each at its place. */
  const ownIds = new Map<string, number>();
  const signedRoots = new Map<number, string>();
  const promised = new Set<string>();
  let promisedSize = 0;
  /** Sizes of the checkpoints that are visible, rising. */
  const published: number[] = [];
  const publishedSize = () => published.at(-1) ?? 0;
  const head = () => steps.at(-1) ?? NOTHING;
  const appended = new Set<number>();

  function leafSealed(leafText: string): Uint8Array {
    const leaf = parseShape(Leaf, leafText);
    if (leaf === undefined || !isOwnInstant(leaf.received_at))
      find('invalid', `leaf ${sealed.length} is not of its schema`);
    const { id, source } = JSON.parse(leafText) as { id: string; source: string };
    const n = numberOf(id);
    if (source === 'affidavit') {
      if (ownIds.has(id)) find('twice', `the program's own record ${id} is sealed twice`);
      ownIds.set(id, sealed.length);
    } else if (n === undefined || !appended.has(n))
      find('invented', `leaf ${sealed.length} was never appended`);
    else if (places.has(n)) find('twice', `record ${n} is sealed at ${places.get(n)} and ${sealed.length}`);
    else places.set(n, sealed.length);
    sealed.push(n ?? -1);
    return leafHash(Buffer.from(leafText));
  }

  /** The newest bundle may go while nothing rests on it: then the log ends where it ended before. */
  function bundleVanished(start: number): void {
    steps.pop();
    const { treeSize } = head();
    if (treeSize !== start || publishedSize() > start)
      find('gap', `the bundle at ${start} vanished from below what was published`);
    sealed.length = treeSize;
    forgetFrom(places, treeSize);
    forgetFrom(ownIds, treeSize);
  }

  return {
    finding: () => findings.first,
    find,
    appended,
    lostWithLog: new Set(),
    acknowledged: new Set(),
    sealed,
    head,
    steps,
    publishedSize,
    bundleCreated(bytes) {
      const { headerText, leafTexts } = decodeBundle(bytes);
      const header = JSON.parse(headerText) as BundleHeader;
      const before = head();
      if (header.start_index < before.treeSize) {
        find('fork', `a second bundle begins at ${header.start_index}, the log ends at ${before.treeSize}`);
        return;
      }
      if (header.start_index > before.treeSize) {
        find('gap', `a bundle begins at ${header.start_index}, the log ends at ${before.treeSize}`);
        return;
      }
      const after = grow(before, leafTexts.map(leafSealed), header);
      const wrong = differenceOf(after, header, before);
      if (wrong !== undefined) find('fork', `the bundle at ${header.start_index} has another ${wrong}`);
      const known = Math.max(before.integratedAtMs, RECEIVED_MS);
      // An empty log whose first batch holds no record that a receiver took has nothing to compare a clock with.
      const isComparable = before.treeSize > 0 || sealed.some((n) => n >= 0);
      if (isComparable && after.integratedAtMs - known > MAX_CLOCK_AHEAD_MS)
        find('far_ahead', `the bundle at ${header.start_index} says ${header.integrated_at}`);
      steps.push(after);
    },
    signed(message) {
      const checkpoint = parseCheckpoint(Buffer.from(message).toString());
      if (checkpoint === undefined) return false;
      const known = signedRoots.get(checkpoint.tree_size);
      if (known !== undefined && known !== checkpoint.root_hash)
        find('double_signed', `two roots are signed at size ${checkpoint.tree_size}`);
      signedRoots.set(checkpoint.tree_size, checkpoint.root_hash);
      return true;
    },
    checkpointCreated(note, isQueryable) {
      const checkpoint = parseCheckpoint(parseNote(note)?.text ?? '');
      const step = steps.find(({ treeSize }) => treeSize === checkpoint?.tree_size);
      if (checkpoint === undefined || step?.root !== checkpoint.root_hash) {
        find('fork', `the checkpoint of size ${checkpoint?.tree_size ?? -1} is on no bundle of the log`);
        return;
      }
      if (checkpoint.tree_size <= publishedSize())
        find('fork', `size ${checkpoint.tree_size} is published after size ${publishedSize()}`);
      if (!isQueryable(publishedSize(), checkpoint.tree_size))
        find('early_checkpoint', `size ${checkpoint.tree_size} is published before its rows can be queried`);
      published.push(checkpoint.tree_size);
    },
    objectPromised(key) {
      promised.add(key);
      const parsed = parseKey(key);
      if (parsed?.folder === 'checkpoint') promisedSize = Math.max(promisedSize, parsed.position ?? 0);
    },
    objectVanished(key) {
      if (promised.has(key)) find('vanished', `${key} was put and is gone after a power loss`);
      const parsed = parseKey(key);
      if (parsed?.folder === 'bundle') bundleVanished(parsed.position ?? 0);
      if (parsed?.folder === 'checkpoint') published.splice(published.indexOf(parsed.position ?? 0), 1);
    },
    eventLogAcknowledged(records) {
      const early = records.find((n) => (places.get(n) ?? Infinity) >= promisedSize);
      if (early !== undefined)
        find(
          'early_ack',
          `record ${early} is acknowledged while a checkpoint of size ${promisedSize} is sure`,
        );
    },
  };
}

function forgetFrom<K>(indexes: Map<K, number>, from: number): void {
  for (const [one, index] of indexes) if (index >= from) indexes.delete(one);
}

function grow(before: Step, hashes: readonly Uint8Array[], header: BundleHeader): Step {
  const frontier = appendLeaves(before.frontier, before.treeSize, hashes);
  return {
    treeSize: before.treeSize + hashes.length,
    root: hex(frontierRoot(frontier)),
    frontier,
    chain: hashes.reduce(chainHash, before.chain),
    nextOffset: BigInt(header.next_offset),
    eventLog: header.event_log,
    integratedAtMs: Date.parse(header.integrated_at),
  };
}

function differenceOf(after: Step, header: BundleHeader, before: Step): string | undefined {
  if (header.tree_size !== after.treeSize || header.leaf_count !== after.treeSize - before.treeSize)
    return 'size than its leaves give';
  if (header.root_hash !== after.root) return 'root than its leaves give';
  if (header.chain_head !== hex(after.chain)) return 'chain than the one before it leads to';
  if (header.frontier.join() !== after.frontier.map(hex).join()) return 'frontier than its leaves give';
  const isSameLog = before.eventLog === undefined || before.eventLog === after.eventLog;
  if (isSameLog && after.nextOffset < before.nextOffset)
    return 'direction: its next offset is behind the one before';
  if (after.integratedAtMs < before.integratedAtMs) return 'direction: its time is behind the one before';
  return undefined;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
