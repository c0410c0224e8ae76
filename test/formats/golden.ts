/** Golden evidence of one version of the formats: its folder, and the texts that every later program must read from it. */
import { createHash } from 'node:crypto';
import { chmod, cp, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openLocalArchive } from '../../store/archive/local/archive.ts';
import { bundleStarts } from '../../store/ledger/sealed-bundles.ts';
import { readSealedBundle } from '../../store/ledger/sealed-parts.ts';
import { toRows } from '../../store/records/record-row.ts';
import { openKeysOf } from '../support/local-keys.ts';

export const FORMATS = resolve(import.meta.dirname, '../golden/formats');

/** `expected.json` beside the deployment. */
export interface Expected {
  readonly tree_size: number;
  readonly root_hash: string;
  readonly vkey: string;
  /** SHA-256 over leaf, facts, person and content of every record in log order, each as a line. */
  readonly texts_sha256: string;
}

/** One frame of the event log as its bytes and as what it holds, in `event-log.json`. */
export interface GoldenFrame {
  readonly frame: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Key and place of the MACs in `event-log.json`. They protect nothing. */
export const FRAME_KEY = Buffer.alloc(32, 7);
export const FRAME_PLACE = { logId: 'golden', partition: 3 } as const;

/** Copies a deployment from the tree. Git keeps no rights, and the program refuses what others may enter. */
export async function copyDeployment(version: string, to: string): Promise<void> {
  await cp(join(FORMATS, version, 'deployment'), to, { recursive: true });
  await closeFolder(to);
}

async function closeFolder(path: string): Promise<void> {
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) await closeFolder(inner);
    else await chmod(inner, path.includes('archive') ? 0o400 : 0o600);
  }
}

export async function digestOfTexts(deployment: string): Promise<string> {
  const archive = await openLocalArchive({ dir: join(deployment, 'archive'), clock: Date.now });
  const dataKeys = await openKeysOf(deployment);
  const digest = createHash('sha256');
  let chain: Uint8Array = new Uint8Array(32);
  for (const start of await bundleStarts(archive, 'p0')) {
    const bundle = await readSealedBundle({ archive, dataKeys }, 'p0', start);
    for (const { leaf, facts, person, content } of toRows(bundle, chain))
      for (const text of [leaf, facts, person, content]) digest.update(`${text}\n`);
    chain = Buffer.from(bundle.header.chain_head, 'hex');
  }
  await Promise.all([archive.close(), dataKeys.close()]);
  return digest.digest('hex');
}
