import { describe, expect, it } from 'vitest';
import { BASE64URL, createRuns } from '../../../connectors/detect/characters.ts';

describe('createRuns', () => {
  it('answers as a walk from each place does, in any order of the places', () => {
    const text = 'abc.de..f-_g.hij.k';
    const endOfRun = createRuns(text);
    const places = [0, 4, 8, 13, 17, 1, 5, 4, 9, 6, 0, 3, 18, 100];
    const expected = places.map((at) => at + (/^[\w-]*/.exec(text.slice(at))?.[0].length ?? 0));
    expect(places.map((at) => endOfRun(at, BASE64URL))).toEqual(expected);
  });
});
