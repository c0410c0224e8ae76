/** Frames of a test archive, opened and sealed again under the keys of `createMemoryKeyStore`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleHeader } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { frameDigest, frameKeyAddress, openFrame, sealFrame } from '../../store/chain/frame.ts';
import { deflateLines, inflateLines } from '../../store/chain/frame-lines.ts';
import { payloadKey } from '../../store/chain/layout.ts';
import { sha256Hex } from '../../store/chain/leaf.ts';
import type { DataKey } from '../../store/chain/data-key.ts';
import { createMemoryKeyStore } from './memory-key-store.ts';

export interface OpenedFrame {
  readonly frame: FrameRef;
  readonly lines: readonly string[];
}

const keyStore = createMemoryKeyStore();

/** Finds every key of a test archive. */
export const findTestKeys = keyStore.find;

async function keyOf(header: BundleHeader, frame: FrameRef): Promise<DataKey> {
  const [key] = await keyStore.find([frameKeyAddress(header, frame)]);
  if (key === undefined || typeof key === 'string') throw new Error('no key');
  return key;
}

/** Opens all frames of a bundle in a folder. */
export async function openFrames(
  dir: string,
  header: BundleHeader,
  frames: readonly FrameRef[],
): Promise<OpenedFrame[]> {
  const offsets = header.payloads.map(() => 0);
  const opened: OpenedFrame[] = [];
  for (const frame of frames) {
    const bytes = await readFile(join(dir, header.payloads[frame.payload]!.key));
    const offset = offsets[frame.payload]!;
    offsets[frame.payload] = offset + frame.size_bytes;
    const key = await keyOf(header, frame);
    const part = bytes.subarray(offset, offset + frame.size_bytes);
    const text = inflateLines(openFrame(key.key, { place: header, frame }, part)!).toString('utf8');
    opened.push({ frame, lines: text.slice(0, -1).split('\n') });
  }
  return opened;
}

export interface SealedFrames {
  readonly header: BundleHeader;
  readonly frames: readonly FrameRef[];
  /** Bytes of each payload object that the header names, by key. */
  readonly objects: ReadonlyMap<string, Uint8Array>;
}

/** Seals frames under the keys of the test, and names them in the header as the writer would. Nothing is signed. */
export async function sealFrames(
  log: string,
  header: BundleHeader,
  opened: readonly OpenedFrame[],
): Promise<SealedFrames> {
  const parts = header.payloads.map((): Buffer[] => []);
  const frames: FrameRef[] = [];
  for (const { frame, lines } of opened) {
    const { key, commitment } = await keyOf(header, frame);
    const label = { ...frame, commitment: commitment.toString('base64url') };
    const compressed = await deflateLines(Buffer.from(lines.map((line) => `${line}\n`).join('')));
    const nonce = Buffer.from(frame.nonce, 'base64url');
    const bytes = sealFrame({ key, nonce }, { place: header, label }, compressed);
    parts[frame.payload]!.push(bytes);
    frames.push({ ...label, size_bytes: bytes.length, digest: frameDigest(bytes) });
  }
  const objects = new Map<string, Uint8Array>();
  const payloads = header.payloads.map(({ lock }, position) => {
    const bytes = Buffer.concat(parts[position]!);
    const sha256 = sha256Hex(bytes);
    const key = payloadKey(log, header.start_index, sha256);
    objects.set(key, bytes);
    return { key, sha256, size_bytes: bytes.length, lock };
  });
  return { header: { ...header, payloads, frame_count: frames.length }, frames, objects };
}
