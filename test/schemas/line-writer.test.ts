import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineWriter } from '../../schemas/line-writer.ts';

describe('lines that are written as bytes', () => {
  it('are the UTF-8 of the texts, one behind the other, whatever their number and length', () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 3_000 })));
    fc.assert(
      fc.property(texts, (all) => {
        const lines = new LineWriter();
        for (const text of all) lines.add(text);
        expect(lines.from(0)).toEqual(Buffer.from(all.join('')));
        expect(lines.length).toBe(lines.from(0).length);
      }),
    );
  });

  it('take a text of megabytes, in characters of one and of three bytes', () => {
    const lines = new LineWriter();
    const text = `${'a'.repeat(2_000_000)}${'€'.repeat(1_000_000)}`;
    lines.add('x');
    lines.add(text);
    expect(lines.from(1).equals(Buffer.from(text))).toBe(true);
  });

  it('forget the bytes behind a length, and go on there', () => {
    const lines = new LineWriter();
    lines.add('kept and forgotten');
    lines.cut(4);
    lines.add('\n');
    expect(lines.from(0).toString()).toBe('kept\n');
    expect(() => lines.cut(6)).toThrow(RangeError);
  });
});
