/** The same lines in other compressed bytes: nothing that is evidence has two spellings. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutBundle } from '../../../store/chain/bundle-bytes.ts';
import { bundleKey } from '../../../store/chain/layout.ts';
import { verifyArchive } from '../../../store/verify/verify-archive.ts';
import { replaceObject, writeTestArchive, type TestArchive } from '../../support/archive-folder.ts';

const COMMENT = 0x10;
const FLAGS_AT = 3;
const HEAD_BYTES = 10;

/** Other bytes that inflate to the same lines. */
const respellings: readonly (readonly [string, (gzipped: Uint8Array) => Buffer])[] = [
  ['compressed harder', (gzipped) => gzipSync(gunzipSync(gzipped), { level: 9 })],
  ['in two members', (gzipped) => inTwoMembers(gunzipSync(gzipped))],
  ['with an empty member behind it', (gzipped) => Buffer.concat([gzipped, gzipSync('')])],
  ['with a hidden comment', withComment],
  ['with bytes behind it', (gzipped) => Buffer.concat([gzipped, Buffer.from('hidden')])],
];

function inTwoMembers(lines: Buffer): Buffer {
  const half = lines.length >> 1;
  return Buffer.concat([gzipSync(lines.subarray(0, half)), gzipSync(lines.subarray(half))]);
}

function withComment(gzipped: Uint8Array): Buffer {
  const head = Buffer.from(gzipped.subarray(0, HEAD_BYTES));
  head.writeUInt8(COMMENT, FLAGS_AT);
  return Buffer.concat([head, Buffer.from('hidden\0'), gzipped.subarray(HEAD_BYTES)]);
}

let archive: TestArchive;
const key = bundleKey('p0', 3);
const bundle = () => readFile(join(archive.dir, key));

beforeAll(async () => {
  archive = await writeTestArchive([3, 4]);
});
afterAll(() => archive.dispose());

/** What verification says first of other bytes under a key; the object is itself again afterwards. */
async function firstFailureWith(name: string, bytes: Uint8Array) {
  const original = await readFile(join(archive.dir, name));
  await replaceObject(archive.dir, name, bytes);
  const [first] = (await verifyArchive({ dir: archive.dir })).failures;
  await replaceObject(archive.dir, name, original);
  expect((await verifyArchive({ dir: archive.dir })).failures).toEqual([]);
  return first;
}

describe.each(respellings)('gzip %s', (_, respell) => {
  it('is not the bundle that was signed', async () => {
    const { headerLine, lines } = cutBundle(await bundle());
    const respelt = Buffer.concat([headerLine, Buffer.from('\n'), respell(lines)]);
    expect(await firstFailureWith(key, respelt)).toMatchObject({ code: 'bundle_malformed', index: 3 });
  });
});
