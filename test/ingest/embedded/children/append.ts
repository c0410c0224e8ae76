import { randomUUID } from 'node:crypto';
/*
 * As a process or a worker: appends to the event log in a folder until it is killed or has sent its share, and tells each acknowledged or
 * refused append on a line of its own: "ok NAME" or "no CODE NAME".
 */
import { writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { openEmbeddedEventLog } from '../../../../ingest/embedded/event-log.ts';
import { PipelineError } from '../../../../schemas/errors.ts';
import { envelopeOf } from '../../../contract/envelope.ts';

const [dir = '', prefix = 'child', countText = '0', sizeText = '500'] = process.argv.slice(2);
const count = Number(countText);
const log = await openEmbeddedEventLog({
  newId: randomUUID,
  dir,
  maxBacklogBytes: 256 * 1024 * 1024,
  maxBacklogEnvelopes: 1_000_000,
});
let next = 0;

/** Synchronous in a process, so that what was said before a kill was heard. */
function say(line: string): void {
  if (parentPort === null) writeSync(1, `${line}\n`);
  else parentPort.postMessage(line);
}

async function appendNext(): Promise<void> {
  while (count === 0 || next < count) {
    const name = `${prefix}${next++}`;
    try {
      await log.append([envelopeOf(name, Buffer.alloc(Number(sizeText), name))]);
      say(`ok ${name}`);
    } catch (error) {
      say(`no ${error instanceof PipelineError ? error.code : String(error)} ${name}`);
    }
  }
}

await Promise.all([appendNext(), appendNext(), appendNext(), appendNext()]);
await log.close();
