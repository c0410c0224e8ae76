/**
 * Decides when each port call of each process takes effect and how it ends. In: calls, in the order in which the code
 * under test makes them. Out: one effect or one answer at a time. Nothing else in a run happens by itself: between two
 * steps all code under test has gone as far as it can without an answer.
 */
import { PipelineError, type ErrorCode } from '../../schemas/errors.ts';
import type { Coverage } from './coverage.ts';

/** Whoever makes calls. A dead process never hears of anything again; a paused one hears of it when it is woken. */
export interface Caller {
  readonly name: string;
  isAlive: boolean;
  isPaused: boolean;
}

export interface CallOptions<T> {
  /** What is called, for counters and for the script. */
  readonly name: string;
  /** What it fails with when it fails in passing; without it it never does. */
  readonly failure?: ErrorCode;
  /** Whether it changes anything outside the process. */
  readonly isWrite?: boolean;
  /** A write to the machine's own disk: it does not outlive its process. */
  readonly isLocal?: boolean;
  /** Until then it waits. */
  readonly isReady?: () => boolean;
  readonly effect: () => T;
  /** Its caller learns that it succeeded. A caller that is dead learns nothing. */
  readonly onAnswered?: () => void;
}

/** `fails_applied` took effect and says that it did not; `fails_late` takes effect later, if at all. */
export const ENDINGS = ['succeeds', 'fails', 'fails_applied', 'fails_late', 'applied_unanswered'] as const;
export type Ending = (typeof ENDINGS)[number];

export interface Call {
  readonly caller: Caller;
  readonly options: CallOptions<unknown>;
  readonly settle: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void };
  /** What it is going to answer, once it took effect without answering. */
  answer?: () => void;
}

/** A write whose caller does not wait for it any more. */
export type LateWrite = Pick<Call, 'caller' | 'options'>;

/** `end` is no accident: the run is over for it. */
export type Death = 'before' | 'after' | 'late' | 'end';

export interface Scheduler {
  call<T>(caller: Caller, options: CallOptions<T>): Promise<T>;
  /** Calls that may proceed now. */
  enabled(): Call[];
  proceed(call: Call, ending: Ending): void;
  /** Ends a process at a call that it waits for: that one takes effect, or not, or later; all others do not. */
  kill(caller: Caller, at: Call | undefined, death: Death): void;
  readonly late: LateWrite[];
  land(index: number): void;
  /** Resolves when all code has run that can run. */
  quiet(): Promise<void>;
}

export function createScheduler(coverage: Coverage, say: (line: string) => void): Scheduler {
  const pending: Call[] = [];
  const late: LateWrite[] = [];

  const remove = (call: Call) => void pending.splice(pending.indexOf(call), 1);

  return {
    late,
    call: <T>(caller: Caller, options: CallOptions<T>) =>
      new Promise<T>((resolve, reject) => {
        if (!caller.isAlive) return;
        const settle = { resolve: resolve as (value: unknown) => void, reject };
        pending.push({ caller, options, settle });
      }),
    enabled: () =>
      pending.filter(
        ({ caller, options, answer }) =>
          !caller.isPaused && (answer !== undefined || (options.isReady?.() ?? true)),
      ),
    proceed(call, ending) {
      const { caller, options } = call;
      say(`${caller.name}: ${options.name} ${call.answer === undefined ? ending : 'answers'}`);
      if (call.answer !== undefined) {
        remove(call);
        call.answer();
        return;
      }
      coverage.count(`${ending} ${options.name}`);
      if (ending === 'applied_unanswered') {
        call.answer = answerOf(call);
        return;
      }
      remove(call);
      if (ending === 'succeeds') {
        answerOf(call)();
        return;
      }
      if (ending === 'fails_applied') applied(options.effect);
      if (ending === 'fails_late') late.push(call);
      call.settle.reject(new PipelineError(options.failure ?? 'INTERNAL', `${options.name} ${ending}`));
    },
    kill(caller, at, death) {
      const where = at === undefined ? 'at rest' : `${death} ${at.options.name}`;
      if (death !== 'end') {
        say(`${caller.name} is killed ${where}`);
        coverage.count(`killed ${where}`);
      }
      if (at?.answer === undefined && at !== undefined) {
        if (death === 'after') applied(at.options.effect);
        if (death === 'late' && at.options.isWrite === true) late.push(at);
      }
      caller.isAlive = false;
      for (const call of pending.filter((one) => one.caller === caller)) remove(call);
      const kept = late.filter((one) => one.caller !== caller || one.options.isLocal !== true);
      late.splice(0, late.length, ...kept);
    },
    land(index) {
      const [write] = late.splice(index, 1);
      if (write === undefined) return;
      say(`a late ${write.options.name} of ${write.caller.name} takes effect`);
      coverage.count(`late ${write.options.name}`);
      applied(write.options.effect);
    },
    // A tick comes after all that promises have to do, and what they cause by that.
    quiet: () => new Promise((resolve) => process.nextTick(resolve)),
  };
}

/** Runs the effect now; the answer, good or bad, may wait. */
function answerOf({ options, settle }: Call): () => void {
  try {
    const value = options.effect();
    return () => {
      options.onAnswered?.();
      settle.resolve(value);
    };
  } catch (error) {
    return () => settle.reject(error);
  }
}

/** An effect whose answer nobody hears. */
function applied(effect: () => unknown): void {
  try {
    effect();
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
  }
}
