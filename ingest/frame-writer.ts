/** Numbers the frames that one process appends to one partition, and MACs them. */
import { macOf, type ComputeMac, type FrameKey, type FramePlace } from './frame-key.ts';
import { NUMBERED, writeChecksum } from './framing.ts';

const WRITER_ID_BYTES = 16;
const MAC_BYTES = 32;

/**
 * A writer that was silent for so long goes on under another id. The sequencer may forget writers that are silent for
 * longer (`MAX_SILENCE_MS` of `writers.ts`), and must never meet one again that it has forgotten.
 */
export const NEW_ID_AFTER_MS = 24 * 3_600_000;

/** How an event log numbers what it appends. */
export interface Numbering {
  readonly key: FrameKey;
  readonly randomBytes: (count: number) => Buffer;
  /** Never goes back. @default performance.now */
  readonly monotonicMs?: () => number;
}

export interface FrameWriterOptions extends Numbering {
  readonly place: FramePlace;
}

/** The frames of one write, which are kept as a whole or not at all. Exactly one of the last two calls ends it. */
export interface FrameTurn {
  /** Numbers a frame of `encodeForWriter` in place. */
  seal(frame: Buffer): void;
  /** All of them are on stable storage. */
  written(): void;
  /** Nobody knows. The numbers are never given again; the next frame declares them abandoned. */
  abandoned(): void;
}

/** The last frame of a writer, written or not. */
interface Last {
  readonly number: number;
  readonly mac: Buffer;
}

interface NumberedAs {
  readonly number: number;
  readonly abandonedFrom: number;
  readonly previousMac: Buffer;
}

const NOTHING: Last = { number: 0, mac: Buffer.alloc(MAC_BYTES) };

export class FrameWriter {
  readonly #options: FrameWriterOptions;
  readonly #compute: ComputeMac;
  readonly #monotonicMs: () => number;
  /** Owned by `begin` and the turn that it gives out. */
  #id: Buffer;
  #last = NOTHING;
  /** Number of the last frame that is known to be written. */
  #written = 0;
  #writtenAtMs: number;

  constructor(options: FrameWriterOptions) {
    this.#options = options;
    this.#compute = macOf(options.key, options.place);
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#id = options.randomBytes(WRITER_ID_BYTES);
    this.#writtenAtMs = this.#monotonicMs();
  }

  /** One turn at a time, in the order in which the frames are written. */
  begin(): FrameTurn {
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#writtenAtMs > NEW_ID_AFTER_MS) this.#renew(nowMs);
    let last = this.#last;
    let abandonedFrom = this.#written + 1;
    return {
      seal: (frame) => {
        const number = last.number + 1;
        this.#number(frame, { number, abandonedFrom, previousMac: last.mac });
        last = { number, mac: frame.subarray(NUMBERED.mac, NUMBERED.mac + MAC_BYTES) };
        abandonedFrom = number + 1;
      },
      written: () => {
        if (last === this.#last) return;
        this.#remember(last);
        this.#written = last.number;
        this.#writtenAtMs = this.#monotonicMs();
      },
      abandoned: () => this.#remember(last),
    };
  }

  /** Keeps no view of a frame: its bytes are the caller's. */
  #remember({ number, mac }: Last): void {
    this.#last = { number, mac: Buffer.from(mac) };
  }

  #renew(nowMs: number): void {
    this.#id = this.#options.randomBytes(WRITER_ID_BYTES);
    this.#last = NOTHING;
    this.#written = 0;
    this.#writtenAtMs = nowMs;
  }

  #number(frame: Buffer, { number, abandonedFrom, previousMac }: NumberedAs): void {
    frame.set(this.#id, NUMBERED.writer);
    frame.writeBigUInt64BE(BigInt(number), NUMBERED.number);
    frame.writeBigUInt64BE(BigInt(abandonedFrom), NUMBERED.abandonedFrom);
    frame.set(previousMac, NUMBERED.previousMac);
    frame.set(this.#compute(frame), NUMBERED.mac);
    writeChecksum(frame);
  }
}
