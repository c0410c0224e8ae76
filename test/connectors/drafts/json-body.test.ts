import { describe, expect, it } from 'vitest';
import { decodeJsonItems } from '../../../connectors/drafts/json-body.ts';
import { MAX_ITEMS } from '../../../connectors/wire/body.ts';
import { leastCpuOf } from '../../support/cpu-time.ts';

const JSON_BODY = 'application/json';
const LINES = 'application/x-ndjson';

/** Reading one item costs a multiple of parsing it, and so would reading each item of a body that has too many. */
const MOST_RATIO = 4;

describe('decodeJsonItems', () => {
  it.each([
    ['elements', JSON_BODY, (count: number) => `[${Array<string>(count).fill('{}').join(',')}]`],
    ['lines', LINES, (count: number) => '{}\n'.repeat(count)],
  ] as const)(
    'takes as many %s as the limit says, and keeps a body with one more whole',
    (_, type, build) => {
      const atLimit = decodeJsonItems(type, Buffer.from(build(MAX_ITEMS)));
      expect([atLimit.items.length, atLimit.problems]).toEqual([MAX_ITEMS, []]);
      const beyond = decodeJsonItems(type, Buffer.from(build(MAX_ITEMS + 1)));
      expect(beyond.items).toEqual([]);
      expect(beyond.problems).toEqual([
        {
          index: 0,
          unit_pointer: '',
          pointer: '',
          reason: 'body_expands_too_large',
          item_count: MAX_ITEMS + 1,
        },
      ]);
    },
  );

  it('reads no element of an array that has too many', () => {
    const text = `[${'{},'.repeat(8 * MAX_ITEMS)}{}]`;
    const body = Buffer.from(text);
    const parsing = leastCpuOf(() => JSON.parse(text) as unknown);
    expect(leastCpuOf(() => decodeJsonItems(JSON_BODY, body)) / parsing).toBeLessThan(MOST_RATIO);
  });

  it('refuses a body for a line behind the last one that it would keep', () => {
    const text = '{}\n'.repeat(MAX_ITEMS + 10);
    expect(() => decodeJsonItems(LINES, Buffer.from(`${text}{`))).toThrow(/not valid JSON/);
    const rules = { refuseLine: (value: unknown) => (value === 7 ? 'seven is not kept' : undefined) };
    expect(() => decodeJsonItems(LINES, Buffer.from(`${text}7`), rules)).toThrow('seven is not kept');
  });
});
