import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { lockFileName, type ArchiveLockRecord } from '../../schemas/archive-lock.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import type { BundleHeader, UnsignedBundleHeader } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { toBundle } from './bundle-file.ts';
import { headerMessage } from '../../store/chain/bundle-signature.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { appendLeaves, chainHash, chainStart, frontierRoot, leafHash } from '../../store/chain/merkle.ts';
import { formatLockFile, parseLockFile } from '../../store/verify/lock-file.ts';
import type { LedgerOptions } from '../../store/ledger/options.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { openLedger } from '../../store/ledger/ledger.ts';
import { sealParts } from '../../store/ledger/payloads.ts';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { appendWhole, createTestLog, testRecord } from './ledger.ts';
import { createMemoryRecordStore } from './memory-record-store.ts';

export interface TestArchive {
  readonly dir: string;
  readonly options: LedgerOptions;
  dispose(): Promise<void>;
}

/** A local archive written by the real ledger: one bundle per batch size. */
export async function writeTestArchive(batchSizes: readonly number[]): Promise<TestArchive> {
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-verify-'));
  const clock = () => Date.parse('2026-11-21T09:00:00.000Z');
  const archive = await openLocalArchive({ dir, clock });
  const options = await createTestLog({ archive, records: createMemoryRecordStore(), clock });
  const ledger = await openLedger(options);
  let count = 0;
  for (const [position, size] of batchSizes.entries()) {
    const records = Array.from({ length: size }, (_, offset) => mixedRecord(count + offset));
    count += size;
    await appendWhole(ledger, { records, next_offset: BigInt(position + 1), duplicate_count: 0 });
  }
  return { dir, options, dispose: () => rm(dir, { recursive: true }) };
}

/** Two retention classes, with and without content. */
export function mixedRecord(n: number): AuditRecord {
  return testRecord(n, n % 5 === 0 ? { retention_class: 'file' } : {});
}

/** Paths of all files below the folder, relative, sorted. */
export async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort();
}

export async function overwrite(path: string, bytes: Uint8Array | string): Promise<void> {
  await chmod(path, 0o644);
  await writeFile(path, bytes);
}

/** Changes a file for the time of `work`. */
export async function whileChanged<T>(
  path: string,
  change: (bytes: Buffer) => Uint8Array,
  work: () => Promise<T>,
) {
  const original = await readFile(path);
  await overwrite(path, change(Buffer.from(original)));
  try {
    return await work();
  } finally {
    await writeFile(path, original);
  }
}

/** Removes a file for the time of `work`. */
export async function whileGone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const original = await readFile(path);
  await rm(path);
  try {
    return await work();
  } finally {
    await writeFile(path, original);
  }
}

/** What an operator with every right does: puts other bytes in place and makes the lock file fit them. */
export async function replaceObject(dir: string, key: string, bytes: Uint8Array): Promise<void> {
  const oldLock = lockFileName(key, sha256Hex(await readFile(join(dir, key))));
  const lock = parseLockFile(await readFile(join(dir, oldLock), 'utf8'));
  if (lock === undefined) throw new Error(`no lock file of ${key}`);
  await rm(join(dir, oldLock));
  await overwrite(join(dir, key), bytes);
  const sha256 = sha256Hex(bytes);
  await writeFile(
    join(dir, lockFileName(key, sha256)),
    formatLockFile({ ...lock, sha256, size_bytes: bytes.length }),
  );
}

/** What an operator with every right does to the lock of an object: the lock file says something else, and fits. */
export async function changeLock(
  dir: string,
  key: string,
  change: (lock: ArchiveLockRecord) => Partial<ArchiveLockRecord>,
): Promise<void> {
  const path = join(dir, lockFileName(key, sha256Hex(await readFile(join(dir, key)))));
  const lock = parseLockFile(await readFile(path, 'utf8'));
  if (lock === undefined) throw new Error(`no lock file of ${key}`);
  await overwrite(path, formatLockFile({ ...lock, ...change(lock) }));
}

/** Removes an object and its lock file. */
export async function removeObject(dir: string, key: string): Promise<void> {
  const lock = lockFileName(key, sha256Hex(await readFile(join(dir, key))));
  await rm(join(dir, key));
  await rm(join(dir, lock));
}

/** What whoever holds the key can do: the header with a signature that fits it. */
export async function signedHeader(signer: Signer, header: BundleHeader): Promise<BundleHeader> {
  const message = headerMessage(unsigned(header));
  return { ...header, signature: Buffer.from(await signer.sign(message)).toString('base64') };
}

function unsigned(header: BundleHeader): UnsignedBundleHeader {
  const members = Object.entries(header).filter(([name]) => name !== 'signature');
  return Object.fromEntries(members) as unknown as UnsignedBundleHeader;
}

/** What an operator without the signing key can do: seals other records from `start` on, and makes everything fit. */
export async function rewriteFrom(
  archive: TestArchive,
  sizes: readonly number[],
  start: number,
): Promise<void> {
  const { dir } = archive;
  let frontier: readonly Uint8Array[] = [];
  let chain: Uint8Array = chainStart();
  let size = 0;
  for (const count of sizes) {
    const key = bundleKey('p0', size);
    const old = decodeBundle(await readFile(join(dir, key)));
    const header = JSON.parse(old.headerText) as BundleHeader;
    const records = Array.from({ length: count }, (_, offset) => mixedRecord(1000 + size + offset));
    const isOther = size >= start;
    if (isOther) for (const { key: payload } of header.payloads) await removeObject(dir, payload);
    const place = { startIndex: size, nowMs: Date.parse(header.integrated_at) };
    const parts = isOther ? await sealParts(archive.options, records, place) : undefined;
    const leafTexts = parts?.sealed.map(({ leaf_text }) => leaf_text) ?? old.leafTexts;
    const hashes = leafTexts.map((text) => leafHash(Buffer.from(text)));
    frontier = appendLeaves(frontier, size, hashes);
    chain = hashes.reduce(chainHash, chain);
    if (parts !== undefined) {
      const forged = {
        ...header,
        root_hash: hex(frontierRoot(frontier)),
        frontier: frontier.map(hex),
        chain_head: hex(chain),
        frame_count: parts.frames.length,
        payloads: [...parts.payloads],
      };
      const frameTexts = parts.frames.map((frame) => canonicalJson(frame));
      await replaceObject(dir, key, await toBundle(forged, { frameTexts, leafTexts }));
    }
    size += count;
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
