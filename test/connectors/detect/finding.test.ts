import { describe, expect, it } from 'vitest';
import { settle } from '../../../connectors/detect/finding.ts';

const RANKS = ['key', 'name', 'rest'] as const;
type Type = (typeof RANKS)[number];
const at = (type: Type, start: number, end: number) => ({ type, start, end });

describe('settle', () => {
  it.each([
    [
      'keeps findings that only touch, in the order of the text',
      [at('rest', 5, 9), at('key', 0, 5)],
      ['key 0', 'rest 5'],
    ],
    ['prefers the type that stands first', [at('rest', 0, 9), at('key', 3, 6)], ['key 3']],
    ['prefers it where it comes second', [at('key', 0, 5), at('rest', 3, 9)], ['key 0']],
    ['of equal types keeps the one that begins first', [at('name', 2, 6), at('name', 0, 3)], ['name 0']],
    ['of equal types and places keeps the longer', [at('name', 0, 3), at('name', 0, 6)], ['name 0']],
    [
      'lets one take the place of a worse one and leaves the better before it',
      [at('key', 0, 2), at('rest', 2, 8), at('name', 4, 6)],
      ['key 0', 'name 4'],
    ],
  ] as const)('%s', (_, found, kept) => {
    expect(settle<Type>(found, RANKS).map(({ type, start }) => `${type} ${start}`)).toEqual(kept);
  });
});
