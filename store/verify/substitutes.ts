/**
 * Makes failures more exact: a malformed bundle may be another bundle of the same log, an invalid checkpoint may be of
 * another size or signed by another key. Reads only objects that have failed already.
 */
import { BundleHeader } from '../../schemas/bundle.ts';
import type { VerificationFailure } from '../../schemas/verification.ts';
import { decodeBundle } from '../chain/bundle-bytes.ts';
import { isOfOtherKey, openCheckpointOf } from '../chain/key-history.ts';
import { bundleKey, checkpointKey } from '../chain/layout.ts';
import type { KeptLog } from './kept-checkpoint.ts';
import type { Findings } from './report.ts';
import { parseCanonical } from './shape.ts';

export async function nameSubstitutes(logs: readonly KeptLog[], findings: Findings): Promise<void> {
  const failures = findings.failures();
  const isUnclear = ({ code }: VerificationFailure) =>
    code === 'bundle_malformed' || code === 'checkpoint_invalid';
  if (!failures.some(isUnclear)) return;
  for (const log of logs) {
    for (const failure of failures.filter(isUnclear)) {
      if (failure.code === 'bundle_malformed') await nameBundle(log, failure, findings);
      else await nameCheckpoint(log, failure, findings);
    }
  }
}

async function nameBundle(log: KeptLog, failure: VerificationFailure, findings: Findings): Promise<void> {
  if (failure.index === null || !log.bundles.includes(failure.index)) return;
  const name = bundleKey(log.log, failure.index);
  const object = await log.reader.read(name);
  const header = object && headerOf(object.bytes);
  if (header?.origin !== log.keys[0].key.name || header.start_index === failure.index) return;
  findings.refine(failure, 'bundle_misplaced', `${name} holds the bundle of ${String(header.start_index)}`);
}

function headerOf(bytes: Uint8Array): BundleHeader | undefined {
  try {
    return parseCanonical(BundleHeader, decodeBundle(bytes).headerText);
  } catch {
    return undefined;
  }
}

async function nameCheckpoint(log: KeptLog, failure: VerificationFailure, findings: Findings): Promise<void> {
  const size = log.checkpoints.find((each) => checkpointKey(log.log, each) === failure.detail);
  if (size === undefined) return;
  const note = (await log.reader.read(failure.detail))?.bytes.toString('utf8') ?? '';
  const checkpoint = openCheckpointOf(log.keys, note);
  if (checkpoint !== undefined && checkpoint.tree_size !== size) {
    const detail = `${failure.detail} holds the head of ${String(checkpoint.tree_size)}`;
    findings.refine(failure, 'checkpoint_misplaced', detail);
  } else if (isOfOtherKey(log.keys, note)) {
    const detail = `${failure.detail} was not signed by the key of the log`;
    findings.refine(failure, 'checkpoint_other_key', detail);
  }
}
