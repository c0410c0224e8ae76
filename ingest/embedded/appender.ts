/** Appends to the embedded event log: many callers, one durable transaction at a time. */
import { PipelineError } from '../../schemas/errors.ts';
import type { FrameTurn, FrameWriter } from '../frame-writer.ts';
import type { BinaryDatabase, Environment, Room } from './environment.ts';
import {
  changeBacklog,
  readState,
  toKey,
  writeState,
  type Backlog,
  type BacklogChange,
  type LogState,
} from './state.ts';

export interface BacklogLimits {
  readonly maxBacklogBytes: number;
  readonly maxBacklogEnvelopes: number;
  /** Share of both that one collector may fill; beyond it appends are refused with COLLECTOR_PUSHBACK. @default 100 */
  readonly maxPerCollectorPercent?: number;
}

/** One encoded envelope and the collector that sent it. */
interface EncodedEnvelope {
  readonly bytes: Buffer;
  readonly collector: string;
}

/** Named databases of the event log. */
export interface LogDatabases {
  readonly entries: BinaryDatabase;
  readonly meta: BinaryDatabase;
}

export interface AppenderOptions {
  readonly limits: BacklogLimits;
  readonly onAppended: () => void;
  /** Numbers the frames; undefined where the log was opened without a key. */
  readonly writer: FrameWriter | undefined;
}

interface PendingAppend {
  readonly frames: readonly EncodedEnvelope[];
  readonly bytes: number;
  /** Settles the caller's promise. */
  readonly settle: (refusal: PipelineError | undefined) => void;
}

/**
 * Room on the disk that new envelopes must leave free, so that acknowledged envelopes can still be sealed when the disk
 * runs full. Sealing needs a fixed part, and for each waiting byte its share of the archive, its rows, and these rows
 * again, because the engine keeps merged parts for minutes.
 */
const SEALING_RESERVE_BYTES = 32 * 1024 * 1024;
const SEALING_BYTES_PER_BYTE = 3;

/**
 * Inodes that new envelopes must leave free, so that acknowledged envelopes can still be sealed: sealing makes files in
 * the archive and in the record store.
 */
const MIN_FREE_INODES = 2000;
/** One inode more for so many waiting bytes: a full bundle of 4 MiB gets sixteen. */
const SEALING_BYTES_PER_INODE = 256 * 1024;

/** Bounds of one transaction, so that a flood neither grows it without end nor holds the write lock for long. */
const GROUP_MAX_BYTES = 32 * 1024 * 1024;
const GROUP_MAX_APPENDS = 4096;

/**
 * Group commit: appends that arrive while a transaction is being flushed wait together for the next one and share its
 * flush. One transaction at a time; appends are written in the order of their calls.
 */
export class Appender {
  readonly #environment: Environment;
  readonly #databases: LogDatabases;
  readonly #options: AppenderOptions;
  /** Appends that no transaction has taken yet, in order. */
  readonly #pending: PendingAppend[] = [];
  /** Set while `#flush` runs, which alone takes from `#pending`. */
  #flushing: Promise<void> | undefined;

  constructor(environment: Environment, databases: LogDatabases, options: AppenderOptions) {
    this.#environment = environment;
    this.#databases = databases;
    this.#options = options;
  }

  /** Resolves when the frames are durable, in order; rejects as `EventLog.append` does. */
  append(frames: readonly EncodedEnvelope[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
      const settle = (refusal: PipelineError | undefined): void => {
        if (refusal === undefined) resolve();
        else reject(refusal);
      };
      this.#pending.push({ frames, bytes, settle });
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  /** Resolves when nothing is waiting to be written. */
  async idle(): Promise<void> {
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = takeGroup(this.#pending);
      let turn: FrameTurn | undefined;
      try {
        this.#environment.refresh();
        const need = roomFor(group, readState(this.#databases.meta).bytes);
        const write = () => {
          // Inside the transaction: a transaction that is run again numbers its frames again.
          turn = this.#options.writer?.begin();
          return this.#writeGroup(group, turn);
        };
        const refusals = await this.#environment.commit(write, need);
        turn?.written();
        group.forEach((one, index) => one.settle(refusals[index]));
        this.#options.onAppended();
      } catch (error) {
        // A commit that missed its deadline may still be applied.
        turn?.abandoned();
        const refusal = error instanceof PipelineError ? error : unavailable(error);
        for (const one of group) one.settle(refusal);
      }
    }
  }

  /** Runs inside the transaction. One element per append: the refusal, or undefined where it was written. */
  #writeGroup(group: readonly PendingAppend[], turn: FrameTurn | undefined): (PipelineError | undefined)[] {
    const { entries, meta } = this.#databases;
    let state = readState(meta);
    const backlog = changeBacklog(meta);
    const refusals = group.map((one) => {
      const refusal = refusalOf(one, state, backlog, this.#options.limits);
      if (refusal !== undefined) return refusal;
      for (const { bytes, collector } of one.frames) {
        turn?.seal(bytes);
        void entries.put(toKey(state.next, state.shift), bytes);
        backlog.add(collector, { envelopes: 1, bytes: bytes.length });
        state = withOneMore(state, bytes.length);
      }
      return undefined;
    });
    writeState(meta, state);
    backlog.write();
    return refusals;
  }
}

function withOneMore(state: LogState, bytes: number): LogState {
  return {
    ...state,
    next: state.next + 1n,
    envelopes: state.envelopes + 1,
    bytes: state.bytes + bytes,
  };
}

/** LMDB replaces pages instead of changing them, and large values need neighbouring pages: twice the bytes of the group. */
function roomFor(group: readonly PendingAppend[], backlogBytes: number): Room {
  const groupBytes = group.reduce((sum, { bytes }) => sum + bytes, 0);
  const waitingBytes = backlogBytes + groupBytes;
  return {
    bytes: SEALING_RESERVE_BYTES + SEALING_BYTES_PER_BYTE * waitingBytes + 2 * groupBytes,
    files: MIN_FREE_INODES + Math.ceil(waitingBytes / SEALING_BYTES_PER_INODE),
  };
}

function unavailable(cause: unknown): PipelineError {
  return new PipelineError('LOG_UNAVAILABLE', 'event log cannot append', { cause });
}

function takeGroup(pending: PendingAppend[]): PendingAppend[] {
  let bytes = 0;
  let count = 0;
  for (const one of pending) {
    bytes += one.bytes;
    if (count > 0 && (bytes > GROUP_MAX_BYTES || count === GROUP_MAX_APPENDS)) break;
    count += 1;
  }
  return pending.splice(0, count);
}

const NOTHING: Backlog = { envelopes: 0, bytes: 0 };

function refusalOf(
  { frames, bytes }: PendingAppend,
  total: Backlog,
  backlog: BacklogChange,
  limits: BacklogLimits,
): PipelineError | undefined {
  const { maxBacklogBytes, maxBacklogEnvelopes, maxPerCollectorPercent = 100 } = limits;
  const exceeds = (held: Backlog, percent: number): boolean =>
    held.envelopes + frames.length > (maxBacklogEnvelopes * percent) / 100 ||
    held.bytes + bytes > (maxBacklogBytes * percent) / 100;
  if (exceeds(NOTHING, Math.min(100, maxPerCollectorPercent))) {
    const detail = `a request of ${bytes} bytes is larger than the event log takes of one collector when it is empty`;
    return new PipelineError('BODY_TOO_LARGE', detail);
  }
  if (exceeds(total, 100)) return new PipelineError('LOG_PUSHBACK', 'event log backlog is full');
  const collectors = new Set(frames.map(({ collector }) => collector));
  if ([...collectors].some((collector) => exceeds(backlog.of(collector), maxPerCollectorPercent))) {
    return new PipelineError('COLLECTOR_PUSHBACK', 'the collector fills its share of the backlog');
  }
  return undefined;
}
