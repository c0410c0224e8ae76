import { PipelineError } from '../../schemas/errors.ts';
import type { BinaryDatabase } from './environment.ts';

/** Head of the event log; changed only inside the transaction that changes the entries. */
export interface LogState {
  /** Offset of the next envelope. Kept apart from the entries, so that it survives their removal. */
  readonly next: bigint;
  /** Envelopes that were appended and not yet acknowledged, and their bytes. */
  readonly envelopes: number;
  readonly bytes: number;
  /** Added to a stored key to give its offset; see `settle.ts`. */
  readonly shift: bigint;
  /** Offset after the last entry that a consumer acknowledged. A ledger that goes on before it is an older one. */
  readonly acknowledged: bigint;
}

const KEY_BYTES = 8;
const STATE_BYTES = 40;
const BACKLOG_BYTES = 16;
/** No log comes so far: an offset, a key or a shift above it is damage. Up to it `Number` counts exactly. */
const MAX_OFFSET = 2n ** 53n;
const STATE_KEY = Buffer.from('state');
const ID_KEY = Buffer.from('id');
/** A longer name is that of no collector; a key holds no more than 1978 bytes. */
const MAX_NAME_CHARACTERS = 256;
/** Before the id of a collector: the key of its backlog. */
const PREFIX = Buffer.from('backlog:');
/** As a version wrote it that did not keep what was acknowledged. */
const OLDER_STATE_BYTES = 32;
const EMPTY: LogState = { next: 0n, envelopes: 0, bytes: 0, shift: 0n, acknowledged: 0n };

/** Throws LOG_DAMAGED for a head that no appender wrote. Counts are taken as they are: `repairState` corrects them. */
export function readState(meta: BinaryDatabase): LogState {
  const bytes = meta.get(STATE_KEY);
  if (bytes === undefined) return EMPTY;
  if (bytes.length !== STATE_BYTES && bytes.length !== OLDER_STATE_BYTES) {
    throw damagedLog(`the head of the event log has ${bytes.length} bytes and not ${STATE_BYTES}`);
  }
  return {
    next: requirePossible('next offset', bytes.readBigUInt64BE(0)),
    envelopes: readCount(bytes, 8),
    bytes: readCount(bytes, 16),
    shift: requirePossible('shift', bytes.readBigUInt64BE(24)),
    acknowledged:
      bytes.length === OLDER_STATE_BYTES
        ? 0n
        : requirePossible('acknowledged offset', bytes.readBigUInt64BE(OLDER_STATE_BYTES)),
  };
}

/** Call it inside a transaction. */
export function writeState(meta: BinaryDatabase, state: LogState): void {
  const bytes = Buffer.alloc(STATE_BYTES);
  bytes.writeBigUInt64BE(state.next, 0);
  bytes.writeBigUInt64BE(BigInt(state.envelopes), 8);
  bytes.writeBigUInt64BE(BigInt(state.bytes), 16);
  bytes.writeBigUInt64BE(state.shift, 24);
  bytes.writeBigUInt64BE(state.acknowledged, OLDER_STATE_BYTES);
  void meta.put(STATE_KEY, bytes);
}

/** Id of the log, given once and for ever; undefined before that. */
export function readId(meta: BinaryDatabase): string | undefined {
  return meta.get(ID_KEY)?.toString('utf8');
}

/** Call it inside a transaction. */
export function writeId(meta: BinaryDatabase, id: string): void {
  void meta.put(ID_KEY, Buffer.from(id));
}

/** Big endian, so that LMDB's byte order is the order of offsets. Throws LOG_DAMAGED where no entry can have that key. */
export function toKey(offset: bigint, shift: bigint): Buffer {
  const stored = offset - shift;
  if (stored < 0n) throw shiftTooLarge(shift, offset);
  requirePossible('next offset', offset);
  return toStoredKey(stored);
}

export function toStoredKey(stored: bigint): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key.writeBigUInt64BE(stored);
  return key;
}

/** Undefined for a key that no appender wrote. */
export function toStoredNumber(key: Buffer): number | undefined {
  if (key.length !== KEY_BYTES) return undefined;
  const stored = key.readBigUInt64BE();
  return stored > MAX_OFFSET ? undefined : Number(stored);
}

/** Throws LOG_DAMAGED for a key that no appender wrote. */
export function toOffset(key: Buffer, shift: bigint): bigint {
  if (key.length !== KEY_BYTES) {
    throw damagedLog(`the event log has an entry whose key has ${key.length} bytes and not ${KEY_BYTES}`);
  }
  return requirePossible('offset of an entry', key.readBigUInt64BE() + shift);
}

function requirePossible(name: string, value: bigint): bigint {
  if (value <= MAX_OFFSET) return value;
  throw damagedLog(`the event log gives ${value} as ${name}, and no log reaches ${MAX_OFFSET}`);
}

/** The error of a head by which the next entry would lie before the first one. */
export function shiftTooLarge(shift: bigint, next: bigint): PipelineError {
  return damagedLog(`the event log gives ${shift} as shift, which is above its next offset ${next}`);
}

function damagedLog(found: string): PipelineError {
  const detail = `${found}: another program wrote it, or the disk damaged it`;
  return new PipelineError('LOG_DAMAGED', detail);
}

/** A count never exceeds what `Number` counts exactly, so that it can always be written again. */
function readCount(bytes: Buffer, at: number): number {
  return Math.min(Number(bytes.readBigUInt64BE(at)), Number.MAX_SAFE_INTEGER);
}

/** Envelopes of one collector in the log. */
export interface Backlog {
  readonly envelopes: number;
  readonly bytes: number;
}

/** A change of the backlog of collectors, read once and written once within one transaction. */
export interface BacklogChange {
  of(collector: string): Backlog;
  /** Negative counts subtract. */
  add(collector: string, change: Backlog): void;
  write(): void;
}

/** Call it inside a transaction. */
export function changeBacklog(meta: BinaryDatabase): BacklogChange {
  const changed = new Map<string, Backlog>();
  const of = (collector: string): Backlog =>
    changed.get(countedName(collector)) ?? readBacklog(meta, collector);
  return {
    of,
    add(collector, { envelopes, bytes }) {
      const before = of(collector);
      changed.set(countedName(collector), {
        envelopes: before.envelopes + envelopes,
        bytes: before.bytes + bytes,
      });
    },
    write() {
      for (const [collector, backlog] of changed) writeBacklog(meta, collector, backlog);
    },
  };
}

/** The name that an entry is counted under. One that somebody forged may give a name that is longer than a key: it counts under ''. */
export function countedName(collector: string): string {
  return collector.length > MAX_NAME_CHARACTERS ? '' : collector;
}

/** Counts of all collectors as they are stored; undefined where they do not read. */
export function readBacklogs(meta: BinaryDatabase): Map<string, Backlog | undefined> {
  const stored = new Map<string, Backlog | undefined>();
  for (const key of backlogKeys(meta)) {
    stored.set(key.toString('utf8', PREFIX.length), parseBacklog(meta.get(key)));
  }
  return stored;
}

/** Whether the counts say that envelopes wait. */
export function saysBacklog(meta: BinaryDatabase): boolean {
  const { envelopes, bytes } = readState(meta);
  return envelopes > 0 || bytes > 0 || backlogKeys(meta).length > 0;
}

/** Takes these counts in place of all that are stored. Call it inside a transaction. */
export function replaceBacklogs(meta: BinaryDatabase, backlogs: ReadonlyMap<string, Backlog>): void {
  for (const key of backlogKeys(meta)) void meta.remove(key);
  for (const [collector, backlog] of backlogs) writeBacklog(meta, collector, backlog);
}

function backlogKeys(meta: BinaryDatabase): Buffer[] {
  const keys: Buffer[] = [];
  for (const key of meta.getKeys({ start: PREFIX })) {
    if (!key.subarray(0, PREFIX.length).equals(PREFIX)) break;
    keys.push(key);
  }
  return keys;
}

function readBacklog(meta: BinaryDatabase, collector: string): Backlog {
  return parseBacklog(meta.get(backlogKey(collector))) ?? { envelopes: 0, bytes: 0 };
}

function parseBacklog(stored: Buffer | undefined): Backlog | undefined {
  if (stored?.length !== BACKLOG_BYTES) return undefined;
  return { envelopes: readCount(stored, 0), bytes: readCount(stored, 8) };
}

/** A collector without envelopes has no key. Entries that others put there were not counted, so counts may fall below 0. */
function writeBacklog(meta: BinaryDatabase, collector: string, { envelopes, bytes }: Backlog): void {
  if (envelopes <= 0 || bytes <= 0) {
    void meta.remove(backlogKey(collector));
    return;
  }
  const stored = Buffer.alloc(BACKLOG_BYTES);
  stored.writeBigUInt64BE(BigInt(envelopes), 0);
  stored.writeBigUInt64BE(BigInt(bytes), 8);
  void meta.put(backlogKey(collector), stored);
}

function backlogKey(collector: string): Buffer {
  return Buffer.concat([PREFIX, Buffer.from(countedName(collector))]);
}
