import { PipelineError } from '../../schemas/errors.ts';
import type { BinaryDatabase, Environment } from './environment.ts';
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
  /** Share of both that one collector may fill; beyond it an append is refused with COLLECTOR_PUSHBACK. @default 100 */
  readonly maxPerCollectorPercent?: number;
}

/** One encoded envelope and whose it is. */
export interface Frame {
  readonly bytes: Buffer;
  readonly collector: string;
}

export interface Appender {
  /** Resolves when the frames are durable, in order; rejects as `EventLog.append` does. */
  append(frames: readonly Frame[]): Promise<void>;
  /** Resolves when nothing is waiting to be written. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly frames: readonly Frame[];
  readonly bytes: number;
  readonly settle: (refusal: PipelineError | undefined) => void;
}

/**
 * Room on the disk that new envelopes leave alone, so that those which were acknowledged can still be sealed when the
 * disk runs full: as much as sealing takes at any time, and for each byte that waits its share of the archive, its rows,
 * and these rows again, because the engine keeps merged parts for minutes.
 */
const SEALING_RESERVE_BYTES = 32 * 1024 * 1024;
const SEALING_BYTES_PER_BYTE = 3;

/** Bounds of one transaction, so that a flood neither grows it without end nor holds the write lock for long. */
const GROUP_MAX_BYTES = 32 * 1024 * 1024;
const GROUP_MAX_APPENDS = 4096;

/**
 * Group commit: appends that arrive while a transaction is being flushed wait together for the next one, so that the
 * price of a flush is shared by all of them. One transaction at a time; calls are written in the order they came.
 */
export function createAppender(
  environment: Environment,
  databases: { readonly entries: BinaryDatabase; readonly meta: BinaryDatabase },
  limits: BacklogLimits,
  onAppended: () => void,
): Appender {
  const waiting: Waiting[] = [];
  let flushing: Promise<void> | undefined;

  /** Inside the transaction. One refusal per append: undefined where it was written. */
  function writeGroup(group: readonly Waiting[]): (PipelineError | undefined)[] {
    let state = readState(databases.meta);
    const backlog = changeBacklog(databases.meta);
    const refusals = group.map((one) => {
      const refusal = refusalOf(one, state, backlog, limits);
      if (refusal !== undefined) return refusal;
      for (const { bytes, collector } of one.frames) {
        void databases.entries.put(toKey(state.next, state.shift), bytes);
        backlog.add(collector, { envelopes: 1, bytes: bytes.length });
        state = withOneMore(state, bytes.length);
      }
      return undefined;
    });
    writeState(databases.meta, state);
    backlog.write();
    return refusals;
  }

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const group = takeGroup(waiting);
      try {
        environment.refresh();
        const needBytes = roomFor(group, readState(databases.meta).bytes);
        const refusals = await environment.commit(() => writeGroup(group), needBytes);
        group.forEach((one, index) => one.settle(refusals[index]));
        onAppended();
      } catch (error) {
        const refusal = error instanceof PipelineError ? error : unavailable(error);
        for (const one of group) one.settle(refusal);
      }
    }
  }

  return {
    append: (frames) =>
      new Promise((resolve, reject) => {
        const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
        const settle = (refusal: PipelineError | undefined): void => {
          if (refusal === undefined) resolve();
          else reject(refusal);
        };
        waiting.push({ frames, bytes, settle });
        flushing ??= flush().finally(() => {
          flushing = undefined;
        });
      }),
    idle: async () => {
      await flushing;
    },
  };
}

function withOneMore(state: LogState, bytes: number): LogState {
  return {
    ...state,
    next: state.next + 1n,
    envelopes: state.envelopes + 1,
    bytes: state.bytes + bytes,
  };
}

/** Large values need neighbouring pages, and pages are replaced, not changed: twice the bytes. */
function roomFor(group: readonly Waiting[], backlogBytes: number): number {
  const groupBytes = group.reduce((sum, { bytes }) => sum + bytes, 0);
  return SEALING_RESERVE_BYTES + SEALING_BYTES_PER_BYTE * (backlogBytes + groupBytes) + 2 * groupBytes;
}

function unavailable(cause: unknown): PipelineError {
  return new PipelineError('LOG_UNAVAILABLE', 'event log cannot append', { cause });
}

function takeGroup(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const one of waiting) {
    bytes += one.bytes;
    if (count > 0 && (bytes > GROUP_MAX_BYTES || count === GROUP_MAX_APPENDS)) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

function refusalOf(
  { frames, bytes }: Waiting,
  total: Backlog,
  backlog: BacklogChange,
  limits: BacklogLimits,
): PipelineError | undefined {
  const { maxBacklogBytes, maxBacklogEnvelopes, maxPerCollectorPercent = 100 } = limits;
  const passes = (held: Backlog, percent: number): boolean =>
    held.envelopes + frames.length > (maxBacklogEnvelopes * percent) / 100 ||
    held.bytes + bytes > (maxBacklogBytes * percent) / 100;
  if (passes(total, 100)) return new PipelineError('LOG_PUSHBACK', 'event log backlog is full');
  const collectors = new Set(frames.map(({ collector }) => collector));
  if ([...collectors].some((collector) => passes(backlog.of(collector), maxPerCollectorPercent))) {
    return new PipelineError('COLLECTOR_PUSHBACK', 'the collector fills its share of the backlog');
  }
  return undefined;
}
