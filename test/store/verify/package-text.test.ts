import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine } from '../../../reports/render/csv.ts';
import { readCsv, readLines, readText } from '../../../store/verify/package-text.ts';

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const text = fc.string({ unit: 'grapheme' });
const size = fc.integer({ min: 1, max: 7 });

describe('reading text of a package', () => {
  it('gives the lines whatever the chunks are', async () => {
    const line = text.map((each) => each.replaceAll('\n', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(line), size, async (lines, step) => {
        const bytes = bytesOf(lines.map((each) => `${each}\n`).join(''));
        expect(await all(readLines(chunked(bytes, step)))).toEqual(lines);
        expect(bytesOf(await readText(chunked(bytes, step)))).toEqual(bytes);
      }),
    );
  });

  it('gives the rows that the CSV writer wrote, whatever they hold', async () => {
    // The writer guards cells that a spreadsheet could run; that is its own matter, not the reader's.
    const cell = text.map((each) => `x${each}`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(cell, { minLength: 1 })), size, async (rows, step) => {
        expect(await all(readCsv(chunked(bytesOf(rows.map(csvLine).join('')), step)))).toEqual(rows);
      }),
    );
  });

  it('reads line ends of both kinds, empty cells and breaks inside quotes', async () => {
    const csv = 'a,b\n"1\r\n2",""\r\n,\n"say ""hi""",x\n';
    expect(await all(readCsv(chunked(bytesOf(csv), 3)))).toEqual([
      ['a', 'b'],
      ['1\r\n2', ''],
      ['', ''],
      ['say "hi"', 'x'],
    ]);
  });

  it.each([
    ['a line without end', readLines, bytesOf('a\nb')],
    ['bytes that are no UTF-8', readLines, Uint8Array.of(0x61, 0xff, 0x0a)],
    ['a character cut in two', readLines, Uint8Array.of(0xc3)],
    ['a quote that does not end', readCsv, bytesOf('"a\n')],
    ['a quote inside a bare cell', readCsv, bytesOf('a"b"\n')],
  ] as const)('refuses %s', async (_, read, bytes) => {
    await expect(all<unknown>(read(chunked(bytes, 1)))).rejects.toThrow(RangeError);
  });

  it('holds a large quoted cell without losing its stack', async () => {
    const large = '"'.repeat(2_000_000);
    expect(await all(readCsv(chunked(bytesOf(csvLine([`x${large}`])), 65_536)))).toEqual([[`x${large}`]]);
  });
});
