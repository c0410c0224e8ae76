import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bundleKey,
  checkpointKey,
  genesisKey,
  numberOfKey,
  parseFolder,
  parseKey,
  payloadKey,
  seriesOf,
  shardFolders,
  tileKey,
} from '../../../store/chain/layout.ts';

const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const SHA256 = 'ab'.repeat(32);

describe('the keys of a log', () => {
  it('lie in folders that the leading digits of the number name', () => {
    expect(bundleKey('p0', 1_234_567_890)).toBe('log/p0/bundle/00000000001/234/567/00000000001234567890');
    expect(payloadKey('p0', 42, SHA256)).toBe(
      'log/p0/payload/00000000000/000/000/00000000000000000042-abababababababab',
    );
  });

  it('sort by number', () => {
    fc.assert(
      fc.property(number, number, (left, right) => {
        expect(bundleKey('p0', left) < bundleKey('p0', right)).toBe(left < right);
      }),
    );
  });

  it('say what they hold', () => {
    fc.assert(
      fc.property(number, (position) => {
        expect(parseKey(bundleKey('p0', position))).toEqual({ log: 'p0', folder: 'bundle', position });
        expect(parseKey(checkpointKey('p0', position))).toEqual({
          log: 'p0',
          folder: 'checkpoint',
          position,
        });
        expect(parseKey(payloadKey('p0', position, SHA256))).toEqual({
          log: 'p0',
          folder: 'payload',
          position,
        });
        expect(numberOfKey(bundleKey('p0', position))).toBe(position);
      }),
    );
    expect(parseKey(genesisKey('p0'))).toEqual({ log: 'p0', folder: 'genesis', position: undefined });
  });

  it('of a tile say at which size the tile is full', () => {
    expect(tileKey('p0', 1, 1_234)).toBe('log/p0/tile/1/00000000000/000/001/00000000000000001234');
    expect(parseKey(tileKey('p0', 0, 3))).toEqual({ log: 'p0', folder: 'tile', position: 1_024 });
    expect(parseKey(tileKey('p0', 1, 0))).toEqual({ log: 'p0', folder: 'tile', position: 65_536 });
    expect(parseKey(tileKey('p0', 6, 0))).toBeUndefined();
    expect(seriesOf(tileKey('p0', 1, 7))).toBe('log/p0/tile/1/');
  });

  it('put at most a thousand numbers into a folder', () => {
    fc.assert(
      fc.property(number, (n) => {
        const folder = shardFolders('', n).at(-1);
        const first = n - (n % 1000);
        expect(shardFolders('', first).at(-1)).toBe(folder);
        expect(shardFolders('', first + 1000).at(-1)).not.toBe(folder);
      }),
    );
  });

  it('have a series, whatever their number', () => {
    expect(seriesOf(bundleKey('p0', 1))).toBe('log/p0/bundle/');
    expect(seriesOf(payloadKey('p0', 123_456, SHA256))).toBe('log/p0/payload/');
  });

  it.each([
    'log/p0/bundle/00000000000000000000',
    'log/p0/bundle/00000000000/000/001/00000000000000000000',
    'log/p0/bundle/00000000000/000/000/00000000000000000000-abababababababab',
    'log/p0/payload/00000000000/000/000/00000000000000000000',
    'log/p0/bundle/99999999999/999/999/99999999999999999999',
    'log/p0/genesis/00000000000/000/000/00000000000000000000',
    'log/p0/other/00000000000/000/000/00000000000000000000',
  ])('are not %s', (key) => {
    expect(parseKey(key)).toBeUndefined();
  });
});

describe('a folder of a log', () => {
  it.each([
    ['log/p0/', undefined, 0, 1e20],
    ['log/p0/payload/', 'payload', 0, 1e20],
    ['log/p0/bundle/', 'bundle', 0, 1e20],
    ['log/p0/bundle/00000000001/', 'bundle', 1_000_000_000, 1_999_999_999],
    ['log/p0/bundle/00000000001/002/', 'bundle', 1_002_000_000, 1_002_999_999],
    ['log/p0/checkpoint/00000000001/002/003/', 'checkpoint', 1_002_003_000, 1_002_003_999],
    ['log/p0/tile/', 'tile', 0, 1e20],
    ['log/p0/tile/1/00000000000/000/002/', 'tile', 2_001 * 65_536, 3_000 * 65_536],
  ])('%s holds %s keys from %i to %i', (name, folder, first, last) => {
    expect(parseFolder(name)).toEqual({ log: 'p0', folder, first, last });
  });

  it.each([
    'log/',
    'log/p0/bundle',
    'log/p0/bundle/1/',
    'log/p0/genesis/',
    'log/p0/bundle/00000000001/002/003/004/',
  ])('is not %s', (name) => {
    expect(parseFolder(name)).toBeUndefined();
  });
});
