import { afterEach, describe, expect, it, vi } from 'vitest';
import { findSecrets, mayHoldSecret } from '../../../connectors/detect/secrets.ts';

const LENGTH = 50_000;
/** How often a character may be looked at or decoded: once for each class and each detector, with room for more. */
const MOST_LOOKS = 60;

const TEXTS: readonly [string, string][] = [
  ['a header of many starts before a long payload', `${'_eyJ'.repeat(500)}.${'a'.repeat(LENGTH)}`],
  ['parts of many starts', `${'_eyJ'.repeat(512)}.`.repeat(LENGTH / 2_049)],
  ['parts of many starts that begin a member', `_eyJh${'YWFh'.repeat(12)}`.repeat(30).concat('.').repeat(30)],
  ['short parts', '_eyJ.'.repeat(LENGTH / 5)],
  ['parts of a webhook', 'hooks.slack.com/services/T/'.repeat(LENGTH / 27)],
];

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the search for secrets', () => {
  it.each(TEXTS)('looks at each character a bounded number of times in %s', (_, text) => {
    const bytes = Buffer.from(text);
    const counter = countLooks();
    const decode = vi.spyOn(Buffer, 'from');
    findSecrets(text);
    mayHoldSecret(bytes);
    const looks = counter.stop();
    const decoded = decode.mock.calls.reduce(
      (sum, [part]) => sum + (typeof part === 'string' ? part.length : 0),
      0,
    );
    expect((looks + decoded) / text.length).toBeLessThan(MOST_LOOKS);
  });
});

/** Counts the characters that are looked at. A spy would remember each of the calls. */
function countLooks(): { stop(): number } {
  const original = Object.getOwnPropertyDescriptor(String.prototype, 'charCodeAt');
  const look = original?.value as (this: string, at: number) => number;
  let looks = 0;
  const count = function (this: string, at: number) {
    looks += 1;
    return look.call(this, at);
  };
  Object.defineProperty(String.prototype, 'charCodeAt', { ...original, value: count });
  return {
    stop() {
      Object.defineProperty(String.prototype, 'charCodeAt', { ...original, value: look });
      return looks;
    },
  };
}
