import { Type, type Static } from 'typebox';
import { ControlResult, FrameworkId, Period } from './control.ts';
import { HashBase64Url, HashHex, InstantUtc, SafeCount } from './primitives.ts';
import { Facts, Person } from './record.ts';

export const PACKAGE_PATHS = {
  manifest: 'manifest.json',
  manifestNote: 'manifest.note',
  readme: 'README.txt',
  report: 'report.pdf',
  results: 'results.json',
  records: 'records.jsonl',
  proofs: 'proofs.jsonl',
  checkpoint: 'checkpoint',
  key: 'keys/log.vkey',
  genesis: 'genesis',
} as const;

/** The changes of key before the checkpoint; only in a package about a log that changed its key. */
export const KEY_CHANGES_PATH = 'keys/rotations.jsonl';

export const ManifestFile = Type.Object(
  { path: Type.String(), sha256: HashHex, size_bytes: SafeCount, media_type: Type.String() },
  { additionalProperties: false },
);
export type ManifestFile = Static<typeof ManifestFile>;

/**
 * `manifest.json`: canonical JSON and a newline. It names every file of the package but itself and `manifest.note`,
 * sorted by path. `manifest.note` is a C2SP signed note whose text is three lines:
 * `<origin>/evidence-package`, the package id, and the SHA-256 of manifest.json in hex.
 */
export const PackageManifest = Type.Object(
  {
    v: Type.Literal(1),
    package_id: Type.String(),
    created_at: InstantUtc,
    framework: FrameworkId,
    catalogue_version: Type.String(),
    period: Period,
    origin: Type.String(),
    tree_size: SafeCount,
    root_hash: HashHex,
    synthetic: Type.Boolean({ description: 'mark of the genesis of the log' }),
    files: Type.Array(ManifestFile),
  },
  { additionalProperties: false },
);
export type PackageManifest = Static<typeof PackageManifest>;

/** One line of `records.jsonl`, rising by index: a record that a population or an exception rests on. */
export const PackageRecord = Type.Object(
  {
    index: SafeCount,
    leaf: Type.String({ description: 'canonical leaf text, the bytes that were hashed' }),
    facts: Facts,
    facts_salt: HashBase64Url,
    person: Type.Optional(Person),
    person_salt: Type.Optional(HashBase64Url),
  },
  { additionalProperties: false },
);
export type PackageRecord = Static<typeof PackageRecord>;

/** One line of `proofs.jsonl`, same order: RFC 6962 audit path from leaf to root, base64 hashes. */
export const PackageProof = Type.Object(
  { index: SafeCount, hashes: Type.Array(Type.String()) },
  { additionalProperties: false },
);
export type PackageProof = Static<typeof PackageProof>;

/** `results.json`. */
export const PackageResults = Type.Object({
  v: Type.Literal(1),
  package_id: Type.String(),
  period: Period,
  synthetic: Type.Boolean({ description: 'as in the manifest' }),
  results: Type.Array(ControlResult),
});
export type PackageResults = Static<typeof PackageResults>;
