import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packEntries } from '../../../store/chain/entry-bundle.ts';
import { formatTilePath, parseTilePath } from '../../../store/chain/tile-path.ts';

describe('the path of a tile', () => {
  // The examples of C2SP tlog-tiles.
  it.each([
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/1/000', { level: 1, index: 0, width: 256 }],
    ['tile/0/x001/x234/067.p/70', { level: 0, index: 1_234_067, width: 70 }],
    ['tile/entries/000.p/1', { level: 'entries', index: 0, width: 1 }],
    ['tile/entries/x001/000', { level: 'entries', index: 1_000, width: 256 }],
    ['tile/63/000.p/255', { level: 63, index: 0, width: 255 }],
  ] as const)('%s is read and written', (path, parsed) => {
    expect(parseTilePath(path)).toEqual(parsed);
    expect(formatTilePath(parsed)).toBe(path);
  });

  it('has one form for each tile', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.nat({ max: 63 }));
    fc.assert(
      fc.property(level, fc.nat({ max: 2 ** 44 }), fc.integer({ min: 1, max: 256 }), (one, index, width) => {
        const path = { level: one, index, width };
        expect(parseTilePath(formatTilePath(path))).toEqual(path);
      }),
    );
  });

  it.each([
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/x000/000',
    'tile/0/001/000',
    'tile/0/x001',
    'tile/0/x001/x000',
    'tile/0/000/',
    'tile/0//000',
    'tile/00/000',
    'tile/01/000',
    'tile/-1/000',
    'tile/64/000',
    'tile/99/000',
    'tile/0/000.p',
    'tile/0/000.p/',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/999',
    'tile/0/000.p/1/',
    'tile/entry/000',
    'tile/0/X001/000',
    'tile/0/x999/x999/x999/x999/x999/999',
    '/tile/0/000',
    'tile/0/000\n',
    '',
  ])('is not %j', (path) => {
    expect(parseTilePath(path)).toBeUndefined();
  });
});

describe('an entry bundle', () => {
  it('has each entry behind its length', () => {
    expect(packEntries([Buffer.from('ab'), Buffer.alloc(0), Buffer.alloc(300, 'x')])).toEqual(
      Buffer.concat([
        Buffer.from([0, 2]),
        Buffer.from('ab'),
        Buffer.from([0, 0, 1, 44]),
        Buffer.alloc(300, 'x'),
      ]),
    );
    expect(packEntries([Buffer.alloc(65_535)])).toHaveLength(65_537);
    expect(() => packEntries([Buffer.alloc(65_536)])).toThrow(RangeError);
  });
});
