/** The payload objects of a bundle, read, cut into frames, opened where keys are given, and compared with the leaves. */
import type { PayloadRef } from '../../schemas/bundle.ts';
import type { KeyAddress } from '../../schemas/data-key.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { FoundKey } from '../chain/data-key.ts';
import { frameKeyAddress } from '../chain/frame.ts';
import { FrameComparison, type FrameCounts } from './frame-lines.ts';
import { checkFrameRefs, cutPayload, type FramedBundle } from './payload.ts';
import type { Findings } from './report.ts';
import type { StoredObject } from './stored-object.ts';

/** Looks up data keys, in the order of the addresses. */
export type FindKeys = (addresses: readonly KeyAddress[]) => Promise<readonly FoundKey[]>;

/** How the frames of a log are opened, and where it is counted. */
export interface FrameOpening {
  /** Undefined: no key store was given, and frames stay sealed. */
  readonly findKeys?: FindKeys | undefined;
  readonly counts: FrameCounts;
}

export interface PayloadSources {
  /** Reads a payload object. Undefined where it is not there; then the caller has reported that. */
  readonly read: (ref: PayloadRef) => Promise<StoredObject | undefined>;
  /** Undefined: no key store was given, and frames stay sealed. */
  readonly findKeys?: FindKeys | undefined;
}

/** Checks all payload objects of a bundle. Memory holds one of them at a time. */
export async function checkFramedPayloads(
  { read, findKeys }: PayloadSources,
  {
    log,
    bundle,
    counts,
  }: { readonly log: string; readonly bundle: FramedBundle; readonly counts: FrameCounts },
  findings: Findings,
): Promise<void> {
  const { header, frames } = bundle;
  const isSound = checkFrameRefs(log, bundle, findings);
  const byPayload = new Map(header.payloads.map((_, position) => [position, [] as FrameRef[]]));
  for (const frame of frames) byPayload.get(frame.payload)?.push(frame);
  const keys = await findKeys?.(frames.map((frame) => frameKeyAddress(header, frame)));
  const keyOf = new Map(frames.map((frame, position) => [frame, keys?.[position]]));
  const comparison = new FrameComparison(bundle, findings, counts);
  for (const [position, ref] of header.payloads.entries()) {
    const object = await read(ref);
    const held = byPayload.get(position) ?? [];
    // Frames that do not lie side by side have no bytes to open.
    const cut =
      object && isSound ? cutPayload({ header, position, frames: held }, object, findings) : undefined;
    if (cut === undefined) for (const frame of held) comparison.skip(frame);
    else for (const one of cut) comparison.compare(one, keyOf.get(one.frame));
  }
  comparison.finish();
}
