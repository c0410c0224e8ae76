import { PipelineError } from '../../schemas/errors.ts';

/** How a write goes wrong: nothing happened, or it happened and its answer was lost. */
export type Fault = 'not-applied' | 'applied';

export interface FaultPlan {
  /** Name of the write to hit, and which of its calls (1 is the next). */
  arm(write: string, fault: Fault, call?: number): void;
  /** Runs a write under the plan. */
  around<T>(write: string, apply: () => Promise<T>): Promise<T>;
  readonly fired: number;
}

/** Breaks chosen writes of memory adapters with an error that tells the caller to retry later. */
export function createFaultPlan(): FaultPlan {
  let armed: { write: string; fault: Fault; call: number } | undefined;
  let fired = 0;
  return {
    get fired() {
      return fired;
    },
    arm(write, fault, call = 1) {
      armed = { write, fault, call };
    },
    async around(write, apply) {
      if (armed?.write !== write || (armed.call -= 1) > 0) return apply();
      const { fault } = armed;
      armed = undefined;
      fired += 1;
      if (fault === 'applied') await apply();
      throw new PipelineError('ARCHIVE_UNAVAILABLE', `${write} broken by the test, ${fault}`);
    },
  };
}
