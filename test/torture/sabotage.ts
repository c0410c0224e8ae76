/** Damages an archive as an attacker would, to show that the harness sees it. */
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG_ROOT } from '../../store/chain/layout.ts';
import type { Sabotage } from './arguments.ts';

/**
 * Changes one byte of the first payload object, or removes it. A server that goes on does not read it again, so it is the
 * verification after a round that must see it. Throws if there is none.
 */
export async function damage(archive: string, how: Sabotage): Promise<void> {
  const folder = join(archive, LOG_ROOT, 'p0', 'payload');
  const paths = await readdir(folder, { recursive: true });
  const [first] = paths.filter((path) => /\/[0-9]{20}-[0-9a-f]{16}$/.test(path)).sort();
  if (first === undefined) throw new Error('there is no payload object to damage yet');
  const path = join(folder, first);
  if (how === 'remove') return rm(path);
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 0x01, middle);
  await chmod(path, 0o600);
  await writeFile(path, bytes);
}
