import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { PART_KINDS } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { frameDigest, frameKeyAddress, sealFrame } from '../../store/chain/frame.ts';
import { FRAME_DICTIONARY } from '../../store/chain/frame-dictionary.ts';
import { payloadKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import { overwrite, removeObject, replaceObject } from '../support/archive-folder.ts';
import { createMemoryKeyStore } from '../support/memory-key-store.ts';
import { describeArchiveCases, exchanged, read, type ArchiveCase } from './archive-cases.ts';
import {
  edited,
  forgeBundle,
  forgeFrames,
  forgeLines,
  frameLines,
  isFrameOf,
  payloadOf,
  putObject,
  readBundle,
  TREE_SIZE,
} from './forge.ts';

/** A line of the bundle at 10 in a frame of each kind, and the index of its leaf. */
const REWRITTEN = {
  facts: { line: 2, index: 12 },
  person: { line: 1, index: 13 },
  content: { line: 1, index: 13 },
};
/** Index of the first leaf of that bundle that has the part in this frame. */
const FIRST = { facts: 10, person: 11, content: 11 };
/** The same in the bundle at 4. */
const OLDER = { facts: 4, person: 5, content: 7 };
/** Index of the last leaf of that bundle that has the part in this frame. */
const LAST = { facts: 14, person: 13, content: 13 };

const LINES: readonly ArchiveCase[] = PART_KINDS.flatMap((kind): ArchiveCase[] => [
  {
    name: `a line of ${kind} rewritten, and all digests made to fit`,
    tamper: (dir) =>
      forgeLines(dir, 10, kind, (lines) =>
        lines.with(REWRITTEN[kind].line, lines[REWRITTEN[kind].line]!.replace(/Bash|echo|person-/, 'exec')),
      ),
    code: 'payload_mismatch',
    index: REWRITTEN[kind].index,
    names: `line ${String(REWRITTEN[kind].line + 1)} of a frame with ${kind}/${kind}`,
  },
  {
    name: `two lines of ${kind} swapped`,
    tamper: (dir) => forgeLines(dir, 10, kind, (lines) => exchanged(lines, 0, 1)),
    code: 'payload_mismatch',
    index: FIRST[kind],
    names: `line 2 of a frame with ${kind}/${kind}`,
  },
  {
    name: `the last line of ${kind} dropped`,
    tamper: (dir) => forgeLines(dir, 10, kind, (lines) => lines.slice(0, -1)),
    code: 'payload_mismatch',
    index: LAST[kind],
    names: `no frame holds these ${kind}/${kind}`,
    first: FIRST[kind],
  },
  {
    name: `a part of ${kind} that says it is of another kind`,
    tamper: (dir) =>
      forgeLines(dir, 10, kind, (lines) =>
        lines.with(0, lines[0]!.replace(`"name":"${kind}"`, '"name":"other"')),
      ),
    code: 'payload_mismatch',
    index: FIRST[kind],
    names: `line 1 of a frame with ${kind}/${kind}`,
  },
  {
    name: `a line of ${kind} with a blank in it`,
    tamper: (dir) =>
      forgeLines(dir, 10, kind, (lines) => lines.with(0, lines[0]!.replace('"part":', '"part": '))),
    code: 'payload_mismatch',
    index: FIRST[kind],
    names: `line 1 of a frame with ${kind}/${kind}`,
  },
  {
    name: `a line of ${kind} duplicated`,
    tamper: (dir) => forgeLines(dir, 10, kind, (lines) => [...lines, lines[0]!]),
    code: 'payload_mismatch',
    index: FIRST[kind],
    names: `of a frame with ${kind}/${kind}`,
  },
  {
    name: `${kind} replaced by those of an older bundle`,
    tamper: async (dir) => {
      const older = await frameLines(dir, 4, kind);
      await forgeLines(dir, 10, kind, () => older);
    },
    code: 'payload_mismatch',
    index: OLDER[kind],
    names: `line 1 of a frame with ${kind}/${kind}`,
  },
]);

/** Changes the line of the frame with persons, and nothing else. */
const withFrame = (change: (frame: FrameRef) => Partial<FrameRef>) => (dir: string) =>
  forgeBundle(dir, 10, ({ frames }) => ({
    frames: frames.map((frame) => (isFrameOf('person')(frame) ? { ...frame, ...change(frame) } : frame)),
  }));
const OTHER_32_BYTES = Buffer.alloc(32, 'o').toString('base64url');
const OTHER_SUBJECT = Buffer.alloc(16, 'o').toString('base64url');

const FRAMES: readonly ArchiveCase[] = [
  {
    name: 'a byte of a frame edited',
    tamper: async (dir) => {
      const key = await payloadOf(dir, 10);
      await overwrite(join(dir, key), edited(await read(dir, key), 60));
    },
    code: 'payload_damaged',
    index: 10,
    names: 'frames with facts of nobody',
  },
  {
    name: 'a byte behind the last frame',
    tamper: async (dir) => {
      const key = await payloadOf(dir, 10);
      await replaceObject(dir, key, Buffer.concat([await read(dir, key), Buffer.of(0)]));
    },
    code: 'payload_damaged',
    index: 10,
    names: 'log/p0/payload/00000000000/000/000/00000000000000000010',
  },
  {
    name: 'a payload object removed',
    tamper: async (dir) => removeObject(dir, await payloadOf(dir, 10)),
    code: 'payload_missing',
    index: 10,
    names: 'log/p0/payload/00000000000/000/000/00000000000000000010',
  },
  {
    name: 'the bytes of two frames swapped',
    tamper: async (dir) => {
      const { header, frames } = await readBundle(dir, 10);
      const bytes = await read(dir, header.payloads[0]!.key);
      let offset = 0;
      const cut = frames.map(({ size_bytes }) => bytes.subarray(offset, (offset += size_bytes)));
      await replaceObject(dir, header.payloads[0]!.key, Buffer.concat(exchanged(cut, 0, 1)));
    },
    code: 'payload_damaged',
    index: 10,
    names: 'is not what its bundle names',
  },
  {
    name: 'another nonce',
    tamper: withFrame(() => ({ nonce: 'A'.repeat(16) })),
    code: 'key_missing',
    index: 10,
  },
  {
    name: 'another commitment',
    tamper: withFrame(() => ({ commitment: OTHER_32_BYTES.replace(/.$/, 'A') })),
    code: 'key_missing',
    index: 10,
  },
  {
    name: 'a frame under the name of another subject',
    tamper: withFrame(() => ({ subject: OTHER_SUBJECT.replace(/.$/, 'A') })),
    code: 'key_missing',
    index: 10,
    names: 'person of',
  },
  {
    name: 'a frame of persons under the key of the class',
    tamper: withFrame(() => ({ subject: null })),
    code: 'key_missing',
    index: 10,
    names: 'person of nobody',
  },
  {
    name: 'a frame that says it is of another kind',
    tamper: withFrame(() => ({ kind: 'content' })),
    code: 'payload_mismatch',
    index: 11,
    names: 'parts person/person in leaves, 0 in frames',
    first: 10,
  },
  {
    name: 'a frame that counts other lines',
    tamper: withFrame(({ line_count }) => ({ line_count: line_count + 1 })),
    code: 'payload_mismatch',
    index: 11,
    names: '2 parts person/person in leaves, 3 in frames',
    first: 10,
  },
  {
    name: 'another digest of a frame',
    tamper: withFrame(() => ({ digest: OTHER_32_BYTES.replace(/.$/, 'A') })),
    code: 'payload_damaged',
    index: 10,
    names: 'frames with person of',
  },
  {
    name: 'a frame that claims a byte of its neighbour',
    tamper: withFrame(({ size_bytes }) => ({ size_bytes: size_bytes + 1 })),
    code: 'bundle_malformed',
    index: 10,
    names: 'do not fill the payload objects',
  },
  {
    name: 'a frame in a payload object that is not there',
    tamper: withFrame(() => ({ payload: 7 })),
    code: 'bundle_malformed',
    index: 10,
    names: 'do not fill the payload objects',
  },
  {
    name: 'two frames with one nonce under one key',
    tamper: (dir) =>
      forgeBundle(dir, 10, ({ frames }) => ({
        frames: frames.map((frame) => ({
          ...frame,
          nonce: frames[0]!.nonce,
          commitment: frames[0]!.commitment,
        })),
      })),
    code: 'bundle_malformed',
    index: 10,
    names: 'share a key and a nonce',
  },
  {
    name: 'facts under the key of a subject',
    tamper: (dir) =>
      forgeBundle(dir, 10, ({ frames }) => ({
        frames: frames.map((frame) =>
          frame.kind === 'facts' ? { ...frame, subject: OTHER_SUBJECT.replace(/.$/, 'A') } : frame,
        ),
      })),
    code: 'bundle_malformed',
    index: 10,
    names: 'facts lie under the key of a subject',
  },
  {
    name: 'persons sealed under the key of another owner',
    tamper: (dir) =>
      forgeFrames(dir, 10, (opened) =>
        opened.map(({ frame, lines }) => ({
          frame: isFrameOf('person')(frame) ? { ...frame, subject: OTHER_SUBJECT.replace(/.$/, 'A') } : frame,
          lines,
        })),
      ),
    code: 'payload_mismatch',
    index: 11,
    names: 'the frames hold 2 parts too few of person/person of',
  },
  {
    name: 'more frames than leaves can fill',
    tamper: (dir) =>
      forgeBundle(dir, 10, ({ header, frames }) => {
        const many = Array.from({ length: 3 * header.leaf_count + 1 }, () => frames[0]!);
        return { header: { ...header, frame_count: many.length }, frames: many };
      }),
    code: 'bundle_malformed',
    index: 10,
    names: 'does not decode to a header and leaves',
  },
  {
    name: 'a frame that is not named any more',
    tamper: (dir) =>
      forgeFrames(dir, 10, (opened) => opened.filter(({ frame }) => !isFrameOf('person')(frame))),
    code: 'payload_mismatch',
    index: 11,
    names: '2 parts person/person in leaves, 0 in frames',
  },
  {
    name: 'a frame that was sealed for another bundle',
    tamper: async (dir) => {
      const older = await readBundle(dir, 4);
      const at = older.frames.findIndex(isFrameOf('person'));
      const before = older.frames.slice(0, at).reduce((sum, { size_bytes }) => sum + size_bytes, 0);
      const bytes = await read(dir, older.header.payloads[0]!.key);
      const frame = older.frames[at]!;
      await replaceFrame(dir, frame, bytes.subarray(before, before + frame.size_bytes));
    },
    code: 'key_missing',
    index: 10,
    names: 'person of',
  },
  {
    name: 'bytes behind the compressed lines of a frame',
    tamper: async (dir) => {
      const lines = (await frameLines(dir, 10, 'person')).map((line) => `${line}\n`).join('');
      await replaceWithCompressed(dir, Buffer.concat([compress(lines), Buffer.from('hidden')]));
    },
    code: 'payload_damaged',
    index: 10,
    names: 'does not decode to lines',
  },
  {
    name: 'a frame without a newline at its end',
    tamper: async (dir) =>
      replaceWithCompressed(dir, compress((await frameLines(dir, 10, 'person')).join('\n'))),
    code: 'payload_damaged',
    index: 10,
    names: 'does not decode to lines',
  },
  {
    name: 'a frame that is no UTF-8',
    tamper: (dir) => replaceWithCompressed(dir, compress(Buffer.from([0xff, 0x0a]))),
    code: 'payload_damaged',
    index: 10,
    names: 'does not decode to lines',
  },
  {
    name: 'a payload object of a bundle that is not there',
    tamper: async (dir) => {
      const bytes = Buffer.from('left');
      await putObject(dir, payloadKey('p0', 40, sha256Hex(bytes)), bytes);
    },
    code: 'bundle_missing',
    index: TREE_SIZE,
    names: 'was written after leaves that are not there',
  },
];

const compress = (lines: string | Uint8Array) => deflateRawSync(lines, { dictionary: FRAME_DICTIONARY });

/** Puts other compressed bytes into the frame with persons, encrypted under the right key. */
async function replaceWithCompressed(dir: string, compressed: Uint8Array): Promise<void> {
  const { header, frames } = await readBundle(dir, 10);
  const frame = frames.find(isFrameOf('person'))!;
  const [key] = await createMemoryKeyStore().find([frameKeyAddress(header, frame)]);
  if (key === undefined || typeof key === 'string') throw new Error('no key');
  const nonce = Buffer.from(frame.nonce, 'base64url');
  const boundTo = { place: header, label: frame };
  await replaceFrame(dir, frame, sealFrame({ key: key.key, nonce }, boundTo, compressed));
}

/** Puts other bytes in the place of the frame with persons, and makes sizes and digests fit. */
async function replaceFrame(dir: string, named: FrameRef, bytes: Uint8Array): Promise<void> {
  const { header, frames } = await readBundle(dir, 10);
  const [payload] = header.payloads;
  const old = await read(dir, payload!.key);
  let offset = 0;
  const cut = frames.map((frame) => {
    const part = old.subarray(offset, (offset += frame.size_bytes));
    return isFrameOf('person')(frame) ? bytes : part;
  });
  const whole = Buffer.concat(cut);
  const sha256 = sha256Hex(whole);
  const key = payloadKey('p0', 10, sha256);
  await removeObject(dir, payload!.key);
  await putObject(dir, key, whole);
  const { nonce, commitment, subject, line_count } = named;
  const forged = {
    nonce,
    commitment,
    subject,
    line_count,
    size_bytes: bytes.length,
    digest: frameDigest(bytes),
  };
  await forgeBundle(dir, 10, () => ({
    header: { ...header, payloads: [{ ...payload!, key, sha256, size_bytes: whole.length }] },
    frames: frames.map((frame) => (isFrameOf('person')(frame) ? { ...frame, ...forged } : frame)),
  }));
}

describeArchiveCases('lines of facts, person and content', LINES);
describeArchiveCases('frames', FRAMES);
