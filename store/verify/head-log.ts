/**
 * The head log against the other logs of an archive. Its entries are read first; then each log is held against the heads
 * that they name, while it is walked. Memory holds the named heads, fewer than there are names of objects.
 */
import type { LogGenesis } from '../../schemas/bundle.ts';
import { HEAD_LOG, type HeadEntry, type NamedHead } from '../../schemas/head-entry.ts';
import type { Findings } from './report.ts';

/** A head that an entry names, with the index of the first entry that does. */
export interface HeadAt extends NamedHead {
  readonly entry: number;
}

/** Heads of one log by tree size. */
export type HeadsBySize = ReadonlyMap<number, HeadAt>;

/** A log of the archive as it was found. */
export interface FoundLog {
  readonly log: string;
  /** Undefined where the genesis does not read. */
  readonly genesis: LogGenesis | undefined;
  /** `integrated_at` of its newest bundle that the key signed. */
  readonly integratedAt: string | undefined;
  /** The keys under which somebody may know it. */
  readonly vkeys: readonly string[];
}

/** An entry is written each hour at least. A writer that works never takes twice as long. */
const MAX_SILENCE_MS = 2 * 60 * 60 * 1000;

const describe = ({ log, tree_size, root_hash }: NamedHead) =>
  `${log} of ${String(tree_size)} leaves with root ${root_hash}`;

/** Collects the entries: `add` for each in order, then `headsOf` for each other log, then `finish`. */
export class HeadLogCheck {
  readonly #findings: Findings;
  readonly #bySize = new Map<string, Map<number, HeadAt>>();
  #newest: HeadEntry | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** SPEC (archive.md): no entry takes back what an entry before it said. `index` is its leaf index. */
  add(entry: HeadEntry, index: number): void {
    const problem = this.#newest && contradiction(this.#newest, entry);
    if (problem !== undefined)
      this.#findings.fail('heads_contradict', index, `entry ${String(index)} of ${HEAD_LOG} ${problem}`);
    this.#newest = entry;
    for (const head of entry.heads) {
      const sizes = this.#bySize.get(head.log) ?? new Map<number, HeadAt>();
      this.#bySize.set(head.log, sizes);
      if (head.tree_size > 0 && !sizes.has(head.tree_size))
        sizes.set(head.tree_size, { ...head, entry: index });
    }
  }

  /** The newest entry; undefined where none was read. */
  newest(): HeadEntry | undefined {
    return this.#newest;
  }

  headsOf(log: string): HeadsBySize {
    return this.#bySize.get(log) ?? new Map<number, HeadAt>();
  }

  /** The findings that need all logs. `logs` are those that are found in the archive, the head log too if it is there. */
  finish(logs: readonly FoundLog[]): void {
    const others = logs.filter(({ log }) => log !== HEAD_LOG);
    const heads = logs.find(({ log }) => log === HEAD_LOG);
    this.#checkHeadLog(others, heads);
    for (const named of this.#newest?.heads ?? []) this.#checkPresence(named, others);
    if (heads === undefined) return;
    for (const log of others) this.#checkNamed(log);
    this.#checkAge(others, heads);
  }

  /** SPEC (archive.md): each genesis names the verifier key of the head log, so that a missing head log shows. */
  #checkHeadLog(others: readonly FoundLog[], heads: FoundLog | undefined): void {
    for (const { log, genesis } of others) {
      const vkey = genesis?.head_log;
      if (vkey === undefined || vkey === heads?.genesis?.vkey) continue;
      const found = heads === undefined ? 'is not in the archive' : 'has another key';
      this.#findings.fail(
        'log_missing',
        null,
        `the head log ${vkey}, which the genesis of ${log} names, ${found}`,
      );
    }
  }

  #checkPresence(named: NamedHead, others: readonly FoundLog[]): void {
    const found = others.find(({ log }) => log === named.log);
    if (found === undefined) {
      const detail = `the newest entry of ${HEAD_LOG} names ${describe(named)} (${named.origin}), which is not in the archive`;
      this.#findings.fail('log_missing', null, detail);
    } else if (found.genesis !== undefined && found.genesis.origin !== named.origin) {
      const detail = `the newest entry of ${HEAD_LOG} names ${named.log} as ${named.origin}, its genesis as ${found.genesis.origin}`;
      this.#findings.fail('heads_mismatch', null, detail);
    }
  }

  /** A log is named from the first entry after its genesis on. */
  #checkNamed({ log, genesis }: FoundLog): void {
    const newest = this.#newest;
    if (newest === undefined || genesis === undefined || newest.heads.some((head) => head.log === log))
      return;
    const ageMs = Date.parse(newest.taken_at) - Date.parse(genesis.created_at);
    const detail = `${log} was begun at ${genesis.created_at}; the entry of ${newest.taken_at} does not name it`;
    if (ageMs > MAX_SILENCE_MS) this.#findings.fail('log_unnamed', null, detail);
    else this.#findings.notice('log_unnamed_yet', null, detail);
  }

  /** Sealing never waits for the head log, so a head log that is behind is not a defect of the evidence. */
  #checkAge(others: readonly FoundLog[], heads: FoundLog): void {
    const newest = this.#newest;
    const toldAt = newest?.taken_at ?? heads.genesis?.created_at;
    if (toldAt === undefined) return;
    for (const { log, integratedAt } of others) {
      if (integratedAt === undefined) continue;
      const isYoung = Date.parse(integratedAt) - Date.parse(toldAt) <= MAX_SILENCE_MS;
      if (newest !== undefined && isYoung) continue;
      const entry = newest === undefined ? 'has no entry' : `has its newest entry at ${toldAt}`;
      const detail = `${log} was sealed to at ${integratedAt}; ${HEAD_LOG} ${entry}`;
      this.#findings.notice('head_log_behind', null, detail);
    }
  }
}

/** The way in which an entry takes back what the entry before it said; undefined where it does not. */
function contradiction(before: HeadEntry, entry: HeadEntry): string | undefined {
  if (Date.parse(entry.taken_at) < Date.parse(before.taken_at))
    return `was taken at ${entry.taken_at}, the one before at ${before.taken_at}`;
  for (const old of before.heads) {
    const head = entry.heads.find(({ log }) => log === old.log);
    if (head === undefined) return `leaves out ${old.log}`;
    if (head.origin !== old.origin) return `calls ${old.log} ${head.origin}, the one before ${old.origin}`;
    if (head.tree_size < old.tree_size) return `names ${describe(head)}, the one before ${describe(old)}`;
    const isSame = head.root_hash === old.root_hash && head.note_sha256 === old.note_sha256;
    if (head.tree_size === old.tree_size && !isSame) return `names a second head of ${describe(head)}`;
  }
  return undefined;
}
