import { randomUUID } from 'node:crypto';
import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openEmbeddedEventLog } from '../../ingest/embedded/event-log.ts';
import { mountDisk } from '../support/mounted-disk.ts';
import { envelopeOf } from '../contract/envelope.ts';
import { consumeCount } from '../contract/event-log.contract.ts';

const MIB = 1024 * 1024;
const disk = await mountDisk(160 * MIB);
const fewInodes = await mountDisk(160 * MIB, 4000);
if (disk === undefined) {
  process.stderr.write(
    'room for sealing is not tested: mounting a tmpfs was refused (it needs root on Linux)\n',
  );
}

describe.skipIf(disk === undefined)('the event log on a small disk', () => {
  it('stops taking envelopes while there is room to seal those that it took', async () => {
    const log = await openEmbeddedEventLog({
      newId: randomUUID,
      dir: join(disk!.path, 'event-log'),
      maxBacklogBytes: 1024 * MIB,
      maxBacklogEnvelopes: 1_000_000,
    });
    let refusal: unknown;
    for (let n = 0; refusal === undefined && n < 160; n += 1) {
      const envelope = { ...envelopeOf(`envelope ${String(n)}`), body: Buffer.alloc(MIB, n) };
      await log.append([envelope]).catch((error: unknown) => (refusal = error));
    }
    const { bytes } = await log.lag();
    const { bavail, bsize } = await statfs(disk!.path);
    await log.close();
    await disk!.remove();
    expect(refusal).toMatchObject({ code: 'LOG_UNAVAILABLE', retry: 'later' });
    expect(bytes).toBeGreaterThan(24 * MIB);
    expect(bavail * bsize).toBeGreaterThan(32 * MIB + 3 * bytes);
  });
});

describe.skipIf(fewInodes === undefined)('the event log on a disk with few inodes', () => {
  it('stops taking envelopes while there are inodes to seal those that it took, and goes on when some are freed', async () => {
    const log = await openEmbeddedEventLog({
      dir: join(fewInodes!.path, 'event-log'),
      newId: randomUUID,
      maxBacklogBytes: 64 * MIB,
      maxBacklogEnvelopes: 1000,
    });
    await log.append([envelopeOf('before')]);
    await fewInodes!.takeFiles(1500);
    const refused = log.append([envelopeOf('refused')]);
    await expect(refused).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
      retry: 'later',
      detail: expect.stringMatching(/^fewer than \d+ inodes are free on the disk$/) as string,
    });
    // Envelopes that were taken are still sealed and removed.
    const sealed = await consumeCount(log, 1);
    expect(sealed.envelopes.map(({ envelope }) => envelope.envelope_id)).toEqual(['before']);
    await rm(join(fewInodes!.path, 'files'), { recursive: true });
    await log.append([envelopeOf('after')]);
    await log.close();
    await fewInodes!.remove();
  });
});
