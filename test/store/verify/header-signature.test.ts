import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BundleHeader } from '../../../schemas/bundle.ts';
import { decodeBundle } from '../../../store/chain/bundle-bytes.ts';
import { toBundle } from '../../support/bundle-file.ts';
import { bundleKey, checkpointKey } from '../../../store/chain/layout.ts';
import { verifyArchive } from '../../../store/verify/verify-archive.ts';
import {
  removeObject,
  replaceObject,
  signedHeader,
  writeTestArchive,
  type TestArchive,
} from '../../support/archive-folder.ts';
import { createTestSigner } from '../../support/ledger.ts';

describe('the signature of a bundle header', () => {
  let archive: TestArchive;

  beforeEach(async () => {
    archive = await writeTestArchive([3, 4]);
  });

  afterEach(() => archive.dispose());

  async function replaceHeader(change: (header: BundleHeader) => Promise<BundleHeader> | BundleHeader) {
    const { headerText, ...lines } = decodeBundle(await readFile(join(archive.dir, bundleKey('p0', 3))));
    const header = await change(JSON.parse(headerText) as BundleHeader);
    await replaceObject(archive.dir, bundleKey('p0', 3), await toBundle(header, lines));
    return verifyArchive({ dir: archive.dir });
  }

  it.each([
    ['another next_offset', { next_offset: '99' }],
    ['another integrated_at', { integrated_at: '2020-01-01T00:00:00Z' }],
    ['another duplicate_count', { duplicate_count: 7 }],
    ['no signature', { signature: '' }],
    ['a signature of zeros', { signature: `${'A'.repeat(86)}==` }],
  ])('shows that somebody without the key gave a bundle %s', async (_, change) => {
    expect(await replaceHeader((header) => ({ ...header, ...change }))).toMatchObject({
      ok: false,
      integrity: 'intact',
      anchoring: 'broken',
      failures: [{ code: 'bundle_unsigned', index: 3 }],
    });
  });

  it('shows that a bundle behind the newest checkpoint was sealed with another key', async () => {
    await removeObject(archive.dir, checkpointKey('p0', 7));
    expect(await verifyArchive({ dir: archive.dir })).toMatchObject({ ok: true, signed_tree_size: 3 });
    expect(await replaceHeader((header) => signedHeader(createTestSigner(), header))).toMatchObject({
      ok: false,
      anchoring: 'broken',
      signed_tree_size: 3,
      failures: [{ code: 'bundle_unsigned', index: 3 }],
    });
  });

  it('is good for whatever header the key was used on', async () => {
    const { signer } = archive.options;
    const report = await replaceHeader((header) => signedHeader(signer, { ...header, next_offset: '99' }));
    expect(report).toMatchObject({ ok: true, anchoring: 'signed', failures: [] });
  });
});
