/**
 * The bytes that a sealed log takes. In: its archive folder, record store and bundles. Out: bytes by place, and how many of
 * them nothing can compress: digests, ids, nonces, tags and signatures.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engines } from '../../app/logs.ts';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { LEAF_SQL } from '../../store/records/queries/leaf-sql.ts';
import { bundleStarts, readHeaderAndLeaves } from '../../store/ledger/sealed-bundles.ts';

export interface Sizes {
  /** Objects of the archive and their lock files, of all logs. */
  readonly archive: number;
  /** The folder of the record store. */
  readonly hot: number;
  /** Leaves and parts as canonical JSON, before compression. */
  readonly raw: number;
  /** Bytes of the archive that are random. The ciphertext of a frame counts by its tag alone: it was compressed text. */
  readonly random: number;
}

const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Nonce and tag of AES-256-GCM. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export async function measureSizes(
  { archive, records, deployment }: Engines,
  { archiveDir, recordsDir }: { readonly archiveDir: string; readonly recordsDir: string },
): Promise<Sizes> {
  let random = 0;
  for (const { log } of deployment.logs) {
    for (const start of await bundleStarts(archive, log)) {
      const { header, frames, leafTexts } = await readHeaderAndLeaves(archive, bundleKey(log, start));
      random += randomOfHeader(header) + randomOfFrames(frames);
      for (const text of leafTexts) random += randomOfLeaf(text);
    }
    // A full tile of hashes for each 256 leaves, and one above it for each 256 of those.
    random += await bytesBelow(join(archiveDir, 'log', log, 'tile'), (name) => !name.endsWith('.lock'));
  }
  const [row] = await records.read<{ raw: number }>({
    name: 'raw bytes',
    sql: `SELECT sum(length(${LEAF_SQL}) + length(facts) + length(person) + length(content)) AS raw FROM records`,
    params: {},
  });
  return {
    archive: await bytesBelow(archiveDir),
    hot: await bytesBelow(recordsDir),
    raw: row?.raw ?? 0,
    random,
  };
}

/** Id and one digest for each part. Surrogates repeat, so they compress. */
function randomOfLeaf(text: string): number {
  const { parts } = JSON.parse(text) as { readonly parts: readonly unknown[] };
  return HASH_BYTES * (1 + parts.length);
}

/** Digest, nonce and tag of each frame, and one commitment for each key. */
function randomOfFrames(frames: readonly FrameRef[]): number {
  const keys = new Set(frames.map(({ commitment }) => commitment));
  return frames.length * (HASH_BYTES + NONCE_BYTES + TAG_BYTES) + keys.size * HASH_BYTES;
}

/** Root, chain value, digest of the lines, frontier and payload digests, and the signatures of bundle and checkpoint. */
function randomOfHeader({ frontier, payloads }: BundleHeader): number {
  return HASH_BYTES * (3 + frontier.length + payloads.length) + 2 * SIGNATURE_BYTES;
}

async function bytesBelow(dir: string, isWanted: (name: string) => boolean = () => true): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile() && isWanted(entry.name))
      bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}
