import { describe, expect, it } from 'vitest';
import { createChoices } from './choices.ts';
import { createDisk } from './disk-model.ts';

const ALL = 0xff;

function setUp() {
  const disk = createDisk();
  const visible = new Set<string>();
  const write = (name: string, what: string) => {
    visible.add(what);
    disk.wrote(name, () => visible.delete(what));
  };
  const losePower = (bits: number) => {
    disk.losePower(createChoices([bits]));
    return [...visible];
  };
  return { disk, write, losePower };
}

describe('the model of a disk', () => {
  it('may lose an earlier name and keep a later one, or the other way round', () => {
    for (const [bits, left] of [
      [0b01, ['earlier']],
      [0b10, ['later']],
      [0b11, []],
      [0b00, ['earlier', 'later']],
    ] as const) {
      const { write, losePower } = setUp();
      write('a', 'earlier');
      write('b', 'later');
      expect(losePower(bits)).toEqual(left);
    }
  });

  it('keeps what was flushed, up to the moment of the flush', () => {
    const { disk, write, losePower } = setUp();
    write('a', 'before');
    const moment = disk.now();
    write('a', 'after');
    disk.flushed('a', moment);
    expect(losePower(ALL)).toEqual(['before']);
  });

  it('never loses an earlier write under a name whose later write stays', () => {
    const { write, losePower } = setUp();
    write('a', 'first');
    write('a', 'second');
    expect(losePower(0b10)).toEqual(['first', 'second']);
  });
});
