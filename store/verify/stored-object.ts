/** One object of an archive as it was read, and how a file becomes one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { FailureCode } from '../../schemas/verification-failures.ts';
import { sha256Hex } from '../chain/leaf.ts';

export interface StoredObject {
  readonly bytes: Buffer;
  /** SHA-256 of the bytes, hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Its lock, where reading the object shows it. */
  readonly lock?: ArchiveLock | undefined;
  /** Defects of how it is kept, where reading the object shows them. A folder keeps its locks in separate files. */
  readonly problems?: readonly LockProblem[];
}

/** An object without its bytes: enough to check its lock. */
export type ObjectDigest = Omit<StoredObject, 'bytes'>;

export interface LockProblem {
  readonly code: FailureCode;
  readonly detail: string;
}

/** Undefined where the file does not exist. */
export async function readStoredObject(dir: string, key: string): Promise<StoredObject | undefined> {
  const bytes = await readIfPresent(join(dir, key));
  return bytes && { bytes, sha256: sha256Hex(bytes), sizeBytes: bytes.length };
}

export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  return ifPresent(readFile(path));
}

/** A folder under the name of an object holds no bytes of it. */
const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'EISDIR'];

export async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && ABSENT.includes(String(error.code))) return undefined;
    throw error;
  }
}
