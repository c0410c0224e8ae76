/** Whether the key store belongs to the archive as it is now. In: both. Out: a refusal where it does not. */
import { PipelineError } from '../../schemas/errors.ts';
import { frameKeyAddress } from '../chain/frame.ts';
import { bundleKey } from '../chain/layout.ts';
import { readHeaderAndLeaves } from './sealed-bundles.ts';
import type { LedgerOptions } from './options.ts';

/**
 * Asks for the key of every frame of the newest bundle, which starts at `newest`. An older copy of the key store lacks the
 * newest keys: sealing would make other keys under the same addresses, and the lost ones would have no place to come back
 * to. Throws KEY_MISSING.
 */
export async function requireNewestKeys(
  { archive, dataKeys, log }: Pick<LedgerOptions, 'archive' | 'dataKeys' | 'log'>,
  newest: number,
): Promise<void> {
  const key = bundleKey(log, newest);
  const { header, frames } = await readHeaderAndLeaves(archive, key);
  const found = await dataKeys.find(frames.map((frame) => frameKeyAddress(header, frame)));
  const missing = found.filter((one, position) => {
    if (one === 'destroyed') return false;
    return one === 'absent' || one.commitment.toString('base64url') !== frames[position]?.commitment;
  });
  if (missing.length === 0) return;
  const count = `${String(missing.length)} of ${String(frames.length)}`;
  const detail = `the key store lacks the keys of ${count} frames of ${key}, or has others: it is not the newest copy`;
  throw new PipelineError('KEY_MISSING', detail);
}
