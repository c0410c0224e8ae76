/**
 * Step 1 of the commit protocol: the parts of a batch become frames in payload objects. In: records in log order. Out:
 * sealed records, and objects that are durable in the archive. A data key is durable in the key store before a frame is
 * written under it.
 */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { PayloadRef } from '../../schemas/bundle.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { frameDigest, sealFrame, type FramePlace } from '../chain/frame.ts';
import { deflateLines } from '../chain/frame-lines.ts';
import { payloadKey } from '../chain/layout.ts';
import { sealRecord, sha256Hex, type SealedRecord } from '../chain/leaf.ts';
import { inParallel } from '../../schemas/in-parallel.ts';
import { LineWriter } from '../../schemas/line-writer.ts';
import { openFrames, type OpenFrame } from './open-frames.ts';
import type { LedgerOptions } from './options.ts';

export interface SealedParts {
  readonly sealed: readonly SealedRecord[];
  /** The lines of the leaves, each ended by a newline. */
  readonly leaves: Uint8Array;
  readonly payloads: readonly PayloadRef[];
  /** In the order in which they lie in the payload objects. */
  readonly frames: readonly FrameRef[];
}

/** A frame that was sealed, and the lock of the object that will hold it. */
interface SealedFrame {
  readonly ref: Omit<FrameRef, 'payload'>;
  readonly bytes: Buffer;
  readonly lock: ArchiveLock;
}

/** Seals the parts of all records, and puts their payload objects into the archive. */
export async function sealParts(
  options: LedgerOptions,
  records: readonly AuditRecord[],
  { startIndex, nowMs }: { readonly startIndex: number; readonly nowMs: number },
): Promise<SealedParts> {
  const frames = await openFrames(options, records, nowMs);
  const leaves = new LineWriter();
  const sealed = records.map((record, position) =>
    sealRecord(record, {
      index: startIndex + position,
      subject: frames.subjectOf(record),
      frameOf: (kind) => frames.of(record, kind),
      leaves,
    }),
  );
  const place = { origin: options.signer.name, start_index: startIndex, integrated_at: toInstant(nowMs) };
  const sealedFrames = await Promise.all(
    frames.all.map(async (frame): Promise<SealedFrame> => ({
      ...(await sealLines(frame, place)),
      lock: options.lockFor(frame.retention_class, nowMs),
    })),
  );
  return { sealed, leaves: leaves.from(0), ...(await putPayloads(options, startIndex, sealedFrames)) };
}

async function sealLines(frame: OpenFrame, place: FramePlace): Promise<Omit<SealedFrame, 'lock'>> {
  const { dataKey, kind, line_count, lines, nonce, retention_class, subject } = frame;
  const label = { kind, retention_class, subject, commitment: dataKey.commitment.toString('base64url') };
  const compressed = await deflateLines(lines.from(0));
  const bytes = sealFrame({ key: dataKey.key, nonce }, { place, label }, compressed);
  const ref = {
    ...label,
    nonce: Buffer.from(nonce).toString('base64url'),
    line_count,
    size_bytes: bytes.length,
    digest: frameDigest(bytes),
  };
  return { ref, bytes };
}

/** One payload object for each lock: frames that are kept until one date share an object. */
async function putPayloads(
  { archive, log }: LedgerOptions,
  startIndex: number,
  sealed: readonly SealedFrame[],
): Promise<Pick<SealedParts, 'payloads' | 'frames'>> {
  const groups = byLock(sealed);
  const payloads = await inParallel(groups, groups.length, async (ofLock): Promise<PayloadRef> => {
    const bytes = Buffer.concat(ofLock.map((frame) => frame.bytes));
    const { lock } = ofLock[0] ?? never();
    const sha256 = sha256Hex(bytes);
    const key = payloadKey(log, startIndex, sha256);
    await archive.put(key, bytes, lock);
    return { key, sha256, size_bytes: bytes.length, lock };
  });
  const frames = groups.flatMap((ofLock, payload) => ofLock.map(({ ref }) => ({ ...ref, payload })));
  return { payloads, frames };
}

function byLock(sealed: readonly SealedFrame[]): SealedFrame[][] {
  const groups = new Map<string, SealedFrame[]>();
  for (const frame of sealed) {
    const name = `${frame.lock.mode} ${frame.lock.retain_until}`;
    groups.set(name, [...(groups.get(name) ?? []), frame]);
  }
  return [...groups.values()];
}

/** A group has a frame, or it would not be. */
function never(): never {
  throw new PipelineError('INTERNAL', 'a payload object has no frame');
}
