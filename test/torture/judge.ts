/**
 * What was acknowledged against what is sealed. In: acknowledgements, sealed leaves and checkpoints, in any number of
 * steps. Out: counts that must be 0. Holds no connection and reads no file, so that it can itself be judged.
 */
import { appendLeaves, frontierRoot, leafHash, type Frontier } from '../../store/chain/merkle.ts';

/** One bundle as the archive holds it. */
export interface SealedBundleRead {
  readonly startIndex: number;
  readonly leafTexts: readonly string[];
  /** Numbers of the events sent here, one for each facts line that names one. */
  readonly events: readonly number[];
}

/** A head somebody outside has seen, as the signed checkpoint said it. */
export interface SeenHead {
  readonly tree_size: number;
  readonly root_hash: string;
}

export interface Counts {
  readonly acked: number;
  readonly sealed: number;
  readonly lost: number;
  readonly twice: number;
  readonly forks: number;
  readonly false_alarms: number;
}

export interface Judge {
  acknowledged(event: number): void;
  /** Bundles must come in log order, each once. */
  sealed(bundle: SealedBundleRead): void;
  /** Keeps a head that was seen while the log was at least that large; checked by `checkHeads` from then on. */
  saw(head: SeenHead): void;
  hasSeenHead(): boolean;
  /** Every head seen so far must lie on the log as its leaves read now. `recomputed` is what a verifier found. */
  checkHeads(recomputed: SeenHead | undefined): void;
  /** After everything acknowledged had the time to be sealed: whatever is not is lost. */
  drained(): void;
  /** How often the record store shows each event, after it was drained. */
  listed(events: Iterable<number>): void;
  /** How many rows the record store shows of one event, after it was drained. */
  shown(event: number, rows: number): void;
  falseAlarm(what: string): void;
  treeSize(): number;
  counts(): Counts;
  /** One line for each thing that is not as it must be. */
  findings(): readonly string[];
}

const EXAMPLES = 5;

export function createJudge(): Judge {
  const acked = new Set<number>();
  const unsettled = new Set<number>();
  const sealedEvents = new Set<number>();
  const lost = new Set<number>();
  const heads = new Map<string, SeenHead>();
  const forked = new Set<string>();
  const rootsBySize = new Map<number, string>([[0, hex(frontierRoot([]))]]);
  const findings: string[] = [];
  const log = { frontier: [] as Frontier, size: 0 };
  let twice = 0;
  let falseAlarms = 0;

  const lose = (events: readonly number[], where: string): void => {
    const fresh = events.filter((event) => !lost.has(event));
    for (const event of fresh) lost.add(event);
    if (fresh.length > 0) findings.push(`lost: ${fresh.length} events ${where}: ${examples(fresh)}`);
  };
  const fork = (head: SeenHead, what: string): void => {
    const name = `${head.tree_size} ${head.root_hash}`;
    if (forked.has(name)) return;
    forked.add(name);
    findings.push(`fork: ${what}`);
  };

  return {
    acknowledged(event) {
      if (acked.has(event)) return;
      acked.add(event);
      if (!sealedEvents.has(event)) unsettled.add(event);
    },
    sealed({ startIndex, leafTexts, events }) {
      if (startIndex !== log.size) throw new RangeError(`bundle ${startIndex} does not follow ${log.size}`);
      const hashes = leafTexts.map((text) => leafHash(Buffer.from(text)));
      log.frontier = appendLeaves(log.frontier, log.size, hashes);
      log.size += hashes.length;
      rootsBySize.set(log.size, hex(frontierRoot(log.frontier)));
      const again = events.filter((event) => isRepeated(sealedEvents, event));
      for (const event of events) unsettled.delete(event);
      twice += again.length;
      if (again.length > 0)
        findings.push(`twice: ${again.length} events in the bundle at ${startIndex}: ${examples(again)}`);
    },
    saw: (head) => void heads.set(`${head.tree_size} ${head.root_hash}`, head),
    hasSeenHead: () => heads.size > 0,
    checkHeads(recomputed) {
      for (const head of recomputed === undefined ? heads.values() : [...heads.values(), recomputed]) {
        const root = rootsBySize.get(head.tree_size);
        if (root === head.root_hash) continue;
        const now = root === undefined ? `the log has no such size and ends at ${log.size}` : `now ${root}`;
        fork(head, `root ${head.root_hash} was seen at size ${head.tree_size}, ${now}`);
      }
    },
    drained: () => lose([...unsettled], 'were acknowledged and are in no leaf'),
    listed(events) {
      const shown = new Set<number>();
      const again = [...events].filter((event) => isRepeated(shown, event));
      twice += again.length;
      if (again.length > 0)
        findings.push(`twice: ${again.length} events in the record store: ${examples(again)}`);
      const missing = [...acked].filter((event) => !shown.has(event));
      lose(missing, 'were acknowledged and are not in the record store');
    },
    shown(event, rows) {
      if (rows === 0) lose([event], 'were acknowledged and are not in the record store');
      if (rows > 1) {
        twice += 1;
        findings.push(`twice: event ${event} has ${rows} rows in the record store`);
      }
    },
    falseAlarm(what) {
      falseAlarms += 1;
      findings.push(`false alarm: ${what}`);
    },
    treeSize: () => log.size,
    counts: () => ({
      acked: acked.size,
      sealed: sealedEvents.size,
      lost: lost.size,
      twice,
      forks: forked.size,
      false_alarms: falseAlarms,
    }),
    findings: () => findings,
  };
}

/** True if the event was in the set before; it is afterwards. */
function isRepeated(seen: Set<number>, event: number): boolean {
  if (seen.has(event)) return true;
  seen.add(event);
  return false;
}

function examples(events: readonly number[]): string {
  return events.slice(0, EXAMPLES).join(', ') + (events.length > EXAMPLES ? ', …' : '');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
