/** One of the processes that share the runs: told what to do by its parent, tells how far it is and what it found. */
import { simulateMany, type Failure, type ManyOptions } from './property.ts';

export type WorkerTask = Omit<ManyOptions, 'onRun'>;
export type WorkerMessage =
  | { readonly kind: 'progress'; readonly runs: number }
  | { readonly kind: 'done'; readonly result: WorkerResult };

/** As it crosses between processes. */
export interface WorkerResult {
  readonly runs: number;
  readonly counts: readonly (readonly [string, number])[];
  readonly failure: Failure | undefined;
}

const TELL_EVERY_RUNS = 500;

export async function work(task: WorkerTask, tell: (runs: number) => void): Promise<WorkerResult> {
  let runs = 0;
  const onRun = () => {
    runs += 1;
    if (runs % TELL_EVERY_RUNS === 0) tell(runs);
  };
  const result = await simulateMany({ ...task, onRun });
  return { ...result, counts: [...result.counts] };
}

if (process.send !== undefined && process.argv[2] === '--worker') {
  const tell = (message: WorkerMessage) => process.send?.(message);
  process.once('message', (task: WorkerTask) => {
    void work(task, (runs) => tell({ kind: 'progress', runs })).then((result) => {
      tell({ kind: 'done', result });
      process.disconnect();
    });
  });
}
