import * as fs from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './digest.ts';
import { writeDurably } from './durable-file.ts';
import { codeOf } from './error-code.ts';
import type { HookWorld } from './world.ts';

/**
 * Short at first, so that a collector that is back soon is found soon; then longer, so that a lost one costs little.
 */
const LENGTH_MS = { first: 10_000, most: 120_000 } as const;
const STATE = 'backoff.json';

/** A time in which calls do not wait for a collector that did not answer. */
interface Window {
  /** Digest of the collector's address: the window does not apply to another collector. */
  readonly collector: string;
  readonly length_ms: number;
  /** By the machine's clock, which the next call shares. */
  readonly until_ms: number;
}

export type Backoff = ReturnType<typeof openBackoff>;

/** A circuit breaker. Each call is a separate process, so its state is a file. Losing that file only costs time. */
export function openBackoff(folder: string, url: string | undefined, { now, note }: HookWorld) {
  const path = join(folder, STATE);
  const collector = sha256(url ?? '');
  const read = (): Window | undefined => {
    const found = readWindow(path);
    if (found?.collector !== collector) return undefined;
    // A window that ends further ahead than it is long was made before the clock was set back.
    return found.until_ms - now() > found.length_ms ? undefined : found;
  };
  return {
    isOn(): boolean {
      const found = read();
      return found !== undefined && now() < found.until_ms;
    },
    /** Begins a window, twice as long as the one before. If it cannot be written, the next call tries again. */
    begin(): void {
      const before = read()?.length_ms;
      const length_ms = before === undefined ? LENGTH_MS.first : Math.min(2 * before, LENGTH_MS.most);
      const window: Window = { collector, length_ms, until_ms: now() + length_ms };
      try {
        writeDurably(folder, STATE, Buffer.from(JSON.stringify(window)));
      } catch (error) {
        note(`affidavit hook: the back-off cannot be kept: ${codeOf(error)}\n`);
      }
    },
    /** Ends the window, because the collector answered. */
    end: () => fs.rmSync(path, { force: true }),
  };
}

/** Returns undefined if the file does not hold a window: a broken file must not hold events back. */
function readWindow(path: string): Window | undefined {
  try {
    const found = JSON.parse(fs.readFileSync(path, 'utf8')) as Window;
    const isWhole = Number.isSafeInteger(found.length_ms) && Number.isSafeInteger(found.until_ms);
    return isWhole && found.length_ms > 0 && found.length_ms <= LENGTH_MS.most ? found : undefined;
  } catch {
    return undefined;
  }
}
