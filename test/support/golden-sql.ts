import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Query } from '../../store/records/record-store.ts';

/** Set to write the files instead of comparing with them: a changed query is then read in the diff. */
const IS_UPDATE = process.env['UPDATE_GOLDEN'] === '1';

/** A sub-query that many queries contain. Its text is on file once; in the others its name is in the place of the text. */
export interface Builder {
  readonly name: string;
  readonly sql: string;
}

/** Compares the text and parameters of a query with the file of its name. */
export function expectGolden(
  dir: string,
  name: string,
  query: Pick<Query<unknown>, 'name' | 'sql' | 'params'>,
  builders: readonly Builder[] = [],
): void {
  const path = join(dir, `${name}.sql`);
  const sql = builders.reduce(
    (text, builder) => text.replaceAll(builder.sql, `-- ${builder.name}`),
    query.sql,
  );
  const text = `-- ${query.name}\n-- ${JSON.stringify(query.params)}\n${sql.trim()}\n`;
  if (IS_UPDATE) writeFileSync(path, text);
  expect(existsSync(path), `${path} is missing; see UPDATE_GOLDEN`).toBe(true);
  expect(text).toBe(readFileSync(path, 'utf8'));
}
