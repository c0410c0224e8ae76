import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { IdTable } from '../../../store/projections/id-table.ts';
import { idBitsOf } from '../../../store/records/queries/seen-ids.ts';

const idOf = (name: string | number) => createHash('sha256').update(String(name)).digest('hex');

function tableOf(count: number): IdTable {
  const table = new IdTable();
  for (let n = 0; n < count; n += 1) table.add(idBitsOf(idOf(n)), n);
  return table;
}

describe('the table of ids', () => {
  it('finds each id at its index, and nothing for another id', () => {
    const table = tableOf(50_000);
    const missed = Array.from({ length: 50_000 }, (_, n) => n).filter(
      (n) => !table.find(idBitsOf(idOf(n))).includes(n),
    );
    expect(missed).toEqual([]);
    const others = Array.from({ length: 20_000 }, (_, n) => table.find(idBitsOf(idOf(`other ${String(n)}`))));
    expect(others.flat().length).toBeLessThan(3);
  });

  it('keeps leaves apart whose ids begin alike', () => {
    const table = new IdTable();
    const alike = 0x07_ffff_ffff;
    for (const leafIndex of [3, 9, 4_294_967_294]) table.add(alike, leafIndex);
    expect(table.find(alike)).toEqual([3, 9, 4_294_967_294]);
    expect(table.find(0x08_ffff_ffff)).toEqual([]);
    expect(table.find(0x07_0000_0000)).toEqual([]);
  });

  it('holds many ids with the same first bits, which take the slots of others', () => {
    const table = new IdTable();
    for (let n = 0; n < 1_000; n += 1) table.add(5, n);
    table.add(6, 1_000);
    expect(table.find(5)).toHaveLength(1_000);
    expect(table.find(6)).toEqual([1_000]);
  });

  it.each([100_000, 140_000, 200_000, 290_000])('takes no more than 16 bytes an id, at %i ids', (count) => {
    expect(tableOf(count).sizeBytes / count).toBeLessThanOrEqual(16);
  });

  it('reads the bits of an id from its first ten digits', () => {
    expect(idBitsOf(`ff00000001${'0'.repeat(54)}`)).toBe(0xff_0000_0001);
  });

  it('refuses an index that no slot can hold, and what is not an id', () => {
    const table = new IdTable();
    expect(() => table.add(0, 4_294_967_295)).toThrow(RangeError);
    expect(() => table.find(2 ** 40)).toThrow(RangeError);
  });
});
