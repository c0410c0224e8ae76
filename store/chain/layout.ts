/** The keys of a log's objects in an archive. Numbers are zero-padded, so byte order is log order. Pure. */
import type { PartKind, PayloadRef } from '../../schemas/bundle.ts';

/** A key, taken apart. `position` is a leaf index or tree size, undefined for the genesis. */
export interface ParsedKey {
  readonly log: string;
  readonly folder: 'genesis' | 'bundle' | 'checkpoint' | PartKind;
  readonly position: number | undefined;
}

/** genesis | bundle/<20 digits> | checkpoint/<20 digits> | facts, person or content/<class>/<20 digits>-<16 hex digits> */
const KEY =
  /^log\/([A-Za-z0-9_][A-Za-z0-9._-]*)\/(?:(genesis)|(bundle|checkpoint)\/([0-9]{20})|(facts|person|content)\/[a-z][a-z0-9-]{0,31}\/([0-9]{20})-[0-9a-f]{16})$/;
/** Enough for any 64-bit number. */
const DIGITS = 20;

export const LOG_ROOT = 'log/';

function padIndex(index: number): string {
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
 * The key carries part of the digest. A batch whose bundle was never created is sealed again with other salts: the
 * payload objects of the first attempt stay behind, named by no bundle, and must not block the next attempt.
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

/** Undefined where the text is not a key of an archive. */
export function parseKey(key: string): ParsedKey | undefined {
  const [, log, genesis, numbered, number, kind, start] = KEY.exec(key) ?? [];
  const folder = genesis ?? numbered ?? kind;
  if (log === undefined || folder === undefined) return undefined;
  const digits = number ?? start;
  const position = digits === undefined ? undefined : Number(digits);
  if (position !== undefined && !Number.isSafeInteger(position)) return undefined;
  return { log, folder: folder as ParsedKey['folder'], position };
}
