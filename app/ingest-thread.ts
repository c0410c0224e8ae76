/** Runs the receivers in a worker thread and talks to it. */
import { Worker } from 'node:worker_threads';
import type { AppContext } from './context.ts';
import type { Ingest, IngestMessage, IngestSettings } from './ingest-role.ts';
import { PipelineError } from '../schemas/errors.ts';

export interface IngestThread extends Ingest {
  /** Never resolves while the thread is well; rejects when it ends unasked. */
  readonly failed: Promise<never>;
}

const CLOSE_MESSAGE = 'close';

/** Resolves when the receivers listen; rejects with the thread's own error if they cannot. */
export async function spawnIngest(settings: IngestSettings): Promise<IngestThread> {
  const receiving = new ReceivingThread(settings);
  const { port, grpcPort } = await receiving.listening;
  return {
    port,
    grpcPort,
    failed: receiving.failed,
    counters: () => receiving.counters,
    close: () => receiving.close(),
  };
}

type Ports = Pick<Ingest, 'port' | 'grpcPort'>;

/** A worker and its messages: first its ports, then counters again and again, last that it closed or failed. */
class ReceivingThread {
  readonly listening: Promise<Ports>;
  readonly failed: Promise<never>;
  readonly #worker: Worker;
  readonly #closed: Promise<void>;
  #resolveListening: (ports: Ports) => void = () => undefined;
  #rejectListening: (error: PipelineError) => void = () => undefined;
  #rejectFailed: (error: PipelineError) => void = () => undefined;
  #resolveClosed: () => void = () => undefined;
  #counters: Record<string, number> = {};
  #isClosing = false;

  constructor(settings: IngestSettings) {
    this.listening = new Promise((resolve, reject) => {
      this.#resolveListening = resolve;
      this.#rejectListening = reject;
    });
    this.failed = new Promise<never>((_, reject) => (this.#rejectFailed = reject));
    // The first failure may come before anybody waits for it.
    this.failed.catch(() => undefined);
    this.#closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#worker = new Worker(entry(), { workerData: { ingest: settings } });
    this.#worker.on('message', (message: IngestMessage) => this.#onMessage(message));
    this.#worker.on('error', (cause) =>
      this.#fail(new PipelineError('INTERNAL', 'the receiving thread broke', { cause })),
    );
    this.#worker.on('exit', (code) => {
      this.#resolveClosed();
      if (this.#isClosing) return;
      this.#fail(new PipelineError('INTERNAL', `the receiving thread ended with code ${String(code)}`));
    });
  }

  get counters(): Record<string, number> {
    return this.#counters;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#worker.postMessage(CLOSE_MESSAGE);
    await this.#closed;
    await this.#worker.terminate();
  }

  #onMessage(message: IngestMessage): void {
    switch (message.kind) {
      case 'listening':
        this.#resolveListening(message);
        return;
      case 'counters':
        this.#counters = message.counters;
        return;
      case 'closed':
        this.#resolveClosed();
        return;
      case 'failed':
        this.#fail(new PipelineError('START_REFUSED', `receivers: ${message.message}`));
    }
  }

  #fail(error: PipelineError): void {
    this.#rejectListening(error);
    this.#rejectFailed(error);
  }
}

/** The sources and the build run the same entry; only its ending differs. */
function entry(): URL {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`ingest-role.${ending}`, import.meta.url);
}

/** Receivers in this thread, for tests: another thread can be handed neither functions nor engines. */
export async function receiveInThisThread(
  settings: IngestSettings,
  context: AppContext,
): Promise<IngestThread> {
  const { startIngest } = await import('./ingest-role.ts');
  const ingest = await startIngest(settings, context);
  return { ...ingest, failed: new Promise<never>(() => undefined) };
}
