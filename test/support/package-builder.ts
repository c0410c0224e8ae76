import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { listFiles, manifestText, signManifest } from '../../reports/package/manifest.ts';
import { writeZip } from '../../reports/package/zip.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { ControlResult } from '../../schemas/control.ts';
import { PACKAGE_PATHS, type PackageManifest, type PackageResults } from '../../schemas/evidence-package.ts';
import type { JsonValue } from '../../schemas/json.ts';
import { checkpointText } from '../../store/chain/checkpoint.ts';
import { formatGenesis } from '../../store/chain/genesis.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { inclusionProof, rootOf } from '../../store/chain/merkle.ts';
import { formatNote, parseVkey } from '../../store/chain/note.ts';
import { saltOf } from '../../store/chain/part.ts';
import { formatTlogProof } from '../../store/chain/tlog-proof.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { createTestSigner, testGenesis, testRecord, packageSignerOf } from './ledger.ts';
import { FRAME_SECRETS, sealAlone } from './seal-alone.ts';

/** Files of a package by path, as text. */
export type PackageFiles = Map<string, string>;

export interface TestPackageOptions {
  readonly signer?: Signer;
  /** Signs the manifest. @default the package signer of `signer` */
  readonly packageSigner?: Signer;
  /** Leaves in the log; every second one is in the package. */
  readonly leafCount?: number;
  readonly completeness?: 'complete' | 'incomplete';
  readonly synthetic?: boolean;
  /** Changes files before the manifest names and the key signs them. */
  readonly before?: (files: PackageFiles) => void;
  readonly manifest?: (manifest: PackageManifest) => PackageManifest;
  /** Changes files afterwards, as somebody without the key could. */
  readonly after?: (files: PackageFiles) => void;
}

export interface TestPackage {
  readonly dir: string;
  readonly path: string;
  readonly vkey: string;
  readonly files: PackageFiles;
  dispose(): Promise<void>;
}

const PERIOD = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };
const CSV_PATH = 'populations/CC6.1/sessions.csv';

/** A small package of the format, made by hand from the rules, with the container of the real writer. */
export async function buildTestPackage(options: TestPackageOptions = {}): Promise<TestPackage> {
  const signer = options.signer ?? createTestSigner();
  const files = await signedContents(signer, options);
  const head = JSON.parse(files.get('head')!) as { tree_size: number; root_hash: string };
  files.delete('head');
  options.before?.(files);
  const dir = await mkdtemp(join(tmpdir(), 'affidavit-package-'));
  await writeFiles(dir, files);
  const manifest: PackageManifest = {
    v: 1,
    package_id: 'pkg-1',
    created_at: '2026-04-02T08:00:00.000Z',
    framework: 'soc2',
    catalogue_version: '1',
    period: PERIOD,
    origin: signer.name,
    ...head,
    synthetic: options.synthetic ?? false,
    files: await listFiles(dir, [...files.keys()]),
  };
  const named = options.manifest?.(manifest) ?? manifest;
  files.set(PACKAGE_PATHS.manifest, manifestText(named));
  files.set(
    PACKAGE_PATHS.manifestNote,
    await signManifest(options.packageSigner ?? packageSignerOf(signer), named),
  );
  options.after?.(files);
  await rm(dir, { recursive: true });
  await writeFiles(dir, files);
  const path = join(dir, 'package.zip');
  await writeZip(
    path,
    [...files.keys()].map((name) => ({ path: name, file: join(dir, name) })),
  );
  return { dir, path, vkey: signer.vkey, files, dispose: () => rm(dir, { recursive: true }) };
}

async function writeFiles(dir: string, files: PackageFiles): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
}

async function signedContents(
  signer: Signer,
  { leafCount = 7, completeness = 'incomplete', synthetic = false }: TestPackageOptions,
) {
  const sealed = Array.from({ length: leafCount }, (_, index) => sealAlone(testRecord(index), index, null));
  const hashes = sealed.map(({ leaf_hash }) => leaf_hash);
  const head = { tree_size: leafCount, root_hash: Buffer.from(rootOf(hashes)).toString('hex') };
  const text = checkpointText({ origin: signer.name, ...head });
  const { name, keyId } = parseVkey(signer.vkey)!;
  const note = formatNote(text, [{ name, keyId, signature: await signer.sign(Buffer.from(text)) }]);
  const indexes = sealed.map((_, index) => index).filter((index) => index % 2 === 1);
  const ids = indexes.map((index) => sealed[index]!.leaf.id);
  const lines = (line: (index: number) => JsonValue) =>
    indexes.map((index) => `${canonicalJson(line(index))}\n`).join('');
  const proofOf = (index: number) => inclusionProof(index, hashes);
  const csv = `session_id,note,record_ids\r\ns-1,"a ""b"", c\r\nd",${ids.join(' ')}\r\ns-2,,${ids[0]!}\r\n`;
  return new Map([
    ['head', JSON.stringify(head)],
    [PACKAGE_PATHS.readme, 'Read me.\n'],
    [PACKAGE_PATHS.report, '%PDF-1.7\n'],
    [PACKAGE_PATHS.checkpoint, note],
    [PACKAGE_PATHS.key, `${signer.vkey}\n`],
    [PACKAGE_PATHS.genesis, formatGenesis(await testGenesis(signer, synthetic)).toString()],
    [PACKAGE_PATHS.results, resultsText(csv, ids, { state: completeness, synthetic })],
    [
      PACKAGE_PATHS.records,
      lines((index) => ({
        index,
        leaf: sealed[index]!.leaf_text,
        facts: JSON.parse(sealed[index]!.facts.text) as JsonValue,
        facts_salt: saltOf(FRAME_SECRETS.facts, index, 'facts'),
        person: JSON.parse(sealed[index]!.person!.text) as JsonValue,
        person_salt: saltOf(FRAME_SECRETS.person, index, 'person'),
      })),
    ],
    [
      PACKAGE_PATHS.proofs,
      lines((index) => ({
        index,
        hashes: proofOf(index).map((hash) => Buffer.from(hash).toString('base64')),
      })),
    ],
    [CSV_PATH, csv],
    [
      `proofs/${'1'.padStart(20, '0')}.tlog-proof`,
      formatTlogProof({ index: 1, path: proofOf(1), checkpoint: note }),
    ],
  ]);
}

function resultsText(
  csv: string,
  ids: readonly string[],
  { state, synthetic }: { readonly state: 'complete' | 'incomplete'; readonly synthetic: boolean },
): string {
  const result: ControlResult = {
    control_id: 'CC6.1',
    framework: 'soc2',
    title: 'Access',
    state: 'exception',
    state_reason: 'one exception',
    populations: [
      {
        id: 'sessions',
        title: 'Sessions',
        definition: 'All sessions.',
        sql: 'SELECT 1',
        params: {},
        row_count: 2,
        record_count: ids.length,
        csv_path: CSV_PATH,
        csv_sha256: sha256Hex(csv),
      },
    ],
    figures: [],
    exceptions: [{ rule: 'r', description: 'd', session_id: null, tool_use_id: null, record_ids: [ids[0]!] }],
    completeness: { period: PERIOD, state, statistics: [], findings: [] },
    not_proven: [],
  };
  const results: PackageResults = { v: 1, package_id: 'pkg-1', period: PERIOD, synthetic, results: [result] };
  return `${canonicalJson(results as unknown as JsonValue)}\n`;
}

/** Replaces a text that must be there. */
export function swap(files: PackageFiles, path: string, from: string | RegExp, to: string): void {
  const text = files.get(path)!;
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`nothing to change in ${path}`);
  files.set(path, changed);
}
