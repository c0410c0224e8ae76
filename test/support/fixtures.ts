import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = join(import.meta.dirname, '../fixtures');

/** The JSON bodies of a folder, by name without ending. Its README says where they come from. */
export function readFixtures(folder: string): ReadonlyMap<string, Record<string, unknown>> {
  const names = readdirSync(join(FIXTURES, folder)).filter((name) => name.endsWith('.json'));
  return new Map(names.sort().map((name) => [name.slice(0, -5), readFixture(folder, name)]));
}

function readFixture(folder: string, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(FIXTURES, folder, name), 'utf8')) as Record<string, unknown>;
}
