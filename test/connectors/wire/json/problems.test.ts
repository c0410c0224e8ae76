import { afterEach, describe, expect, it, vi } from 'vitest';
import { findProblems } from '../../../../connectors/wire/json/problems.ts';

/** Characters of string tokens that were decoded. */
const decoded = vi.hoisted(() => ({ characters: 0 }));

vi.mock(import('../../../../connectors/wire/json/scan.ts'), async (importOriginal) => {
  const scan = await importOriginal();
  return {
    ...scan,
    decodeString(token: string) {
      decoded.characters += token.length;
      return scan.decodeString(token);
    },
  };
});

afterEach(() => {
  decoded.characters = 0;
});

const DEPTH = 64;
const PROBLEM_COUNT = 900;
const inexact = `[${Array<string>(PROBLEM_COUNT).fill('1e999').join(',')}]`;

describe('findProblems', () => {
  it.each([
    ['one long name with escapes', `{"${'\\n'.repeat(10_000)}":${inexact}}`],
    ['one long name without escapes', `{"${'k'.repeat(20_000)}":${inexact}}`],
    [
      'names with escapes on each level',
      `${`{"${'\\u006b'.repeat(200)}":`.repeat(DEPTH - 1)}${inexact}${'}'.repeat(DEPTH - 1)}`,
    ],
  ])('decodes a name a fixed number of times for all problems under %s', (_, text) => {
    const { problems } = findProblems(text, DEPTH);
    expect(problems).toHaveLength(PROBLEM_COUNT);
    expect(decoded.characters).toBeLessThan(4 * text.length);
  });

  it('names each place below names that change at every level', () => {
    const text = '{"a":{"b":1e999,"c":[1e999,{"d":1e999}]},"e":{"b":1e999}}';
    expect(findProblems(text, DEPTH).problems.map(({ pointer }) => pointer)).toEqual([
      '/a/b',
      '/a/c/0',
      '/a/c/1/d',
      '/e/b',
    ]);
  });

  it('cuts a name behind 200 characters, whether they are escaped or not', () => {
    const pointerOf = (name: string) => findProblems(`{"${name}":1e999}`, DEPTH).problems[0]?.pointer;
    expect(pointerOf('\\u006b'.repeat(300))).toBe(`/${'k'.repeat(200)}`);
    expect(pointerOf('k'.repeat(300))).toBe(`/${'k'.repeat(200)}`);
    expect(pointerOf(`${'\\n'.repeat(199)}\\\\\\u006b`)).toBe(`/${'\n'.repeat(199)}\\`);
  });
});
