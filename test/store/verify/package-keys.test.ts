import { describe, expect, it } from 'vitest';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import { canonicalJson } from '../../../schemas/canonical.ts';
import { KEY_CHANGES_PATH, PACKAGE_PATHS } from '../../../schemas/evidence-package.ts';
import type { VerificationReport } from '../../../schemas/verification.ts';
import { formatNote, parseNote, parseVkey } from '../../../store/chain/note.ts';
import type { Signer } from '../../../store/keys/signer.ts';
import { verifyPackage } from '../../../store/verify/verify-package.ts';
import { createTestSigner, packageSignerOf, testGenesis } from '../../support/ledger.ts';
import { buildTestPackage, type PackageFiles } from '../../support/package-builder.ts';
import { changeHeader } from '../../support/rotated-log.ts';

/** The log of the package has 7 leaves; its key changes at the leaves 2 and 4. */
const [first, second, third, stranger] = Array.from({ length: 4 }, () => createTestSigner()) as [
  Signer,
  Signer,
  Signer,
  Signer,
];
const genesis = await testGenesis(first);
const changes = [
  await changeHeader(first, second, { genesis, start: 2 }),
  await changeHeader(second, third, { genesis, start: 4, rotated_at: 2 }),
] as const;

const linesOf = (headers: readonly BundleHeader[]) =>
  headers.map((header) => `${canonicalJson(header)}\n`).join('');

interface Rotated {
  readonly signers?: readonly Signer[];
  readonly lines?: string | undefined;
  readonly pinned?: Signer;
  /** Signs the manifest. */
  readonly packageSigner?: Signer;
}

/** The report on a package whose checkpoint these signers signed, with these changes of key. */
async function verifyRotated({
  signers = [third],
  lines = linesOf(changes),
  pinned = first,
  packageSigner = packageSignerOf(third),
}: Rotated = {}): Promise<VerificationReport> {
  const { text } = parseNote((await firstFiles()).get(PACKAGE_PATHS.checkpoint)!)!;
  const signatures = signers.map(async (signer) => {
    const { name, keyId } = parseVkey(signer.vkey)!;
    return { name, keyId, signature: await signer.sign(Buffer.from(text)) };
  });
  const note = formatNote(text, await Promise.all(signatures));
  const before = (files: PackageFiles) => {
    const old = files.get(PACKAGE_PATHS.checkpoint)!;
    for (const [path, bytes] of files) files.set(path, bytes.replace(old, note));
    if (lines !== '') files.set(KEY_CHANGES_PATH, lines);
  };
  const made = await buildTestPackage({ signer: first, packageSigner, before });
  const report = await verifyPackage({ path: made.path, pinnedVkeys: [pinned.vkey] });
  await made.dispose();
  return report;
}

async function firstFiles(): Promise<PackageFiles> {
  const made = await buildTestPackage({ signer: first });
  await made.dispose();
  return made.files;
}

const codesOf = ({ failures }: VerificationReport) => failures.map(({ code }) => code);

describe('a package about a log that changed its key', () => {
  it('leads from the key of the genesis to that of the checkpoint, and is pinned by each of them', async () => {
    for (const pinned of [first, second, third]) {
      const report = await verifyRotated({ pinned });
      expect(report).toMatchObject({ ok: true, failures: [], anchoring: 'signed_by_pinned_key' });
    }
    expect(codesOf(await verifyRotated({ pinned: stranger }))).toEqual(['key_not_pinned']);
  });

  it('has a checkpoint under the key of its size alone', async () => {
    for (const signer of [first, second, stranger])
      expect(codesOf(await verifyRotated({ signers: [signer] }))).toEqual(['checkpoint_invalid']);
  });

  it('is signed by the package key of its size alone', async () => {
    for (const retired of [first, second, stranger].map(packageSignerOf))
      expect(codesOf(await verifyRotated({ packageSigner: retired }))).toEqual(['manifest_unsigned']);
    // Before the first change, between both, and behind them: the log of the package ends at 7 leaves.
    for (const [headers, last] of [
      [[], first],
      [[changes[0]], second],
      [changes, third],
    ] as const) {
      const lines = linesOf(headers);
      const report = await verifyRotated({ signers: [last], lines, packageSigner: packageSignerOf(last) });
      expect(report).toMatchObject({ ok: true });
    }
  });

  it('takes no package key from a change that was tampered with', async () => {
    const forged = { ...changes[1], next_package_key: packageSignerOf(stranger).vkey };
    const lines = linesOf([changes[0], forged]);
    const report = await verifyRotated({ lines, packageSigner: packageSignerOf(stranger) });
    expect(codesOf(report)).toEqual(['rotation_invalid', 'manifest_unsigned', 'checkpoint_invalid']);
  });

  it('does not verify without the changes, or with some of them', async () => {
    expect(codesOf(await verifyRotated({ lines: '' }))).toEqual(['manifest_unsigned', 'checkpoint_invalid']);
    expect(codesOf(await verifyRotated({ lines: linesOf([changes[0]]) }))).toEqual([
      'manifest_unsigned',
      'checkpoint_invalid',
    ]);
    const swapped = linesOf([changes[1], changes[0]]);
    expect(codesOf(await verifyRotated({ lines: swapped }))).toEqual([
      'rotation_invalid',
      'manifest_unsigned',
      'checkpoint_invalid',
    ]);
  });

  it('names a change that does not hold', async () => {
    const otherGenesis = await testGenesis(stranger);
    const bad: readonly (readonly [string, string, string])[] = [
      [
        'that a stranger signed',
        linesOf([await changeHeader(stranger, third, { genesis, start: 2 })]),
        'not signed by',
      ],
      [
        'that the next key did not sign',
        linesOf([{ ...changes[0], next_signature: 'AAAA' }]),
        'not signed by',
      ],
      [
        'behind the checkpoint',
        linesOf([await changeHeader(first, third, { genesis, start: 7 })]),
        'behind the checkpoint',
      ],
      [
        'of another genesis',
        linesOf([await changeHeader(first, third, { genesis: otherGenesis, start: 2 })]),
        'another genesis',
      ],
      ['that is cut', linesOf(changes).trimEnd(), 'not the header'],
      ['with an empty line', `${linesOf(changes)}\n`, 'not the header'],
    ];
    for (const [name, lines, detail] of bad) {
      const { ok, failures } = await verifyRotated({ lines });
      expect(ok, name).toBe(false);
      expect(failures.find(({ code }) => code === 'rotation_invalid')?.detail, name).toContain(detail);
    }
  });

  it('takes the changes for the file that the manifest names', async () => {
    const made = await buildTestPackage({
      signer: first,
      after: (files) => files.set(KEY_CHANGES_PATH, linesOf(changes)),
    });
    const report = await verifyPackage({ path: made.path });
    await made.dispose();
    expect(codesOf(report)).toContain('file_unexpected');
  });
});
