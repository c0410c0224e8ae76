import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { FRAMEWORKS } from '../../../reports/frameworks/index.ts';
import { FrameworkId } from '../../../schemas/control.ts';

describe('the list of frameworks', () => {
  it('names each framework once, by an id that a manifest can hold', () => {
    const ids = FRAMEWORKS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !Value.Check(FrameworkId, id))).toEqual([]);
  });

  it('gives each a version that begins with its id, a title, criteria and controls', () => {
    for (const { id, version, title, criteria, controls } of FRAMEWORKS) {
      expect(version.startsWith(`${id}-`), version).toBe(true);
      expect([title, criteria]).not.toContain('');
      expect(controls.length).toBeGreaterThan(0);
    }
  });
});
