import { createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { afterEach, describe, expect, it } from 'vitest';
import { PACKAGE_PATHS } from '../../../schemas/evidence-package.ts';
import type { FailureCode } from '../../../schemas/verification-failures.ts';
import { verifyPackage } from '../../../store/verify/verify-package.ts';
import { createTestSigner } from '../../support/ledger.ts';
import {
  buildTestPackage,
  swap,
  type PackageFiles,
  type TestPackage,
  type TestPackageOptions,
} from '../../support/package-builder.ts';

const { records, proofs, results, checkpoint, key, manifest, manifestNote } = PACKAGE_PATHS;
const CSV = 'populations/CC6.1/sessions.csv';
const PROOF = 'proofs/00000000000000000001.tlog-proof';

const open: TestPackage[] = [];
async function build(options?: TestPackageOptions): Promise<TestPackage> {
  const built = await buildTestPackage(options);
  open.push(built);
  return built;
}
async function verify(options?: TestPackageOptions) {
  return verifyPackage({ path: (await build(options)).path });
}

/** Packs files as another tool would: other order, other times, with or without compression and descriptors. */
async function repack(
  built: TestPackage,
  files: Iterable<readonly [string, string]>,
  style: 'stored' | 'streamed',
) {
  const zip = new ZipFile();
  const path = join(built.dir, 'repacked.zip');
  const written = pipeline(zip.outputStream, createWriteStream(path));
  for (const [name, text] of files) {
    const mtime = new Date(2026, 3, 4, 5, 6, 8);
    if (style === 'stored') zip.addBuffer(Buffer.from(text), name, { mtime, compress: false });
    else zip.addFile(join(built.dir, name), name, { mtime, compressionLevel: 9 });
  }
  zip.addEmptyDirectory('populations/', { mtime: new Date(2026, 1, 1) });
  zip.end();
  await written;
  return path;
}

describe('verifying an evidence package', () => {
  afterEach(async () => {
    for (const built of open.splice(0)) await built.dispose();
  });

  it('accepts what the format asks for, and says what it established', async () => {
    const built = await build();
    const report = await verifyPackage({ path: built.path });
    expect(report).toMatchObject({
      ok: true,
      kind: 'package',
      integrity: 'intact',
      anchoring: 'signed',
      completeness: 'incomplete',
      disclosure: 'facts_only',
      tree_size: 7,
      failures: [],
    });
    expect(report.root_hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([true, false])('repeats the mark of the log, synthetic: %s', async (synthetic) => {
    expect(await verify({ synthetic })).toMatchObject({ ok: true, synthetic, failures: [] });
  });

  it('repeats what the statement inside says of completeness', async () => {
    expect(await verify({ completeness: 'complete' })).toMatchObject({ ok: true, completeness: 'complete' });
  });

  it('says so when the key is the pinned one, and refuses another', async () => {
    const built = await build();
    const pinned = await verifyPackage({ path: built.path, pinnedVkeys: [`${built.vkey}\n`] });
    expect(pinned).toMatchObject({ ok: true, anchoring: 'signed_by_pinned_key' });
    const other = await verifyPackage({ path: built.path, pinnedVkeys: [createTestSigner().vkey] });
    expect(other).toMatchObject({ ok: false, anchoring: 'broken', integrity: 'intact' });
  });

  it('accepts logs of any size', async () => {
    for (const leafCount of [2, 3, 4, 8, 33]) {
      const report = await verify({ leafCount });
      expect(report, `${String(leafCount)} leaves`).toMatchObject({ ok: true, tree_size: leafCount });
    }
  });

  it('notices a ZIP that was cut or lengthened anywhere', async () => {
    const built = await build();
    const bytes = await readFile(built.path);
    const path = join(built.dir, 'changed.zip');
    const variants = [
      Buffer.of(),
      bytes.subarray(1),
      bytes.subarray(0, -1),
      bytes.subarray(0, 100),
      Buffer.concat([Buffer.of(0), bytes]),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.concat([bytes, bytes]),
    ];
    for (const variant of variants) {
      await writeFile(path, variant);
      expect(await verifyPackage({ path })).toMatchObject({
        ok: false,
        kind: 'package',
        integrity: 'broken',
      });
    }
  });

  it.each(['stored', 'streamed'] as const)(
    'accepts the same files packed again by another tool, %s',
    async (style) => {
      const built = await build();
      const path = await repack(built, [...built.files].reverse(), style);
      expect(await verifyPackage({ path })).toMatchObject({ ok: true, failures: [] });
    },
  );

  it('still notices changed files in a ZIP that was packed again', async () => {
    const built = await build();
    for (const [name, text] of built.files) {
      const changed = new Map(built.files).set(name, `${text.slice(0, -2)}~\n`);
      const report = await verifyPackage({ path: await repack(built, changed, 'stored') });
      expect(report.ok, name).toBe(false);
      const missing = [...built.files].filter(([other]) => other !== name);
      const without = await verifyPackage({ path: await repack(built, missing, 'stored') });
      expect(without.ok, `${name} removed`).toBe(false);
    }
  });

  describe('refuses a ZIP that two readers could read differently:', () => {
    const cases: readonly [string, (bytes: Buffer, central: number) => Buffer][] = [
      ['a foreign comment', (bytes) => withComment(bytes, 'hello')],
      ['bytes before the first file', (bytes) => Buffer.concat([Buffer.from('MZ'), bytes])],
      ['a name that differs between the headers', (bytes) => flipped(bytes, 30)],
      ['a method that differs between the headers', (bytes) => flipped(bytes, 8)],
      ['a time that differs between the headers', (bytes) => flipped(bytes, 10)],
      ['a CRC that differs between the headers', (bytes) => flipped(bytes, 14)],
      ['a size that differs between the headers', (bytes) => flipped(bytes, 22)],
      ['an encrypted file', (bytes, central) => flipped(flipped(bytes, 6), central + 8)],
      ['a wrong CRC in both headers', (bytes, central) => flipped(flipped(bytes, 14), central + 16)],
      [
        'bytes between file and directory',
        (bytes, central) => {
          const longer = Buffer.concat([
            bytes.subarray(0, central),
            Buffer.from('hidden'),
            bytes.subarray(central),
          ]);
          longer.writeUInt32LE(central + 6, longer.length - 6);
          return longer;
        },
      ],
    ];
    it.each(cases)('%s', async (_, change) => {
      const built = await build();
      const plain = await readFile(await repack(built, built.files, 'stored'));
      const path = join(built.dir, 'ambiguous.zip');
      await writeFile(path, change(Buffer.from(plain), plain.readUInt32LE(plain.length - 6)));
      const report = await verifyPackage({ path });
      expect(report.ok).toBe(false);
    });

    it('a file that is there twice', async () => {
      const built = await build();
      const twice = [...built.files, ...[...built.files].slice(0, 1)];
      const report = await verifyPackage({ path: await repack(built, twice, 'stored') });
      expect(report.failures).toMatchObject([{ code: 'container_damaged' }]);
    });

    it('bytes behind the end of a deflate stream', async () => {
      const built = await build();
      const plain = await readFile(built.path);
      const central = plain.indexOf(Buffer.from('PK\x01\x02', 'latin1'));
      const dataEnd = 30 + plain.readUInt16LE(26) + plain.readUInt16LE(28) + plain.readUInt32LE(18);
      const pad = Buffer.from('hidden');
      const longer = Buffer.concat([
        plain.subarray(0, dataEnd),
        pad,
        plain.subarray(dataEnd, plain.length - 83),
        Buffer.alloc(2),
      ]);
      longer.writeUInt32LE(plain.readUInt32LE(18) + pad.length, 18);
      longer.writeUInt32LE(plain.readUInt32LE(18) + pad.length, central + pad.length + 20);
      const end = longer.length - 22;
      longer.writeUInt32LE(longer.readUInt32LE(end + 16) + pad.length, end + 16);
      for (let at = central + pad.length + 46; ;) {
        at = longer.indexOf(Buffer.from('PK\x01\x02', 'latin1'), at);
        if (at < 0) break;
        longer.writeUInt32LE(longer.readUInt32LE(at + 42) + pad.length, at + 42);
        at += 46;
      }
      const path = join(built.dir, 'padded.zip');
      await writeFile(path, longer);
      const report = await verifyPackage({ path });
      expect(report.failures.map(({ code }) => code)).toContain('file_damaged');
    });
  });

  describe('names what somebody with the signing key got wrong or forged:', () => {
    const lines = (files: PackageFiles, path: string) => files.get(path)!.split('\n').slice(0, -1);
    const setLines = (files: PackageFiles, path: string, all: readonly string[]) =>
      files.set(path, all.map((line) => `${line}\n`).join(''));
    const cases: readonly [string, FailureCode, number | null, (files: PackageFiles) => void][] = [
      [
        'changed facts',
        'record_mismatch',
        1,
        (files) => swap(files, records, '"tool_name":"Bash"', '"tool_name":"Read"'),
      ],
      ['another person', 'record_mismatch', 1, (files) => swap(files, records, /person-[0-9]@/, 'person-9@')],
      [
        'a person left out',
        'record_mismatch',
        1,
        (files) => swap(files, records, /,"person":\{[^}]*\},"person_salt":"[^"]*"/, ''),
      ],
      [
        'another salt of the person',
        'record_mismatch',
        1,
        (files) => swap(files, records, /"person_salt":"./, '"person_salt":"0'),
      ],
      [
        'another salt',
        'record_mismatch',
        1,
        (files) => swap(files, records, /"facts_salt":"./, '"facts_salt":"z'.replace('z', '0')),
      ],
      [
        'a changed leaf',
        'proof_mismatch',
        1,
        (files) => swap(files, records, '\\"source\\":\\"hook\\"', '\\"source\\":\\"otel\\"'),
      ],
      [
        'a leaf under another index',
        'record_mismatch',
        2,
        (files) => swap(files, records, '"index":1,', '"index":2,'),
      ],
      [
        'an index beyond the tree',
        'record_malformed',
        5,
        (files) => swap(files, records, '"index":5,', '"index":7,'),
      ],
      ['white space', 'record_malformed', 1, (files) => swap(files, records, '{"facts"', '{ "facts"')],
      [
        'records out of order',
        'record_malformed',
        3,
        (files) => setLines(files, records, lines(files, records).toReversed()),
      ],
      [
        'a record twice',
        'record_malformed',
        3,
        (files) => setLines(files, records, [lines(files, records)[0]!, ...lines(files, records)]),
      ],
      [
        'a record left out',
        'proof_mismatch',
        3,
        (files) => setLines(files, records, lines(files, records).slice(1)),
      ],
      [
        'a proof left out',
        'proof_mismatch',
        5,
        (files) => setLines(files, proofs, lines(files, proofs).slice(0, -1)),
      ],
      [
        'a proof too many',
        'record_malformed',
        null,
        (files) => setLines(files, proofs, [...lines(files, proofs), '{}']),
      ],
      ['a changed proof', 'proof_mismatch', 1, (files) => swap(files, proofs, /"[A-Za-z]/, '"/')],
      [
        'records cut off',
        'record_malformed',
        4,
        (files) => files.set(records, files.get(records)!.slice(0, -1)),
      ],
      ['a byte order mark', 'record_malformed', 1, (files) => swap(files, records, '{', '\ufeff{')],
      [
        'a stand-alone proof of another record',
        'proof_mismatch',
        1,
        (files) => swap(files, PROOF, 'index 1', 'index 3'),
      ],
      [
        'a stand-alone proof under another checkpoint',
        'proof_mismatch',
        1,
        (files) => swap(files, PROOF, /.\n$/, '\n'),
      ],
      [
        'a stand-alone proof of no record',
        'proof_mismatch',
        2,
        (files) => files.set(PROOF.replace('1.tlog', '2.tlog'), files.get(PROOF)!),
      ],
      [
        'a checkpoint of another size',
        'checkpoint_invalid',
        null,
        (files) => swap(files, checkpoint, '\n7\n', '\n8\n'),
      ],
      ['a key that is none', 'manifest_unsigned', null, (files) => swap(files, key, '+', ' ')],
      [
        'a list with a foreign record',
        'population_mismatch',
        null,
        (files) => swap(files, CSV, /[0-9a-f]{64}\r\n$/, `${'0'.repeat(64)}\r\n`),
      ],
      ['a list with a row less', 'population_mismatch', null, (files) => swap(files, CSV, /s-2.*\r\n$/, '')],
      [
        'results of another package',
        'results_mismatch',
        null,
        (files) => swap(files, results, 'pkg-1', 'pkg-2'),
      ],
      ['results without shape', 'results_mismatch', null, (files) => files.set(results, '{}\n')],
      [
        'another count of rows',
        'population_mismatch',
        null,
        (files) => swap(files, results, '"row_count":2', '"row_count":3'),
      ],
      [
        'another count of records',
        'population_mismatch',
        null,
        (files) => swap(files, results, '"record_count":3', '"record_count":4'),
      ],
      [
        'an exception without record',
        'population_mismatch',
        null,
        (files) => swap(files, results, /"record_ids":\["./, '"record_ids":["x'),
      ],
      ['a missing report', 'file_missing', null, (files) => files.delete(PACKAGE_PATHS.report)],
    ];
    it.each(cases)('%s', async (_, code, index, before) => {
      const report = await verify({ before });
      expect(report.ok).toBe(false);
      expect(report.failures).toContainEqual(expect.objectContaining({ code, index }));
    });
  });

  describe('names what somebody without the signing key changed:', () => {
    const cases: readonly [string, FailureCode, (files: PackageFiles) => void][] = [
      ['a file', 'file_damaged', (files) => swap(files, PACKAGE_PATHS.readme, 'Read', 'Mind')],
      ['a further file', 'file_unexpected', (files) => files.set('extra.txt', 'x')],
      ['a file less', 'file_missing', (files) => files.delete(PACKAGE_PATHS.readme)],
      ['the manifest', 'manifest_unsigned', (files) => swap(files, manifest, 'pkg-1', 'pkg-2')],
      ['the note', 'manifest_unsigned', (files) => swap(files, manifestNote, 'pkg-1', 'pkg-2')],
      ['no manifest', 'manifest_malformed', (files) => files.delete(manifest)],
      ['a manifest that is not canonical', 'manifest_malformed', (files) => swap(files, manifest, '{', '{ ')],
    ];
    it.each(cases)('%s', async (_, code, after) => {
      const report = await verify({ after });
      expect(report.ok).toBe(false);
      expect(report.failures.map((failure) => failure.code)).toContain(code);
    });
  });

  it('does not take the signature of a checkpoint for that of a manifest', async () => {
    const report = await verify({ after: (files) => files.set(manifestNote, files.get(checkpoint)!) });
    expect(report).toMatchObject({ ok: false, anchoring: 'broken' });
  });

  it('refuses a manifest that lists files out of order or names itself', async () => {
    const unordered = await verify({ manifest: (named) => ({ ...named, files: named.files.toReversed() }) });
    expect(unordered.failures.map(({ code }) => code)).toContain('manifest_malformed');
    const own = { path: manifest, sha256: '0'.repeat(64), size_bytes: 0, media_type: 'application/json' };
    const self = await verify({
      manifest: (named) => ({
        ...named,
        files: [...named.files, own].sort((a, b) => (a.path < b.path ? -1 : 1)),
      }),
    });
    expect(self.failures.map(({ code }) => code)).toContain('manifest_malformed');
  });

  it('says that a file which is no ZIP is damaged', async () => {
    const built = await build();
    expect(await verifyPackage({ path: join(built.dir, PACKAGE_PATHS.readme) })).toMatchObject({
      ok: false,
      kind: 'package',
      tree_size: null,
      failures: [{ code: 'container_damaged' }],
    });
  });
});

function flipped(bytes: Buffer, place: number): Buffer {
  return Buffer.from(bytes.with(place, bytes[place]! ^ 1));
}

function withComment(bytes: Buffer, comment: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(comment.length);
  return Buffer.concat([bytes.subarray(0, -2), length, Buffer.from(comment)]);
}
