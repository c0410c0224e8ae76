/** One object of an archive, and how a folder's file is read as one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FailureCode } from '../../schemas/verification.ts';
import { sha256Hex } from '../chain/leaf.ts';

export interface ArchiveObject {
  readonly bytes: Buffer;
  /** Of the bytes, hex. */
  readonly sha256: string;
  /** Number of the bytes. */
  readonly size: number;
  /** What is wrong with how it is kept, where reading it tells; a folder keeps that in files of their own. */
  readonly problems?: readonly LockProblem[];
}

export interface LockProblem {
  readonly code: FailureCode;
  readonly detail: string;
}

/** Undefined if there is none. */
export async function readArchiveObject(dir: string, key: string): Promise<ArchiveObject | undefined> {
  const bytes = await readIfPresent(join(dir, key));
  return bytes && { bytes, sha256: sha256Hex(bytes), size: bytes.length };
}

export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  return ifPresent(readFile(path));
}

export async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}
