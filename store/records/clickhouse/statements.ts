/** Statements in flight: which may run side by side, and when the engine may be closed. */
import { PipelineError } from '../../../schemas/errors.ts';
import { toPipelineError, type EngineStep } from './engine-errors.ts';

/** Closing the engine under a running statement would crash the process, so `close` waits for all of them. */
export class Statements {
  /** Settles, without rejecting, when its statement ends. */
  readonly #running = new Set<Promise<unknown>>();
  /** Never rejects. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** Runs a statement at once. `attempted` names it in errors. */
  run<T>(step: EngineStep, attempted: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      return Promise.reject(new PipelineError('STORE_UNAVAILABLE', `${attempted}: the store is closed`));
    }
    const result = guarded(step, attempted, work);
    const settled = result.catch(() => undefined).finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    return result;
  }

  /** Runs a write after the writes before it: each looks at the present rows before it adds to them. */
  inTurn<T>(attempted: string, work: () => Promise<T>): Promise<T> {
    const turn = this.#lastWrite.then(() => this.run('write', attempted, work));
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  /** Idempotent; waits for the last write and all running statements, then calls `closeEngine`. */
  close(closeEngine: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#lastWrite.then(() => Promise.all(this.#running)).then(closeEngine);
    return this.#closing;
  }
}

/** Translates failures of the engine into PipelineErrors. */
export async function guarded<T>(step: EngineStep, attempted: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toPipelineError(error, step, attempted);
  }
}
