import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLines } from '../../../store/chain/bundle-bytes.ts';
import { visitLines } from '../../../store/verify/inflate.ts';

async function linesIn(gzipped: Uint8Array): Promise<string[]> {
  const lines: string[] = [];
  await visitLines(gzipped, (line) => lines.push(line.toString('utf8')));
  return lines;
}

describe('inflated lines', () => {
  it('are those of the whole text, wherever its blocks end', async () => {
    const line = fc.oneof(
      fc.constant(''),
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', '')),
      fc.integer({ min: 1, max: 400_000 }).map((length) => 'é'.repeat(length)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 8 }), async (lines) => {
        const gzipped = gzipSync(`${lines.join('\n')}\n`, { level: 1 });
        expect(await linesIn(gzipped)).toEqual(decodeLines(gzipped));
      }),
      { numRuns: 40 },
    );
  });

  const whole = gzipSync('one\ntwo\n');
  it.each([
    ['no bytes', Buffer.of()],
    ['no gzip', Buffer.from('one\n')],
    ['gzip that is cut off', whole.subarray(0, -1)],
    ['gzip with a changed check sum', whole.with(whole.length - 5, 0)],
    ['an empty text', gzipSync('')],
    ['a last line without newline', gzipSync('one\ntwo')],
  ])('are refused for %s', async (_, gzipped) => {
    expect(() => decodeLines(gzipped)).toThrow();
    await expect(linesIn(gzipped)).rejects.toThrow();
  });

  it('are refused where one of them would fill the memory', async () => {
    const endless = gzipSync(Buffer.alloc(257 * 1024 * 1024, 0x61), { level: 1 });
    await expect(linesIn(endless)).rejects.toThrow('too far');
  });
});
