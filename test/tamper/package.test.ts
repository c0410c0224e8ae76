import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { signManifest } from '../../reports/package/manifest.ts';
import { PACKAGE_PATHS, type PackageManifest } from '../../schemas/evidence-package.ts';
import { FAILURES, type FailureCode } from '../../schemas/verification-failures.ts';
import { formatGenesis } from '../../store/chain/genesis.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import type { Signer } from '../../store/keys/signer.ts';
import { verifyPackage } from '../../store/verify/verify-package.ts';
import type { VerifyOptions } from '../../store/verify/report.ts';
import { createTestSigner, packageSignerOf, testGenesis } from '../support/ledger.ts';
import {
  buildTestPackage,
  swap,
  type PackageFiles,
  type TestPackage,
  type TestPackageOptions,
} from '../support/package-builder.ts';
import { edited, firstIndex, signHead } from './forge.ts';

const {
  records,
  proofs,
  results,
  checkpoint,
  key,
  genesis,
  manifest,
  manifestNote,
  report: pdf,
} = PACKAGE_PATHS;
const CSV = 'populations/CC6.1/sessions.csv';
const PROOF = 'proofs/00000000000000000001.tlog-proof';
const ROOT = 'f'.repeat(64);

const signer = createTestSigner();
const open: TestPackage[] = [];
afterEach(async () => {
  for (const built of open.splice(0)) await built.dispose();
});

async function verify(change: (files: PackageFiles) => void, options: VerifyOptions = {}, by = signer) {
  const built = await buildTestPackage({ signer: by, after: change });
  open.push(built);
  return verifyPackage({ path: built.path, pinnedVkeys: [signer.vkey], ...options });
}

const lines = (files: PackageFiles, path: string) => files.get(path)!.split('\n').slice(0, -1);
const setLines = (path: string, change: (all: string[]) => string[]) => (files: PackageFiles) =>
  files.set(path, `${change(lines(files, path)).join('\n')}\n`);
const untouched = () => undefined;
const genesisOf = async (isSynthetic: boolean, by = signer) =>
  formatGenesis(await testGenesis(by, isSynthetic)).toString();

interface Case {
  readonly name: string;
  /** What somebody without the signing key does to the files, before they are packed again. */
  readonly change: (files: PackageFiles) => unknown;
  readonly code: FailureCode;
  readonly index: number | null;
  /** Index that the report begins with, where that is another one. */
  readonly first?: number;
  readonly names?: string;
}

const CASES: readonly Case[] = [
  {
    name: 'facts of a record edited',
    change: (files) => swap(files, records, '"tool_name":"Bash"', '"tool_name":"Read"'),
    code: 'record_mismatch',
    index: 1,
  },
  {
    name: 'a leaf edited',
    change: (files) => swap(files, records, '\\"source\\":\\"hook\\"', '\\"source\\":\\"otel\\"'),
    code: 'proof_mismatch',
    index: 1,
    names: 'proofs.jsonl does not prove this record',
  },
  {
    name: 'the first record dropped',
    change: setLines(records, (all) => all.slice(1)),
    code: 'proof_mismatch',
    index: 1,
    names: 'a stand-alone proof of a record that is not there',
  },
  {
    name: 'the last record dropped',
    change: setLines(records, (all) => all.slice(0, -1)),
    code: 'record_malformed',
    index: 5,
    names: 'line 3 of records.jsonl',
  },
  {
    name: 'records swapped',
    change: setLines(records, (all) => all.toReversed()),
    code: 'record_malformed',
    index: 3,
    first: 1,
    names: 'line 2 of records.jsonl',
  },
  {
    name: 'a record duplicated',
    change: setLines(records, ([first = '', ...rest]) => [first, first, ...rest]),
    code: 'record_malformed',
    index: 3,
  },
  {
    name: 'a record under another index',
    change: (files) => swap(files, records, '"index":1,', '"index":2,'),
    code: 'record_mismatch',
    index: 2,
    first: 1,
  },
  {
    name: 'a proof edited',
    change: (files) => swap(files, proofs, /"[A-Za-z]/, '"/'),
    code: 'proof_mismatch',
    index: 1,
  },
  {
    name: 'two proofs swapped',
    change: setLines(proofs, ([first = '', second = '', ...rest]) => [second, first, ...rest]),
    code: 'proof_mismatch',
    index: 1,
  },
  {
    name: 'the last proof dropped',
    change: setLines(proofs, (all) => all.slice(0, -1)),
    code: 'proof_mismatch',
    index: 5,
  },
  {
    name: 'a stand-alone proof edited',
    change: (files) => swap(files, PROOF, 'index 1', 'index 3'),
    code: 'proof_mismatch',
    index: 1,
    names: PROOF,
  },
  {
    name: 'a stand-alone proof removed',
    change: (files) => files.delete(PROOF),
    code: 'file_missing',
    index: 1,
    names: PROOF,
  },
  {
    name: 'a row dropped from a population',
    change: (files) => swap(files, CSV, /s-2.*\r\n$/, ''),
    code: 'population_mismatch',
    index: null,
    names: CSV,
  },
  {
    name: 'a cell of a population edited',
    change: (files) => swap(files, CSV, 's-1', 's-7'),
    code: 'file_damaged',
    index: null,
    names: CSV,
  },
  {
    name: 'a state of a control edited',
    change: (files) => swap(files, results, '"state":"exception"', '"state":"met"'),
    code: 'file_damaged',
    index: null,
    names: results,
  },
  {
    name: 'results that are none',
    change: (files) => files.set(results, '{}\n'),
    code: 'results_mismatch',
    index: null,
    names: results,
  },
  {
    name: 'the PDF edited',
    change: (files) => swap(files, pdf, '%PDF-1.7', '%PDF-1.8'),
    code: 'file_damaged',
    index: null,
    names: pdf,
  },
  {
    name: 'the PDF removed',
    change: (files) => files.delete(pdf),
    code: 'file_missing',
    index: null,
    names: pdf,
  },
  {
    name: 'the PDF edited and the manifest made to fit',
    change: (files) => {
      const digest = sha256Hex(files.get(pdf)!);
      swap(files, pdf, '%PDF-1.7', '%PDF-1.8');
      swap(files, manifest, digest, sha256Hex(files.get(pdf)!));
    },
    code: 'manifest_unsigned',
    index: null,
    names: manifestNote,
  },
  {
    name: 'the period in the manifest edited',
    change: (files) => swap(files, manifest, '2026-03-01', '2026-03-02'),
    code: 'manifest_unsigned',
    index: null,
  },
  {
    name: 'no manifest',
    change: (files) => files.delete(manifest),
    code: 'manifest_malformed',
    index: null,
    names: manifest,
  },
  {
    name: 'the signature of the checkpoint passed off as that of the manifest',
    change: (files) => files.set(manifestNote, files.get(checkpoint)!),
    code: 'manifest_unsigned',
    index: null,
  },
  {
    name: 'a further file',
    change: (files) => files.set('populations/extra.csv', 'x'),
    code: 'file_unexpected',
    index: null,
    names: 'populations/extra.csv',
  },
  {
    name: 'the checkpoint edited',
    change: (files) => swap(files, checkpoint, '\n7\n', '\n8\n'),
    code: 'checkpoint_invalid',
    index: null,
    // The stand-alone proofs carry the checkpoint as it was.
    first: 1,
    names: checkpoint,
  },
  {
    name: 'another key in the package',
    change: (files) => files.set(key, `${createTestSigner().vkey}\n`),
    code: 'key_not_pinned',
    index: null,
  },
];

describe('the evidence package:', () => {
  it('verifies as long as nobody touched it', async () => {
    const good = { ok: true, anchoring: 'signed_by_pinned_key', failures: [], notices: [] };
    expect(await verify(untouched)).toMatchObject(good);
  });

  it.each(CASES)('names $name: $code', async ({ change, code, index, first = index, names = '' }) => {
    const report = await verify(change);
    const named = report.failures.filter((failure) => failure.code === code);
    expect(named.map(({ detail }) => detail).join('\n')).toContain(names);
    expect(report).toMatchObject({ ok: false, [FAILURES[code].axis]: 'broken' });
    expect(firstIndex(report)).toBe(first);
    expect(named.map((failure) => failure.index)).toContain(index);
  });

  it('names a package that another key made as a whole, where the key is pinned and only there', async () => {
    const other = createTestSigner();
    expect((await verify(untouched, {}, other)).failures).toMatchObject([{ code: 'key_not_pinned' }]);
    expect(await verify(untouched, { pinnedVkeys: undefined }, other)).toMatchObject({
      ok: true,
      anchoring: 'signed',
    });
  });

  it('names an older checkpoint of the same log in place of its own', async () => {
    const older = await signHead(signer, { tree_size: 3, root_hash: ROOT });
    const report = await verify((files) => files.set(checkpoint, older));
    const named = report.failures.filter(({ code }) => code === 'checkpoint_invalid');
    expect(named).toMatchObject([
      { index: null, detail: `${checkpoint} is not a signed head of what the manifest names` },
    ]);
  });

  it.each([
    ['a byte of the container edited', (bytes: Buffer) => edited(bytes, 100)],
    ['the container cut off', (bytes: Buffer) => bytes.subarray(0, -30)],
    ['bytes behind the container', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('more')])],
  ])('names %s: container_damaged', async (_, change) => {
    const built = await buildTestPackage({ signer });
    open.push(built);
    const path = join(built.dir, 'changed.zip');
    await writeFile(path, change(await readFile(built.path)));
    const report = await verifyPackage({ path });
    expect(report.failures).toContainEqual(
      expect.objectContaining({ code: 'container_damaged', index: null }),
    );
  });
});

describe('the evidence package against a checkpoint that was kept:', () => {
  const keeping = (note: string) => ({ keptCheckpoints: [{ name: 'kept', note }] });

  it('takes its own head for what it is', async () => {
    const built = await buildTestPackage({ signer });
    open.push(built);
    const options = keeping(built.files.get(checkpoint)!);
    expect(await verifyPackage({ path: built.path, ...options })).toMatchObject({ ok: true, notices: [] });
  });

  it('names another head of its size that the key signed too', async () => {
    const report = await verify(
      untouched,
      keeping(await signHead(signer, { tree_size: 7, root_hash: ROOT })),
    );
    expect(report).toMatchObject({
      ok: false,
      anchoring: 'broken',
      failures: [{ code: 'log_equivocation', index: 0 }],
    });
  });

  it('names another head of its size where its own is not signed', async () => {
    const note = await signHead(signer, { tree_size: 7, root_hash: ROOT });
    const report = await verify((files) => files.set(checkpoint, 'none\n'), keeping(note));
    expect(report.failures[0]).toMatchObject({ code: 'kept_checkpoint_mismatch', index: 0 });
  });

  it('names a kept head of another key, and one that is none', async () => {
    const other = await signHead(createTestSigner(), { tree_size: 7, root_hash: ROOT });
    expect((await verify(untouched, keeping(other))).failures).toMatchObject([
      { code: 'kept_checkpoint_other_key', index: null },
    ]);
    expect((await verify(untouched, keeping('none'))).failures).toMatchObject([
      { code: 'kept_checkpoint_invalid', index: null },
    ]);
  });

  it.each([6, 8])('says that it cannot compare itself with a head of %i leaves', async (tree_size) => {
    const report = await verify(untouched, keeping(await signHead(signer, { tree_size, root_hash: ROOT })));
    expect(report).toMatchObject({ ok: true, failures: [] });
    expect(report.notices).toMatchObject([{ code: 'kept_checkpoint_not_comparable', index: null }]);
  });
});

describe('the mark of the log in a package that the key signed anew', () => {
  const synthetic: readonly FailureCode[] = ['synthetic_mismatch'];
  const ofOther = createTestSigner();
  it.each<[string, TestPackageOptions, readonly FailureCode[]]>([
    [
      'differs in the manifest, from the genesis and from the results',
      { manifest: (named) => ({ ...named, synthetic: true }) },
      [...synthetic, ...synthetic],
    ],
    [
      'is hidden in the results',
      { synthetic: true, before: (files) => swap(files, results, '"synthetic":true', '"synthetic":false') },
      synthetic,
    ],
    [
      'is edited in the genesis',
      { before: (files) => swap(files, genesis, '"synthetic":false', '"synthetic":true') },
      ['genesis_unsigned', 'manifest_unsigned', 'synthetic_mismatch'],
    ],
    [
      'has no genesis behind it',
      { before: (files) => files.set(genesis, '{}\n') },
      ['genesis_malformed', 'manifest_unsigned'],
    ],
  ])('shows where it %s', async (_, options, codes) => {
    const built = await buildTestPackage({ signer, ...options });
    open.push(built);
    const report = await verifyPackage({ path: built.path });
    // Signatures and digests of the files fit: the key made them.
    expect(report.failures.map(({ code }) => code)).toEqual(codes);
  });

  it('shows where the genesis is of another key', async () => {
    const text = await genesisOf(false, ofOther);
    const built = await buildTestPackage({ signer, before: (files) => files.set(genesis, text) });
    open.push(built);
    const { failures } = await verifyPackage({ path: built.path });
    expect(failures.map(({ code }) => code)).toEqual(['genesis_malformed', 'manifest_unsigned']);
  });
});

describe('the manifest of a package', () => {
  const codesAfter = async (change: (files: PackageFiles) => unknown) => {
    const { failures } = await verify((files) => void change(files));
    return failures.map(({ code }) => code);
  };
  const signedBy = (by: Signer) => async (files: PackageFiles) =>
    files.set(manifestNote, await signManifest(by, JSON.parse(files.get(manifest)!) as PackageManifest));

  it.each([
    ['the key of the log', signer],
    ['another key of the same name', createTestSigner(packageSignerOf(signer).name)],
    ['the package key of another log', packageSignerOf(createTestSigner('other.example/p0'))],
  ])('is not signed by %s', async (_, by) => {
    const built = await buildTestPackage({ signer });
    open.push(built);
    await signedBy(by)(built.files);
    const note = built.files.get(manifestNote)!;
    expect(await codesAfter((files) => files.set(manifestNote, note))).toEqual(['manifest_unsigned']);
  });

  it('carries no signature line that nobody checks', async () => {
    const line =
      '— auditor.example AAAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==\n';
    const doubled = (note: string) => `${note}${note.split('\n').at(-2) ?? ''}\n`;
    const further = (files: PackageFiles) => files.set(manifestNote, `${files.get(manifestNote)!}${line}`);
    const twice = (files: PackageFiles) => files.set(manifestNote, doubled(files.get(manifestNote)!));
    for (const change of [further, twice]) expect(await codesAfter(change)).toEqual(['manifest_unsigned']);
  });

  it('is signed by the package key that the genesis names', async () => {
    expect(await codesAfter(untouched)).toEqual([]);
  });
});
