/**
 * The disk of one machine, as far as a power loss can change it: writes that everybody sees and that are not flushed yet.
 * Each name may lose its writes, whatever becomes of the other names. Under one name a later write never stays without
 * the earlier ones.
 */
import type { Choices } from './choices.ts';

export interface Disk {
  /** Something changed under a name. `undo` makes it as it was before. */
  wrote(name: string, undo: () => void): void;
  /** A moment to flush up to. */
  now(): number;
  /** Somebody was told that what was written under the name until that moment is durable. */
  flushed(name: string, upTo: number): void;
  /** Returns how many writes vanished. */
  losePower(choices: Choices): number;
}

interface Write {
  readonly name: string;
  readonly moment: number;
  readonly undo: () => void;
}

/** Writes that one choice decides about. */
const BITS = 8;

export function createDisk(): Disk {
  let unflushed: readonly Write[] = [];
  let now = 0;
  return {
    wrote(name, undo) {
      now += 1;
      unflushed = [...unflushed, { name, moment: now, undo }];
    },
    now: () => now,
    flushed: (name, upTo) =>
      void (unflushed = unflushed.filter((write) => write.name !== name || write.moment > upTo)),
    losePower(choices) {
      const kept = new Set<string>();
      let vanished = 0;
      let bits = 0;
      for (const [place, { name, undo }] of [...unflushed].reverse().entries()) {
        if (place % BITS === 0) bits = choices.byte();
        if (kept.has(name) || ((bits >> (place % BITS)) & 1) === 0) {
          kept.add(name);
        } else {
          undo();
          vanished += 1;
        }
      }
      unflushed = [];
      return vanished;
    },
  };
}
