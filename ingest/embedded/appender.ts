import { PipelineError } from '../../schemas/errors.ts';
import type { BinaryDatabase, Environment } from './environment.ts';
import { readState, toKey, writeState, type LogState } from './state.ts';

export interface BacklogLimits {
  readonly maxBacklogBytes: number;
  readonly maxBacklogEnvelopes: number;
}

export interface Appender {
  /** Resolves when the frames are durable, in order; rejects as `EventLog.append` does. */
  append(frames: readonly Buffer[]): Promise<void>;
  /** Resolves when nothing is waiting to be written. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly frames: readonly Buffer[];
  readonly bytes: number;
  readonly settle: (refusal: PipelineError | undefined) => void;
}

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
    const refusals = group.map((one) => {
      if (passesBacklog(state, one, limits))
        return new PipelineError('LOG_PUSHBACK', 'event log backlog is full');
      for (const frame of one.frames) {
        void databases.entries.put(toKey(state.next, state.shift), frame);
        state = { ...state, next: state.next + 1n };
      }
      state = {
        ...state,
        envelopes: state.envelopes + one.frames.length,
        bytes: state.bytes + one.bytes,
      };
      return undefined;
    });
    writeState(databases.meta, state);
    return refusals;
  }

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const group = takeGroup(waiting);
      try {
        const refusals = await environment.commit(() => writeGroup(group));
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
        const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
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

function passesBacklog(state: LogState, one: Waiting, limits: BacklogLimits): boolean {
  return (
    state.envelopes + one.frames.length > limits.maxBacklogEnvelopes ||
    state.bytes + one.bytes > limits.maxBacklogBytes
  );
}
