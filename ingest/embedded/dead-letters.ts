/** Entries that hold no envelope, kept as files beside the embedded event log for an investigation. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../schemas/errors.ts';
import { syncFolder } from './environment.ts';

/** An entry as it was found, and the reason why it holds no envelope. */
export interface DeadLetter {
  readonly offset: bigint;
  readonly bytes: Buffer;
  readonly reason: string;
}

/**
 * Writes `<offset>-<16 hex digits of the SHA-256>.frame` below `dir`, readable by this user alone. On stable storage when
 * it resolves. Idempotent: the same entry is found again after a crash. Throws LOG_UNAVAILABLE where the medium fails.
 */
export async function keepDeadLetter(dir: string, { offset, bytes }: DeadLetter): Promise<void> {
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const path = join(dir, `${offset.toString()}-${digest}.frame`);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const kept = await readFile(path).catch(() => undefined);
    if (kept?.equals(bytes) !== true) {
      const file = await open(path, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    await syncFolder(dir);
    await syncFolder(join(dir, '..'));
  } catch (cause) {
    throw new PipelineError('LOG_UNAVAILABLE', 'a dead letter cannot be kept', { cause });
  }
}
