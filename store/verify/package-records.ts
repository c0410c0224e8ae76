/** The records of a package against the signed root, line by line, so that memory does not grow with the package. */
import { canonicalJson } from '../../schemas/canonical.ts';
import type { PartKind } from '../../schemas/bundle.ts';
import { PACKAGE_PATHS, PackageProof, PackageRecord } from '../../schemas/evidence-package.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { digestIn } from '../chain/leaf.ts';
import { partDigest, partLine } from '../chain/part.ts';
import { leafHash, rootFromInclusion } from '../chain/merkle.ts';
import { fromBase64 } from '../chain/note.ts';
import { parseTlogProof } from '../chain/tlog-proof.ts';
import type { Container } from './container.ts';
import type { Findings, Progress } from './report.ts';
import { parseCanonical } from './shape.ts';
import { readLines, readText } from './package-text.ts';

interface SignedTree {
  readonly tree_size: number;
  readonly root_hash: string;
  /** The checkpoint as it lies in the package. */
  readonly note: string;
}

/** proofs/<index, 20 digits>.tlog-proof */
const PROOF_PATH = /^proofs\/([0-9]{20})\.tlog-proof$/;

export function proofIndex(path: string): number | undefined {
  const digits = PROOF_PATH.exec(path)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

interface RecordRun {
  readonly container: Container;
  readonly tree: SignedTree;
  readonly findings: Findings;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Checks records.jsonl with proofs.jsonl and the stand-alone proofs. Resolves the ids of the records. */
export async function verifyRecords(run: RecordRun): Promise<Set<string>> {
  const { container, findings } = run;
  const ids = new Set<string>();
  const standAlone = new Set(
    [...container.files.keys()].map(proofIndex).filter((index) => index !== undefined),
  );
  let previous = -1;
  let lineCount = 0;
  try {
    for await (const [line, proofLine] of pairedLines(container)) {
      lineCount += 1;
      const proof = parseCanonical(PackageProof, proofLine);
      const record = line === undefined ? undefined : parseRecord(line, previous, run);
      if (record === undefined) {
        const detail = `line ${String(lineCount)} of records.jsonl is missing, not canonical, out of order or beyond the tree`;
        findings.fail('record_malformed', proof?.index ?? null, detail);
        continue;
      }
      previous = record.index;
      ids.add(record.leaf.id);
      checkProof(record, proof, run);
      if (standAlone.delete(record.index)) await checkStandAlone(record, run);
      if (lineCount % 1000 === 0) run.onProgress?.({ step: 'records', done: lineCount });
    }
  } catch (error) {
    const detail = `lines behind ${String(lineCount)} of records.jsonl or proofs.jsonl do not read: ${String(error)}`;
    findings.fail('record_malformed', previous + 1, detail);
  }
  for (const index of standAlone) {
    findings.fail('proof_mismatch', index, 'a stand-alone proof of a record that is not there');
  }
  return ids;
}

/** Lines of both files side by side: '' where the proofs have ended, undefined where the records have. */
async function* pairedLines(container: Container): AsyncGenerator<[string | undefined, string]> {
  const proofs = readLines(container.read(PACKAGE_PATHS.proofs));
  for await (const line of readLines(container.read(PACKAGE_PATHS.records))) {
    const proof = await proofs.next();
    yield [line, proof.done === true ? '' : proof.value];
  }
  for await (const proof of proofs) yield [undefined, proof];
}

interface SealedLeaf {
  readonly index: number;
  readonly leaf: Leaf;
  readonly hash: Uint8Array;
}

/**
 * SPEC (evidence-package.md): canonical lines, rising by index, below the tree size; the leaf text is the canonical JSON
 * of a leaf. Facts and person, each with index and salt, lead to the digests that the leaf names.
 */
function parseRecord(line: string, previous: number, { tree, findings }: RecordRun): SealedLeaf | undefined {
  const record = parseCanonical(PackageRecord, line);
  const leaf = record && parseCanonical(Leaf, record.leaf);
  if (record === undefined || leaf === undefined) return undefined;
  if (record.index <= previous || record.index >= tree.tree_size) return undefined;
  const { index, facts, facts_salt, person, person_salt } = record;
  if (digestOf(index, 'facts', facts, facts_salt) !== digestIn(leaf, 'facts'))
    findings.fail('record_mismatch', index, 'the facts are not those that were sealed');
  const named = person === undefined ? undefined : digestOf(index, 'person', person, person_salt);
  if (named !== digestIn(leaf, 'person'))
    findings.fail('record_mismatch', index, 'the person is not the one that was sealed');
  return { index: record.index, leaf, hash: leafHash(Buffer.from(record.leaf)) };
}

function digestOf(index: number, name: PartKind, part: JsonObject, salt = ''): string {
  return partDigest(partLine(index, name, canonicalJson(part)), salt);
}

function checkProof(
  record: SealedLeaf,
  proof: PackageProof | undefined,
  { tree, findings }: RecordRun,
): void {
  const path = proof?.hashes.map(fromBase64).filter((hash) => hash !== undefined) ?? [];
  if (
    proof?.index !== record.index ||
    path.length !== proof.hashes.length ||
    !leadsToRoot(record, path, tree)
  ) {
    findings.fail('proof_mismatch', record.index, 'proofs.jsonl does not prove this record');
  }
}

/** SPEC (evidence-package.md): a stand-alone proof carries the checkpoint of the package, byte for byte. */
async function checkStandAlone(record: SealedLeaf, { container, tree, findings }: RecordRun): Promise<void> {
  const path = `proofs/${String(record.index).padStart(20, '0')}.tlog-proof`;
  const proof = parseTlogProof(await readText(container.read(path)));
  const isGood =
    proof?.index === record.index && proof.checkpoint === tree.note && leadsToRoot(record, proof.path, tree);
  if (!isGood) findings.fail('proof_mismatch', record.index, path);
}

function leadsToRoot({ index, hash }: SealedLeaf, path: readonly Uint8Array[], tree: SignedTree): boolean {
  const root = rootFromInclusion({ index, size: tree.tree_size }, hash, path);
  return root !== undefined && Buffer.from(root).toString('hex') === tree.root_hash;
}
