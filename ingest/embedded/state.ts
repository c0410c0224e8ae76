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
const STATE_KEY = Buffer.from('state');
const ID_KEY = Buffer.from('id');
const STATE_BYTES = 40;
/** As a version wrote it that did not keep what was acknowledged. */
const OLDER_STATE_BYTES = 32;
const EMPTY: LogState = { next: 0n, envelopes: 0, bytes: 0, shift: 0n, acknowledged: 0n };

export function readState(meta: BinaryDatabase): LogState {
  const bytes = meta.get(STATE_KEY);
  if (bytes === undefined) return EMPTY;
  return {
    next: bytes.readBigUInt64BE(0),
    envelopes: Number(bytes.readBigUInt64BE(8)),
    bytes: Number(bytes.readBigUInt64BE(16)),
    shift: bytes.readBigUInt64BE(24),
    acknowledged: bytes.length === OLDER_STATE_BYTES ? 0n : bytes.readBigUInt64BE(OLDER_STATE_BYTES),
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

/** Big endian, so that LMDB's byte order is the order of offsets. */
export function toKey(offset: bigint, shift: bigint): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key.writeBigUInt64BE(offset - shift);
  return key;
}

/** Throws LOG_DAMAGED for a key that no appender wrote. */
export function toOffset(key: Buffer, shift: bigint): bigint {
  if (key.length !== KEY_BYTES) {
    const detail = `the event log has an entry whose key has ${key.length} bytes and not ${KEY_BYTES}: another program wrote it`;
    throw new PipelineError('LOG_DAMAGED', detail);
  }
  return key.readBigUInt64BE() + shift;
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
  const of = (collector: string): Backlog => changed.get(collector) ?? readBacklog(meta, collector);
  return {
    of,
    add(collector, { envelopes, bytes }) {
      const before = of(collector);
      changed.set(collector, { envelopes: before.envelopes + envelopes, bytes: before.bytes + bytes });
    },
    write() {
      for (const [collector, backlog] of changed) writeBacklog(meta, collector, backlog);
    },
  };
}

/** Forgets the backlog of all collectors. Call it inside a transaction. */
export function clearBacklog(meta: BinaryDatabase): void {
  const first = backlogKey('');
  for (const key of meta.getKeys({ start: first })) {
    if (!key.subarray(0, first.length).equals(first)) break;
    void meta.remove(key);
  }
}

function readBacklog(meta: BinaryDatabase, collector: string): Backlog {
  const bytes = meta.get(backlogKey(collector));
  if (bytes === undefined) return { envelopes: 0, bytes: 0 };
  return { envelopes: Number(bytes.readBigUInt64BE(0)), bytes: Number(bytes.readBigUInt64BE(8)) };
}

/** A collector without envelopes has no key. Envelopes of older versions were not counted, so counts may fall below 0. */
function writeBacklog(meta: BinaryDatabase, collector: string, { envelopes, bytes }: Backlog): void {
  if (envelopes <= 0 || bytes <= 0) {
    void meta.remove(backlogKey(collector));
    return;
  }
  const stored = Buffer.alloc(16);
  stored.writeBigUInt64BE(BigInt(envelopes), 0);
  stored.writeBigUInt64BE(BigInt(bytes), 8);
  void meta.put(backlogKey(collector), stored);
}

function backlogKey(collector: string): Buffer {
  return Buffer.from(`backlog:${collector}`);
}
