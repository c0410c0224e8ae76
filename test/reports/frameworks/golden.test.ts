import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Scope } from '../../../reports/controls/control.ts';
import { SOC2 } from '../../../reports/frameworks/soc2/soc2.ts';
import { firstDivergedRow } from '../../../reports/package/projection-check.ts';
import type { Query } from '../../../store/records/record-store.ts';

const GOLDEN_DIR = join(import.meta.dirname, '../../golden/reports');
/** Set to write the files instead of comparing with them: a changed question is then read in the diff. */
const IS_UPDATE = process.env['UPDATE_GOLDEN'] === '1';

const scope: Scope = {
  period: { from: '2026-01-01T00:00:00Z', to: '2026-04-01T00:00:00Z' },
  log: 'p0',
  tree_size: 1000,
};
const range = { from_index: 0, to_index: 100 };

const QUERIES: Record<string, Query<unknown>> = Object.fromEntries([
  ['first-diverged-row', firstDivergedRow({ log: 'p0', ...range })],
  ...SOC2.controls.flatMap((control) => [
    ...control.populations.flatMap((population) => [
      [`${control.id}-population-${population.id}`, population.page(scope, { after: undefined, limit: 100 })],
      ...(population.members === undefined
        ? []
        : [[`${control.id}-members-${population.id}`, population.members(scope, range)]]),
    ]),
    ...control.rules.map((rule) => [`${control.id}-rule-${rule.id}`, rule.rows(scope, 100)]),
    ...control.figures.map((figure) => {
      const query = figure(scope);
      return [`${control.id}-${query.name.replace('.', '-')}`, query];
    }),
  ]),
]) as Record<string, Query<unknown>>;

describe('the text of a question of the catalogue', () => {
  it.each(Object.entries(QUERIES))('is the one on file: %s', (name, query) => {
    const path = join(GOLDEN_DIR, `${name}.sql`);
    const text = `-- ${query.name}\n-- ${JSON.stringify(query.params)}\n${query.sql.trim()}\n`;
    if (IS_UPDATE) writeFileSync(path, text);
    expect(existsSync(path), `${path} is missing; see UPDATE_GOLDEN`).toBe(true);
    expect(text).toBe(readFileSync(path, 'utf8'));
  });

  it('has no file without a question', () => {
    const names = Object.keys(QUERIES).map((name) => `${name}.sql`);
    expect(readdirSync(GOLDEN_DIR).sort()).toEqual(names.sort());
  });

  it.each(Object.entries(QUERIES))('names exactly the placeholders that it fills: %s', (_, query) => {
    const named = [...query.sql.matchAll(/\{([a-z_]+): ?[A-Z]/g)].map((match) => match[1]);
    expect([...new Set(named)].sort()).toEqual(Object.keys(query.params).sort());
  });
});
