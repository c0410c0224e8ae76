import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFileName } from '../../../schemas/archive-lock.ts';
import { PART_KINDS, type BundleHeader } from '../../../schemas/bundle.ts';
import type { FrameRef } from '../../../schemas/frame.ts';
import { canonicalJson } from '../../../schemas/canonical.ts';
import type { VerificationReport } from '../../../schemas/verification.ts';
import {
  decodeBundle,
  linesRef,
  MAX_HEADER_BYTES,
  packBundle,
  packLines,
} from '../../../store/chain/bundle-bytes.ts';
import { toBundle } from '../../support/bundle-file.ts';
import { checkpointText } from '../../../store/chain/checkpoint.ts';
import { bundleKey, checkpointKey, genesisKey, payloadKey } from '../../../store/chain/layout.ts';
import { sha256Hex } from '../../../store/chain/leaf.ts';
import { formatNote, parseVkey } from '../../../store/chain/note.ts';
import { verifyArchive } from '../../../store/verify/verify-archive.ts';
import { formatLockFile } from '../../../store/verify/lock-file.ts';
import { openLedger } from '../../../store/ledger/ledger.ts';
import {
  filesBelow,
  mixedRecord,
  overwrite,
  removeObject,
  replaceObject,
  rewriteFrom,
  signedHeader,
  whileChanged,
  whileGone,
  writeTestArchive,
  type TestArchive,
} from '../../support/archive-folder.ts';
import { findTestKeys as findKeys, openFrames, sealFrames } from '../../support/frames.ts';
import { appendWhole, createTestSigner } from '../../support/ledger.ts';

const SIZES = [3, 4, 1, 8];
/** Thousands of verifications, on a machine that may be busy. */
const EXHAUSTIVE_MS = 300_000;
const codes = (report: VerificationReport) => report.failures.map(({ code }) => code);

describe('verifying an archive', () => {
  let archive: TestArchive;

  beforeEach(async () => {
    archive = await writeTestArchive(SIZES);
  });

  afterEach(() => archive.dispose());

  const verify = (pinnedVkey?: string) =>
    verifyArchive({
      dir: archive.dir,
      findKeys,
      pinnedVkeys: pinnedVkey === undefined ? undefined : [pinnedVkey],
    });
  const at = (key: string) => join(archive.dir, key);
  const read = (key: string) => readFile(at(key));

  async function headerOf(start: number): Promise<BundleHeader> {
    return JSON.parse(decodeBundle(await read(bundleKey('p0', start))).headerText) as BundleHeader;
  }

  it('finds what the ledger wrote intact and signed', async () => {
    expect(await verify()).toMatchObject({
      ok: true,
      kind: 'archive',
      integrity: 'intact',
      anchoring: 'signed',
      completeness: 'not_assessed',
      disclosure: 'opened',
      tree_size: 16,
      root_hash: (await headerOf(8)).root_hash,
      failures: [],
      notices: [],
    });
  });

  it('says so when the key is the pinned one, and refuses another', async () => {
    expect(await verify(archive.options.signer.vkey)).toMatchObject({
      ok: true,
      anchoring: 'signed_by_pinned_key',
    });
    const other = await verify(createTestSigner().vkey);
    expect(other).toMatchObject({ ok: false, integrity: 'intact', anchoring: 'broken' });
    expect(codes(other)).toEqual(['key_not_pinned']);
  });

  it('does not take an archive for signed by the pinned key because it names that key', async () => {
    const own = await writeTestArchive([4]);
    await removeObject(own.dir, checkpointKey('p0', 4));
    expect(await verifyArchive({ dir: own.dir })).toMatchObject({
      ok: true,
      anchoring: 'unsigned',
      signed_tree_size: 0,
    });
    const report = await verifyArchive({ dir: own.dir, pinnedVkeys: [own.options.signer.vkey] });
    expect(report).toMatchObject({
      ok: false,
      anchoring: 'broken',
      failures: [{ code: 'checkpoint_missing' }],
    });
    await own.dispose();
  });

  it('reports progress up to the tree size', async () => {
    const seen: number[] = [];
    await verifyArchive({ dir: archive.dir, onProgress: ({ done }) => seen.push(done) });
    expect(seen).toEqual([3, 7, 8, 16]);
  });

  it('accepts a log without leaves as unsigned', async () => {
    const empty = await writeTestArchive([]);
    expect(await verifyArchive({ dir: empty.dir })).toMatchObject({
      ok: true,
      anchoring: 'unsigned',
      tree_size: 0,
    });
    await empty.dispose();
  });

  it('verifies archives of any batch sizes', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(sizes, async (batchSizes) => {
        const some = await writeTestArchive(batchSizes);
        const report = await verifyArchive({ dir: some.dir });
        await some.dispose();
        expect(report).toMatchObject({
          ok: true,
          tree_size: batchSizes.reduce((sum, size) => sum + size, 0),
        });
      }),
      { numRuns: 8 },
    );
  });

  it(
    'notices a flip of sampled bytes of any file',
    async () => {
      for (const file of await filesBelow(archive.dir)) {
        const path = at(file);
        const original = await readFile(path);
        for (let place = 0; place < original.length; place += 61) {
          await overwrite(path, original.with(place, original[place]! ^ (1 << (place % 8))));
          expect((await verify()).ok, `${file} byte ${String(place)}`).toBe(false);
        }
        await overwrite(path, original);
      }
      expect(await verify()).toMatchObject({ ok: true });
    },
    EXHAUSTIVE_MS,
  );

  it('notices that any file was emptied, cut, lengthened or removed', async () => {
    for (const file of await filesBelow(archive.dir)) {
      const changes = [
        () => Buffer.of(),
        (bytes: Buffer) => bytes.subarray(0, -1),
        (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)]),
        (bytes: Buffer) => Buffer.concat([bytes, bytes]),
      ];
      for (const change of changes) {
        expect((await whileChanged(at(file), change, verify)).ok, `${file} changed`).toBe(false);
      }
      const gone = await whileGone(at(file), verify);
      // Without the newest checkpoint the archive is as it was before that was published.
      if (file === checkpointKey('p0', 16))
        expect(gone.notices.map(({ code }) => code)).toContain('unpublished_tail');
      else expect(gone.ok, `${file} removed`).toBe(false);
    }
  });

  it('names the record of which a part was changed by somebody who made digests fit', async () => {
    for (const kind of PART_KINDS) {
      const own = await writeTestArchive([6]);
      const { headerText, ...bundle } = decodeBundle(await readFile(join(own.dir, bundleKey('p0', 0))));
      const header = JSON.parse(headerText) as BundleHeader;
      const frames = bundle.frameTexts.map((text) => JSON.parse(text) as FrameRef);
      const opened = await openFrames(own.dir, header, frames);
      const changed = opened.find(({ frame }) => frame.kind === kind && frame.line_count > 1)!;
      const rewritten = changed.lines.with(1, changed.lines[1]!.replace(/Bash|echo|person-/, 'other'));
      const forged = opened.map((each) => (each === changed ? { ...each, lines: rewritten } : each));
      const sealed = await sealFrames('p0', header, forged);
      for (const { key } of header.payloads) await removeObject(own.dir, key);
      for (const [key, bytes] of sealed.objects)
        await own.options.archive.put(key, bytes, header.payloads[0]!.lock);
      const frameTexts = sealed.frames.map((frame) => canonicalJson(frame));
      const lines = await packLines([...frameTexts, ...bundle.leafTexts]);
      const unsigned = { ...sealed.header, lines: linesRef(lines) };
      const signed = await signedHeader(own.options.signer, unsigned);
      await replaceObject(own.dir, bundleKey('p0', 0), packBundle(signed, lines));
      const broken = Number(/^\{"index":([0-9]+)/.exec(rewritten[1]!)![1]);
      const report = await verifyArchive({ dir: own.dir, findKeys });
      expect(report.failures).toMatchObject([{ code: 'payload_mismatch', index: broken }]);
      // Without the keys the frames are those that were signed, and nobody reads them.
      const sealedReport = await verifyArchive({ dir: own.dir });
      expect(sealedReport).toMatchObject({ ok: true, disclosure: 'sealed' });
      await own.dispose();
    }
  });

  it('names the bundle whose leaf was changed', async () => {
    const { headerText, frameTexts, leafTexts } = decodeBundle(await read(bundleKey('p0', 3)));
    const changed = leafTexts.map((text, position) =>
      position === 2 ? text.replace('"hook"', '"otel"') : text,
    );
    await replaceObject(
      archive.dir,
      bundleKey('p0', 3),
      await toBundle(JSON.parse(headerText) as BundleHeader, { frameTexts, leafTexts: changed }),
    );
    expect((await verify()).failures).toMatchObject([{ code: 'root_mismatch', index: 3 }]);
  });

  it('names the first index that was not signed when everything after it was rewritten consistently', async () => {
    await rewriteFrom(archive, SIZES, 3);
    const report = await verify();
    expect(report).toMatchObject({ ok: false, integrity: 'broken' });
    expect(report.failures[0]).toMatchObject({ code: 'checkpoint_root_mismatch', index: 3 });
    expect(new Set(codes(report))).toEqual(new Set(['checkpoint_root_mismatch', 'bundle_unsigned']));
  });

  it('does not take a checkpoint that another key signed', async () => {
    const signer = createTestSigner();
    const root_hash = (await headerOf(8)).root_hash;
    const text = checkpointText({ origin: signer.name, tree_size: 16, root_hash });
    const { name, keyId } = parseVkey(signer.vkey)!;
    const note = formatNote(text, [{ name, keyId, signature: await signer.sign(Buffer.from(text)) }]);
    await replaceObject(archive.dir, checkpointKey('p0', 16), Buffer.from(note));
    expect(await verify()).toMatchObject({
      ok: false,
      integrity: 'intact',
      anchoring: 'broken',
      failures: [{ code: 'checkpoint_other_key', index: null }],
    });
  });

  it('does not take a good checkpoint under the name of another size', async () => {
    await replaceObject(archive.dir, checkpointKey('p0', 8), await read(checkpointKey('p0', 7)));
    expect(codes(await verify())).toEqual(['checkpoint_misplaced']);
  });

  it('names where leaves are gone from the middle, and checks what lies behind', async () => {
    await removeObject(archive.dir, bundleKey('p0', 3));
    const report = await verify();
    expect(report.failures[0]).toMatchObject({ code: 'bundle_missing', index: 3 });
    expect(codes(report)).not.toContain('root_mismatch');
    expect(report.tree_size).toBe(16);
  });

  it('names where leaves are gone from the end, by the checkpoint or by the payloads left behind', async () => {
    await removeObject(archive.dir, bundleKey('p0', 8));
    expect((await verify()).failures).toMatchObject([{ code: 'bundle_missing', index: 8 }]);
    await removeObject(archive.dir, checkpointKey('p0', 16));
    await removeObject(archive.dir, bundleKey('p0', 7));
    await removeObject(archive.dir, checkpointKey('p0', 8));
    const report = await verify();
    expect(report.failures[0]).toMatchObject({ code: 'bundle_missing', index: 7 });
  });

  it('takes missing parts without a receipt for tampering', async () => {
    await removeObject(archive.dir, (await headerOf(3)).payloads[0]!.key);
    expect((await verify()).failures).toMatchObject([{ code: 'payload_missing', index: 3 }]);
  });

  it.each(['stray', 'log/stray', 'log/p0/bundle/9', 'log/p0/payload/00000000000000000001-0000000000000000'])(
    'names the foreign file %s',
    async (file) => {
      await overwriteNew(at(file));
      expect(codes(await verify())).toContain('file_unexpected');
    },
  );

  it('does not follow a symbolic link', async () => {
    const key = checkpointKey('p0', 3);
    await rename(at(key), at('elsewhere'));
    await symlink(at('elsewhere'), at(key));
    expect(codes(await verify())).toContain('file_unexpected');
  });

  it('says that a folder without a log is nothing to verify', async () => {
    const report = await verifyArchive({ dir: join(archive.dir, 'log', 'p0') });
    expect(report).toMatchObject({ ok: false, tree_size: null, root_hash: null });
    expect(codes(report)).toEqual(['nothing_to_verify']);
  });

  it('never throws for what a bundle may hold', async () => {
    const key = bundleKey('p0', 3);
    const { headerText, ...texts } = decodeBundle(await read(key));
    const { frameTexts, leafTexts } = texts;
    const header = JSON.parse(headerText) as BundleHeader;
    const deep = '['.repeat(100_000);
    const leaves = await packLines([...frameTexts, ...leafTexts]);
    const below = (line: string, packed = leaves) => Buffer.concat([Buffer.from(`${line}\n`), packed]);
    const hostile = [
      leaves,
      Buffer.from(headerText),
      below(''),
      below(deep),
      below('x'.repeat(MAX_HEADER_BYTES)),
      below(headerText, await packLines([])),
      below(headerText, await packLines([...frameTexts, deep, ...leafTexts.slice(1)])),
      below(headerText, await packLines([deep, ...frameTexts.slice(1), ...leafTexts])),
      below(headerText, Buffer.from([...frameTexts, ...leafTexts].join('\n'))),
      below(headerText.replace('{', '{"v":1,')),
      below(` ${headerText}`),
      await toBundle({ ...header, frontier: [header.root_hash] }, texts),
      await toBundle({ ...header, frontier: [] }, texts),
      await toBundle({ ...header, leaf_count: 0, tree_size: 3 }, { frameTexts, leafTexts: [] }),
      await toBundle(
        { ...header, leaf_count: 5, tree_size: 8 },
        { frameTexts, leafTexts: [...leafTexts, leafTexts[0]!] },
      ),
      await toBundle({ ...header, payloads: [] }, texts),
      await toBundle({ ...header, payloads: [...header.payloads, ...header.payloads] }, texts),
      await toBundle(
        { ...header, payloads: header.payloads.map((ref) => ({ ...ref, key: '../../etc/passwd' })) },
        texts,
      ),
    ];
    for (const bytes of hostile) {
      await replaceObject(archive.dir, key, bytes);
      const report = await verify();
      expect(report.ok).toBe(false);
      expect(report.failures[0]?.index).toBe(3);
    }
  });

  describe('raises no false alarm', () => {
    it('where a crash left staged files, payloads of no bundle and locks without objects', async () => {
      await mkdir(at('.staging/put-abc'), { recursive: true });
      await writeFile(at('.staging/put-abc/object'), 'half');
      const lock = { mode: 'governance', retain_until: '2033-01-01T00:00:00.000Z' } as const;
      for (const start of [3, 16]) {
        const bytes = Buffer.from(`left at ${String(start)}`);
        await archive.options.archive.put(payloadKey('p0', start, sha256Hex(bytes)), bytes, lock);
        const key = bundleKey('p0', start);
        const sha256 = sha256Hex(`lost bundle ${String(start)}`);
        const record = { v: 1, key, sha256, size_bytes: 5, ...lock, legal_hold: false } as const;
        await writeFile(at(lockFileName(key, sha256)), formatLockFile(record));
      }
      const report = await verify();
      expect(report).toMatchObject({ ok: true, failures: [] });
      expect(report.notices.map(({ code }) => code)).toEqual([
        'leftover',
        'leftover',
        'leftover',
        'leftover',
      ]);
    });

    it('where the newest bundle is not published yet', async () => {
      await removeObject(archive.dir, checkpointKey('p0', 16));
      expect(await verify()).toMatchObject({
        ok: true,
        anchoring: 'signed',
        tree_size: 16,
        signed_tree_size: 8,
        notices: [{ code: 'unpublished_tail', index: 8 }],
      });
    });

    it('while a sequencer goes on writing', async () => {
      const ledger = await openLedger(archive.options);
      const reports: VerificationReport[] = [];
      const writing = new AbortController();
      const verifying = (async () => {
        while (!writing.signal.aborted) reports.push(await verify());
      })();
      for (let round = 0; round < 25; round += 1) {
        const records = [mixedRecord(16 + 2 * round), mixedRecord(17 + 2 * round)];
        await appendWhole(ledger, { records, next_offset: BigInt(100 + round), duplicate_count: 0 });
      }
      writing.abort();
      await verifying;
      for (const report of reports) expect(report).toMatchObject({ ok: true, failures: [] });
      expect(await verify()).toMatchObject({ ok: true, tree_size: 66, notices: [] });
    });

    it('where the creation of another log was interrupted', async () => {
      await mkdir(at('log/p1'));
      expect(await verify()).toMatchObject({ ok: true, tree_size: 16 });
    });
  });

  it('still alarms when a lock of no object is damaged', async () => {
    const key = bundleKey('p0', 16);
    await writeFile(at(lockFileName(key, '0'.repeat(64))), 'no lock');
    expect(codes(await verify())).toEqual(['lock_damaged']);
  });

  it('alarms when the genesis is another one', async () => {
    const genesis = JSON.parse((await read(genesisKey('p0'))).toString()) as Record<string, string>;
    const forged = canonicalJson({ ...genesis, vkey: createTestSigner().vkey });
    await replaceObject(archive.dir, genesisKey('p0'), Buffer.from(`${forged}\n`));
    const report = await verify();
    expect(report).toMatchObject({ ok: false, anchoring: 'broken' });
    expect(new Set(codes(report))).toEqual(
      new Set(['genesis_unsigned', 'checkpoint_other_key', 'bundle_unsigned']),
    );
    await overwrite(at(genesisKey('p0')), '{}');
    expect(codes(await verify())).toContain('genesis_malformed');
  });

  async function overwriteNew(path: string): Promise<void> {
    await writeFile(path, 'x');
  }
});
