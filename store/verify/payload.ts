/** Checks of payload objects and their frames against the leaves of their bundle, without any key. No I/O. */
import type { BundleHeader, PartKind, PayloadRef } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { frameDigest } from '../chain/frame.ts';
import { payloadKey } from '../chain/layout.ts';
import type { Findings } from './report.ts';
import type { StoredObject } from './stored-object.ts';

/** The parts that the leaves of a bundle name. */
export interface DemandedParts {
  /** By `partGroup`: the digest of each part by leaf index. */
  readonly digests: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** Surrogate of the person by leaf index, for leaves that name one. */
  readonly owners: ReadonlyMap<number, string>;
}

/** Part kind and retention class. */
export function partGroup(kind: string, retentionClass: string): string {
  return `${kind}/${retentionClass}`;
}

/** A bundle as far as its payload objects are concerned. */
export interface FramedBundle {
  readonly header: BundleHeader;
  readonly frames: readonly FrameRef[];
  readonly demanded: DemandedParts;
  /** Called with each line of an opened frame that is the part that its leaf names. */
  readonly onPart?: ((kind: PartKind, line: Buffer) => void) | undefined;
}

/**
 * SPEC (archive.md): the frames of a bundle lie side by side in its payload objects, in the order of their lines, without
 * a gap; each object under the key that its digest gives. For each kind and class they hold as many parts as the leaves
 * name. Facts lie under the key of their class, and the other parts of a record whose leaf names a person under a key of
 * that person. No two frames of a bundle share a key and a nonce. Answers whether all this holds.
 */
export function checkFrameRefs(log: string, bundle: FramedBundle, findings: Findings): boolean {
  const { header, frames } = bundle;
  const start = header.start_index;
  let isSound = true;
  const fail = (detail: string) => {
    isSound = false;
    findings.fail('bundle_malformed', start, detail);
  };
  for (const { key, sha256 } of header.payloads)
    if (key !== payloadKey(log, start, sha256)) fail(`the header names ${key}, which is not its place`);
  if (!areSideBySide(header.payloads, frames)) fail('the frames do not fill the payload objects in order');
  const nonces = new Set(frames.map(({ commitment, nonce }) => `${commitment} ${nonce}`));
  if (nonces.size !== frames.length) fail('two frames share a key and a nonce');
  if (frames.some(({ kind, subject }) => kind === 'facts' && subject !== null))
    fail('facts lie under the key of a subject');
  compareCounts(bundle, findings);
  compareOwners(bundle, findings);
  return isSound;
}

function areSideBySide(payloads: readonly PayloadRef[], frames: readonly FrameRef[]): boolean {
  const sizes = payloads.map(() => 0);
  let last = 0;
  for (const { payload, size_bytes } of frames) {
    if (payload < last || payload >= sizes.length) return false;
    last = payload;
    sizes[payload] = (sizes[payload] ?? 0) + size_bytes;
  }
  return payloads.every(({ size_bytes }, payload) => size_bytes > 0 && sizes[payload] === size_bytes);
}

function compareCounts({ header, frames, demanded }: FramedBundle, findings: Findings): void {
  const held = new Map<string, number>();
  for (const { kind, retention_class, line_count } of frames) {
    const group = partGroup(kind, retention_class);
    held.set(group, (held.get(group) ?? 0) + line_count);
  }
  for (const group of new Set([...held.keys(), ...demanded.digests.keys()])) {
    const digests = demanded.digests.get(group);
    const counts = `${String(digests?.size ?? 0)} parts ${group} in leaves, ${String(held.get(group) ?? 0)} in frames`;
    if (held.get(group) !== digests?.size)
      findings.fail('payload_mismatch', firstOf(digests) ?? header.start_index, counts);
  }
}

/** An erasure of a person must reach every part: none of them lies under the key of another owner. */
function compareOwners({ frames, demanded }: FramedBundle, findings: Findings): void {
  const missing = new Map<string, { index: number; count: number }>();
  for (const [group, digests] of demanded.digests) {
    if (group.startsWith('facts/')) continue;
    for (const index of digests.keys()) {
      const owner = demanded.owners.get(index);
      if (owner === undefined) continue;
      const name = `${group} of ${owner}`;
      const found = missing.get(name) ?? { index, count: 0 };
      missing.set(name, { ...found, count: found.count + 1 });
    }
  }
  for (const { kind, retention_class, subject, line_count } of frames) {
    const found = missing.get(`${partGroup(kind, retention_class)} of ${subject ?? ''}`);
    if (found !== undefined) found.count -= line_count;
  }
  for (const [name, { index, count }] of missing) {
    if (count === 0) continue;
    const detail = `the frames hold ${String(Math.abs(count))} parts ${count > 0 ? 'too few' : 'too many'} of ${name}`;
    findings.fail('payload_mismatch', index, detail);
  }
}

/** First leaf index of a group. */
export function firstOf(digests: ReadonlyMap<number, string> | undefined): number | null {
  return digests?.keys().next().value ?? null;
}

/** The frames of one payload object, each with its bytes. */
export interface CutFrame {
  readonly frame: FrameRef;
  readonly bytes: Uint8Array;
}

/** The frames of the payload object at one position of a header. */
export interface PlacedFrames {
  readonly header: BundleHeader;
  readonly position: number;
  readonly frames: readonly FrameRef[];
}

/**
 * Cuts a payload object into its frames. Undefined where the object is not the one that the bundle names; then a failure
 * was reported, for the frames that differ where they can be told.
 */
export function cutPayload(
  { header, position, frames }: PlacedFrames,
  { bytes, sha256, sizeBytes }: StoredObject,
  findings: Findings,
): CutFrame[] | undefined {
  const ref = header.payloads[position];
  if (ref === undefined) return undefined;
  let offset = 0;
  const cut = frames.map((frame) => {
    offset += frame.size_bytes;
    return { frame, bytes: bytes.subarray(offset - frame.size_bytes, offset) };
  });
  const damaged = cut.filter((one) => frameDigest(one.bytes) !== one.frame.digest);
  const isNamed = sha256 === ref.sha256 && sizeBytes === ref.size_bytes;
  if (isNamed && damaged.length === 0) return cut;
  const which = damaged.map(({ frame }) => `${frame.kind} of ${frame.subject ?? 'nobody'}`).join(', ');
  const detail = `${ref.key} is not what its bundle names${which === '' ? '' : `: frames with ${which}`}`;
  findings.fail('payload_damaged', header.start_index, detail);
  return undefined;
}
