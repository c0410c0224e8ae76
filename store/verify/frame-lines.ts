/** Opens frames and compares their lines with the leaves. No I/O: keys were looked up before. */
import { isUtf8 } from 'node:buffer';
import type { PartKind } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { isCanonicalJson } from '../chain/canonical-bytes.ts';
import { frameSecret, openFrame } from '../chain/frame.ts';
import { inflateLines } from '../chain/frame-lines.ts';
import { partDigestOfBytes, partPrefix, saltOf } from '../chain/part.ts';
import type { DataKey, FoundKey } from '../chain/data-key.ts';
import { endOfText, NO_MATCH } from './line-bytes.ts';
import { firstOf, partGroup, type CutFrame, type FramedBundle } from './payload.ts';
import type { Findings } from './report.ts';

/** How many frames of an archive were opened, and how many not. */
export interface FrameCounts {
  opened: number;
  /** No key store was given. */
  sealed: number;
  /** The key store holds a tombstone. */
  destroyed: number;
}

export function noFrames(): FrameCounts {
  return { opened: 0, sealed: 0, destroyed: 0 };
}

export function addCounts(to: FrameCounts, more: FrameCounts): void {
  to.opened += more.opened;
  to.sealed += more.sealed;
  to.destroyed += more.destroyed;
}

const NEWLINE = 0x0a;
/** A line begins with its index; its digits end within this many bytes. */
const MAX_INDEX_BYTES = 32;
const INDEX = /^\{"index":(0|[1-9][0-9]{0,15}),/;

/**
 * Compares the lines of one bundle. `compare` for each frame, then `finish`: the parts that no line was found for must be
 * as many as the lines of the frames that were not opened.
 */
export class FrameComparison {
  readonly #bundle: FramedBundle;
  readonly #findings: Findings;
  readonly #counts: FrameCounts;
  /** Parts that no line was found for yet, by group. */
  readonly #missing: ReadonlyMap<string, Map<number, string>>;
  /** Lines of frames that were not opened, by group. */
  readonly #unread = new Map<string, number>();

  constructor(bundle: FramedBundle, findings: Findings, counts: FrameCounts) {
    this.#bundle = bundle;
    this.#findings = findings;
    this.#counts = counts;
    this.#missing = new Map(
      [...bundle.demanded.digests].map(([group, digests]) => [group, new Map(digests)]),
    );
  }

  /** `key` undefined: no key store was given. */
  compare({ frame, bytes }: CutFrame, key: FoundKey | undefined): void {
    if (key === undefined || (key === 'destroyed' && frame.kind !== 'facts')) {
      this.#counts[key === undefined ? 'sealed' : 'destroyed'] += 1;
      this.skip(frame);
      return;
    }
    const lines = typeof key === 'string' ? undefined : this.#open(frame, key, bytes);
    if (lines === undefined) {
      const detail = `no key of the key store opens a frame with ${frame.kind} of ${frame.subject ?? 'nobody'}`;
      this.#findings.fail('key_missing', this.#bundle.header.start_index, detail);
      this.skip(frame);
      return;
    }
    this.#counts.opened += 1;
    this.#compareLines(frame, lines);
  }

  /** Leaves out a frame whose bytes or key are not there. */
  skip({ kind, retention_class, line_count }: FrameRef): void {
    const group = partGroup(kind, retention_class);
    this.#unread.set(group, (this.#unread.get(group) ?? 0) + line_count);
  }

  finish(): void {
    for (const [group, missing] of this.#missing) {
      if (missing.size <= (this.#unread.get(group) ?? 0)) continue;
      this.#findings.fail('payload_mismatch', firstOf(missing), `no frame holds these ${group}`);
    }
  }

  /** Index of the leaf whose part a line is, behind the line before; undefined where no leaf names it. */
  #match(
    { kind, retention_class, subject }: FrameRef,
    line: Buffer,
    { secret, before }: { readonly secret: Uint8Array; readonly before: number },
  ): number | undefined {
    const index = indexOf(line) ?? -1;
    const missing = this.#missing.get(partGroup(kind, retention_class));
    const digest = missing?.get(index);
    const owner = this.#bundle.demanded.owners.get(index) ?? subject;
    if (digest === undefined || index <= before || (kind !== 'facts' && owner !== subject)) return undefined;
    if (!isCommitted(line, { kind, secret, index, digest })) return undefined;
    missing?.delete(index);
    return index;
  }

  #open(frame: FrameRef, { key, commitment }: DataKey, bytes: Uint8Array): Lines | undefined {
    if (commitment.toString('base64url') !== frame.commitment) return undefined;
    const compressed = openFrame(key, { place: this.#bundle.header, frame }, bytes);
    const secret = frameSecret(key, Buffer.from(frame.nonce, 'base64url'));
    return compressed && { bytes: inflated(compressed), secret };
  }

  #compareLines(frame: FrameRef, { bytes, secret }: Lines): void {
    const { kind, retention_class, line_count } = frame;
    const group = partGroup(kind, retention_class);
    const start = this.#bundle.header.start_index;
    if (bytes === undefined) {
      this.#findings.fail('payload_damaged', start, `a frame with ${group} does not decode to lines`);
      this.skip(frame);
      return;
    }
    let lineCount = 0;
    let before = -1;
    for (const line of linesOf(bytes)) {
      lineCount += 1;
      // The rest is not named by anything, and there may be any number of it.
      if (lineCount > line_count) break;
      const index = this.#match(frame, line, { secret, before });
      before = index ?? before;
      if (index !== undefined) {
        this.#bundle.onPart?.(kind, line);
        continue;
      }
      const detail = `line ${String(lineCount)} of a frame with ${group} is not the part that its leaf names`;
      const named = indexOf(line);
      this.#findings.fail('payload_mismatch', named ?? start, detail);
      this.#missing.get(group)?.delete(named ?? -1);
    }
    if (lineCount !== line_count)
      this.#findings.fail('payload_mismatch', start, `a frame with ${group} has other lines than it says`);
  }
}

interface Lines {
  /** Undefined where the bytes of the frame are not compressed lines of UTF-8. */
  readonly bytes: Buffer | undefined;
  readonly secret: Uint8Array;
}

function inflated(compressed: Uint8Array): Buffer | undefined {
  try {
    const lines = inflateLines(compressed);
    return isUtf8(lines) ? lines : undefined;
  } catch {
    return undefined;
  }
}

function* linesOf(bytes: Buffer): Generator<Buffer> {
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(NEWLINE, start);
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

function indexOf(line: Buffer): number | undefined {
  const digits = INDEX.exec(line.toString('latin1', 0, MAX_INDEX_BYTES))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Demand on one line: the part of this kind that the leaf at `index` names. */
interface LineDemand {
  readonly kind: PartKind;
  readonly secret: Uint8Array;
  readonly index: number;
  readonly digest: string;
}

/**
 * SPEC (archive.md): a line is the canonical JSON of {index, name, part}. The digest in the leaf is SHA-256 over the
 * canonical JSON of {index, name, part, salt}, and the salt is HMAC-SHA-256 under the secret over index and name.
 */
function isCommitted(line: Buffer, { kind, secret, index, digest }: LineDemand): boolean {
  const part = endOfText(line, 0, partPrefix(index, kind));
  const partEnd = line.length - 1;
  return (
    part !== NO_MATCH &&
    endOfText(line, partEnd, '}') === line.length &&
    partDigestOfBytes(line, saltOf(secret, index, kind)) === digest &&
    isCanonicalJson(line, part, partEnd)
  );
}
