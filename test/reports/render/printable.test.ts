import { describe, expect, it } from 'vitest';
import { printable, shortened } from '../../../reports/render/printable.ts';

describe('printable text', () => {
  it.each([
    ['plain – “text” naïve €', 'plain – “text” naïve €'],
    ['line\nbreak\ttab', 'line\\u{a}break\\u{9}tab'],
    ['left\u202eright', 'left\\u{202e}right'],
    ['日本 😀', '\\u{65e5}\\u{672c} \\u{1f600}'],
    ['no\u00a0break soft\u00adhyphen', 'no\\u{a0}break soft\\u{ad}hyphen'],
    ['lone \ud800 half', 'lone \\u{d800} half'],
  ])('shows %j as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('says how much of a long text was left out', () => {
    expect(shortened('abcdef', 4)).toBe('abcd… (+2 characters)');
    expect(shortened('abcd', 4)).toBe('abcd');
  });
});
