import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../schemas/canonical.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { PACKAGE_PATHS, type ManifestFile, type PackageManifest } from '../../schemas/evidence-package.ts';
import { packageKeyName } from '../../store/chain/key-history.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { formatNote, parseVkey } from '../../store/chain/note.ts';
import type { Signer } from '../../store/keys/signer.ts';
import type { Framework } from '../controls/control.ts';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  txt: 'text/plain; charset=utf-8',
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8; header=present',
  pdf: 'application/pdf',
};

export interface ManifestOptions {
  readonly head: Pick<
    PackageManifest,
    'package_id' | 'created_at' | 'period' | 'origin' | 'tree_size' | 'root_hash' | 'synthetic'
  >;
  readonly framework: Framework;
  readonly signer: Signer;
}

/** Writes manifest and signature over the files at `paths` in `dir`, and answers the paths of these two. */
export async function writeManifest(
  dir: string,
  paths: readonly string[],
  { head, framework, signer }: ManifestOptions,
): Promise<string[]> {
  const manifest: PackageManifest = {
    v: 1,
    ...head,
    framework: framework.id,
    catalogue_version: framework.version,
    files: await listFiles(dir, paths),
  };
  const { manifest: text, manifestNote: note } = PACKAGE_PATHS;
  await writeFile(join(dir, text), manifestText(manifest), { flag: 'wx' });
  await writeFile(join(dir, note), await signManifest(signer, manifest), { flag: 'wx' });
  return [text, note];
}

/** Entries of the manifest for files that lie in `dir`, sorted by path. */
export async function listFiles(dir: string, paths: readonly string[]): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const path of [...paths].sort()) {
    const file = join(dir, path);
    const { size } = await stat(file);
    files.push({ path, sha256: await sha256OfFile(file), size_bytes: size, media_type: mediaType(path) });
  }
  return files;
}

/** Text of manifest.json: canonical JSON and a newline. */
export function manifestText(manifest: PackageManifest): string {
  return `${canonicalJson(manifest)}\n`;
}

/**
 * manifest.note: a signed note over three lines. Its first line differs from that of every checkpoint, so that neither
 * signature can be passed off as the other.
 */
export async function signManifest(signer: Signer, manifest: PackageManifest): Promise<string> {
  const key = parseVkey(signer.vkey);
  if (key === undefined) throw new PipelineError('INTERNAL', 'signer has no Ed25519 verifier key');
  const digest = sha256Hex(manifestText(manifest));
  const text = `${packageKeyName(manifest.origin)}\n${manifest.package_id}\n${digest}\n`;
  const signature = await signer.sign(Buffer.from(text));
  return formatNote(text, [{ name: key.name, keyId: key.keyId, signature }]);
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function mediaType(path: string): string {
  return MEDIA_TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'text/plain; charset=utf-8';
}
