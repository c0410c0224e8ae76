import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Scope } from '../../../reports/controls/control.ts';
import { SOC2 } from '../../../reports/frameworks/soc2/soc2.ts';
import { firstDivergedRow } from '../../../reports/package/projection-check.ts';
import { selectChanges } from '../../../store/records/queries/changes.ts';
import { selectCalls } from '../../../store/records/queries/tool-calls.ts';
import type { Query } from '../../../store/records/record-store.ts';
import { expectGolden } from '../../support/golden-sql.ts';

const GOLDEN_DIR = join(import.meta.dirname, '../../golden/reports');

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

const covered = { log: scope.log, below: scope.tree_size };

/** The sub-queries of calls and of changes are on file with the queries of the record store. */
const BUILDERS = [
  { name: 'select_calls', ...selectCalls({ ...scope.period, ...covered }) },
  { name: 'select_changes', ...selectChanges({ ...scope.period, ...covered }) },
  { name: 'select_changes', ...selectChanges(covered) },
];

describe('the text of a query of the catalogue', () => {
  it.each(Object.entries(QUERIES))('is the one on file: %s', (name, query) => {
    expectGolden(GOLDEN_DIR, name, query, BUILDERS);
  });

  it('has no file without a query', () => {
    const names = Object.keys(QUERIES).map((name) => `${name}.sql`);
    expect(readdirSync(GOLDEN_DIR).sort()).toEqual(names.sort());
  });

  it.each(Object.entries(QUERIES))('names exactly the placeholders that it fills: %s', (_, query) => {
    const named = [...query.sql.matchAll(/\{([a-z_]+): ?[A-Z]/g)].map((match) => match[1]);
    expect([...new Set(named)].sort()).toEqual(Object.keys(query.params).sort());
  });
});
