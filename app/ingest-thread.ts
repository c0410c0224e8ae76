/** Starts app/ingest-role.ts in a worker thread and speaks with it. Part of the composition root. */
import { Worker } from 'node:worker_threads';
import type { Ingest, IngestMessage, IngestSettings } from './ingest-role.ts';
import { PipelineError } from '../schemas/errors.ts';

export interface IngestThread extends Ingest {
  /** Never resolves while the thread is well; rejects when it ends without being asked. */
  readonly failed: Promise<never>;
}

const CLOSE_MESSAGE = 'close';

/** Resolves when the receivers listen; rejects with what the thread said if they cannot. */
export async function spawnIngest(settings: IngestSettings): Promise<IngestThread> {
  // The sources run the same entry as the build does; only the ending differs.
  const entry = new URL(
    import.meta.url.endsWith('.ts') ? 'ingest-role.ts' : 'ingest-role.js',
    import.meta.url,
  );
  const worker = new Worker(entry, { workerData: { ingest: settings } });
  let counters: Record<string, number> = {};
  let closing = false;
  let closed = (): void => undefined;
  const whenClosed = new Promise<void>((resolve) => (closed = resolve));
  let fail: (error: PipelineError) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);

  const ports = await new Promise<Pick<Ingest, 'port' | 'grpcPort'>>((resolve, reject) => {
    worker.on('message', (message: IngestMessage) => {
      switch (message.kind) {
        case 'listening': {
          resolve(message);
          return;
        }
        case 'counters':
          counters = message.counters;
          return;
        case 'closed': {
          closed();
          return;
        }
        case 'failed': {
          refuse(new PipelineError('START_REFUSED', `receivers: ${message.message}`));
          return;
        }
      }
    });
    worker.on('error', (cause) =>
      refuse(new PipelineError('INTERNAL', 'the receiving thread broke', { cause })),
    );
    worker.on('exit', (code) => {
      closed();
      if (!closing)
        refuse(new PipelineError('INTERNAL', `the receiving thread ended with code ${String(code)}`));
    });
    function refuse(error: PipelineError): void {
      reject(error);
      fail(error);
    }
  });

  return {
    port: ports.port,
    grpcPort: ports.grpcPort,
    failed,
    counters: () => counters,
    async close() {
      closing = true;
      worker.postMessage(CLOSE_MESSAGE);
      await whenClosed;
      await worker.terminate();
    },
  };
}
