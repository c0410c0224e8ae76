/** The form of keys, the same for every adapter, so that an archive can move from one store to another. Pure. */
import { LOCK_SUFFIX } from '../../schemas/archive-lock.ts';
import { PipelineError } from '../../schemas/errors.ts';

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** File names are limited to 255 bytes; a lock file adds the digest and its ending. */
const MAX_SEGMENT_LENGTH = 180;
/** S3 counts the bytes of the whole key, with the prefix of the archive before it. */
const MAX_KEY_LENGTH = 1024;

export function isKey(key: string): boolean {
  return key.length <= MAX_KEY_LENGTH && key.split('/').every(isSegment);
}

/** Throws PARAMETER_INVALID. The archive puts `archivePrefix` before each of its keys. */
export function checkKey(key: string, archivePrefix = ''): void {
  if (isKey(key) && archivePrefix.length + key.length <= MAX_KEY_LENGTH) return;
  throw new PipelineError('PARAMETER_INVALID', 'archive key is not valid', { place: key });
}

/** Throws PARAMETER_INVALID. */
export function checkPrefix(prefix: string): void {
  const folders = prefix.split('/');
  const rest = folders.pop() ?? '';
  if (folders.every(isSegment) && (rest === '' || SEGMENT.test(rest))) return;
  throw new PipelineError('PARAMETER_INVALID', 'archive prefix is not valid', { place: prefix });
}

/** Throws CONFIG_INVALID unless it is empty, or segments that each end in a slash. */
export function checkArchivePrefix(prefix: string): void {
  if (prefix === '' || (prefix.endsWith('/') && isKey(prefix.slice(0, -1)))) return;
  throw new PipelineError('CONFIG_INVALID', `the prefix ${prefix} is not made of segments that end in /`);
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment.length <= MAX_SEGMENT_LENGTH && !segment.endsWith(LOCK_SUFFIX);
}
