/** Opens the payload objects of a bundle. In: archive, key store and the lines of the bundle. Out: its stored parts. */
import type { PartKind } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { Archive } from '../archive/archive.ts';
import { frameKeyAddress, frameSecret, openFrame } from '../chain/frame.ts';
import { inflateLines } from '../chain/frame-lines.ts';
import { bundleKey } from '../chain/layout.ts';
import { sha256Hex } from '../chain/leaf.ts';
import type { DataKey } from '../chain/data-key.ts';
import type { KeyStore } from '../data-keys/key-store.ts';
import type { SealedBundle, StoredPart } from '../records/record-row.ts';
import { readHeaderAndLeaves, type BundleLines } from './sealed-bundles.ts';

export interface PartSources {
  readonly archive: Pick<Archive, 'get'>;
  readonly dataKeys: Pick<KeyStore, 'find'>;
}

/** One bundle with its stored parts. The digests of the payload objects are checked, the leaves are not. */
export async function readSealedBundle(
  sources: PartSources,
  log: string,
  start: number,
): Promise<SealedBundle> {
  const lines = await readHeaderAndLeaves(sources.archive, bundleKey(log, start));
  return { log, ...lines, ...(await readParts(sources, lines)) };
}

/**
 * Stored parts of a bundle, by leaf index, and the lines whose key was destroyed. Throws ARCHIVE_DAMAGED for an object that
 * is not the one that the bundle names, and KEY_MISSING where the key store has neither key nor tombstone.
 */
export async function readParts(
  { archive, dataKeys }: PartSources,
  { header, frames }: Pick<BundleLines, 'header' | 'frames'>,
): Promise<Pick<SealedBundle, PartKind | 'erased'>> {
  const parts = {
    facts: new Map<number, StoredPart>(),
    person: new Map<number, StoredPart>(),
    content: new Map<number, StoredPart>(),
  };
  const erased: Record<PartKind, number> = { facts: 0, person: 0, content: 0 };
  const keys = await dataKeys.find(frames.map((frame) => frameKeyAddress(header, frame)));
  const cut = await cutPayloads(archive, header, frames);
  frames.forEach((frame, position) => {
    const key = keys[position];
    if (key === 'destroyed') erased[frame.kind] += frame.line_count;
    else addLines(parts[frame.kind], { header, frame, key, bytes: cut[position] ?? new Uint8Array() });
  });
  return { ...parts, erased };
}

/** The bytes of each frame. */
async function cutPayloads(
  archive: PartSources['archive'],
  { payloads }: Pick<BundleLines['header'], 'payloads'>,
  frames: readonly FrameRef[],
): Promise<Uint8Array[]> {
  const objects = await Promise.all(
    payloads.map(async ({ key, sha256 }) => {
      const bytes = await archive.get(key);
      if (bytes !== undefined && sha256Hex(bytes) === sha256) return { bytes, offset: 0 };
      const detail = `payload ${key} is missing or is not what its bundle names`;
      throw new PipelineError('ARCHIVE_DAMAGED', detail);
    }),
  );
  return frames.map(({ payload, size_bytes }) => {
    const object = objects[payload];
    if (object === undefined) throw new PipelineError('ARCHIVE_DAMAGED', 'a frame lies in no payload object');
    object.offset += size_bytes;
    return object.bytes.subarray(object.offset - size_bytes, object.offset);
  });
}

interface FrameBytes {
  readonly header: BundleLines['header'];
  readonly frame: FrameRef;
  readonly key: DataKey | 'absent' | undefined;
  readonly bytes: Uint8Array;
}

function addLines(parts: Map<number, StoredPart>, { header, frame, key, bytes }: FrameBytes): void {
  const name = `a frame of ${frame.kind} in the bundle at ${String(header.start_index)}`;
  if (key === undefined || key === 'absent') {
    const { subject, retention_class, month } = frameKeyAddress(header, frame);
    const detail = `${name}: no key of ${subject ?? 'nobody'}, class ${retention_class}, month ${month}`;
    throw new PipelineError('KEY_MISSING', detail);
  }
  const isNamed = key.commitment.toString('base64url') === frame.commitment;
  const compressed = isNamed ? openFrame(key.key, { place: header, frame }, bytes) : undefined;
  if (compressed === undefined)
    throw new PipelineError('KEY_MISSING', `${name}: the key of the key store does not open it`);
  const secret = frameSecret(key.key, Buffer.from(frame.nonce, 'base64url'));
  const lines = linesOf(compressed, name);
  if (lines.length !== frame.line_count)
    throw new PipelineError('ARCHIVE_DAMAGED', `${name} has other lines than it says`);
  for (const line of lines) parts.set(indexOf(line), { line, secret });
}

function linesOf(compressed: Uint8Array, name: string): string[] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(inflateLines(compressed));
    return text.slice(0, -1).split('\n');
  } catch (cause) {
    throw new PipelineError('ARCHIVE_DAMAGED', `${name} does not decode`, { cause });
  }
}

function indexOf(line: string): number {
  const digits = /^\{"index":(0|[1-9][0-9]{0,15}),/.exec(line)?.[1];
  if (digits === undefined) throw new PipelineError('ARCHIVE_DAMAGED', 'a payload line has no index');
  return Number(digits);
}
