/** Where the objects of a log lie in an archive. Numbers are zero-padded, so byte order is log order. Pure. */
import type { PayloadRef } from '../../schemas/bundle.ts';

/** Enough for any 64-bit number. */
const DIGITS = 20;

export const LOG_ROOT = 'log/';

export function padIndex(index: number): string {
  return String(index).padStart(DIGITS, '0');
}

export function genesisKey(log: string): string {
  return `${LOG_ROOT}${log}/genesis`;
}

export function bundlePrefix(log: string): string {
  return `${LOG_ROOT}${log}/bundle/`;
}

export function bundleKey(log: string, startIndex: number): string {
  return `${bundlePrefix(log)}${padIndex(startIndex)}`;
}

/**
 * Part of the digest stands in the key because a batch whose bundle was never created is sealed anew with other
 * salts: its first payload objects stay behind, named by no bundle, and must not block the next attempt.
 */
export function payloadKey(
  log: string,
  ref: Pick<PayloadRef, 'kind' | 'retention_class' | 'sha256'>,
  startIndex: number,
): string {
  const folder = `${LOG_ROOT}${log}/${ref.kind}/${ref.retention_class}`;
  return `${folder}/${padIndex(startIndex)}-${ref.sha256.slice(0, 16)}`;
}

export function checkpointPrefix(log: string): string {
  return `${LOG_ROOT}${log}/checkpoint/`;
}

export function checkpointKey(log: string, treeSize: number): string {
  return `${checkpointPrefix(log)}${padIndex(treeSize)}`;
}
