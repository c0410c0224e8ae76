import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inDialect } from '../../../../store/records/clickhouse/migrate.ts';
import { chdbPlace, MIGRATIONS_DIR } from '../../../support/chdb-store.ts';
import { auditRecord, sealedRows } from '../../../support/sealed-rows.ts';

const FIRST = '0001_create_records.sql';
const SHIPPED = readdirSync(MIGRATIONS_DIR).sort();
const NEXT = String(SHIPPED.length + 1).padStart(4, '0');
const NUMBERS = SHIPPED.map((_, position) => position + 1);

describe('migrations', () => {
  let place: Awaited<ReturnType<typeof chdbPlace>>;
  let migrationsDir: string;
  beforeAll(async () => {
    place = await chdbPlace();
    migrationsDir = join(place.dir, 'migrations');
  });
  beforeEach(async () => {
    await rm(migrationsDir, { recursive: true, force: true });
    await mkdir(migrationsDir);
    await cp(MIGRATIONS_DIR, migrationsDir, { recursive: true });
    const store = await place.open({ recreate: true });
    await store.insert('p0', sealedRows([auditRecord('kept')]), 'bundle-0');
    await store.close();
  });
  afterAll(() => place.remove());

  const open = () => place.open({ migrationsDir });
  const register = async () => {
    const store = await open();
    const rows = await store.read<{ number: number; name: string; applied_at: string }>({
      name: 'register',
      sql: 'SELECT number, name, applied_at FROM schema_migrations ORDER BY number',
      params: {},
    });
    await store.close();
    return rows;
  };

  it('are remembered by number and name, once, over any number of starts', async () => {
    await (await open()).close();
    const applied_at = '2026-03-03T00:00:00.000Z';
    expect(await register()).toEqual(
      SHIPPED.map((name, position) => ({ number: position + 1, name, applied_at })),
    );
  });

  it('go forward to a new one and keep the rows', async () => {
    await writeFile(
      join(migrationsDir, `${NEXT}_add_note.sql`),
      `-- one; two\nALTER TABLE records ADD COLUMN IF NOT EXISTS note String;\n\nSELECT 1;\n`,
    );
    const store = await open();
    expect(await store.size('p0')).toBe(1);
    await store.close();
    expect((await register()).map((row) => row.number)).toEqual([...NUMBERS, SHIPPED.length + 1]);
  });

  it('run a statement again whose note was lost in a crash', async () => {
    const store = await open();
    await store.close();
    await writeFile(
      join(migrationsDir, `${NEXT}_create_again.sql`),
      await readFile(join(MIGRATIONS_DIR, FIRST)),
    );
    await (await open()).close();
    expect((await register()).map((row) => row.number)).toEqual([...NUMBERS, SHIPPED.length + 1]);
  });

  it.each<[string, () => Promise<void>]>([
    ['an applied one is changed', () => writeFile(join(migrationsDir, FIRST), 'SELECT 1;\n')],
    ['an applied one is missing', () => rm(join(migrationsDir, FIRST))],
    [
      'an applied one is renamed',
      async () => {
        await cp(join(MIGRATIONS_DIR, FIRST), join(migrationsDir, '0001_other_name.sql'));
        await rm(join(migrationsDir, FIRST));
      },
    ],
    ['a number is left out', () => writeFile(join(migrationsDir, '0099_too_far.sql'), 'SELECT 1;\n')],
    ['a number is used twice', () => writeFile(join(migrationsDir, '0001_twice.sql'), 'SELECT 1;\n')],
    ['a file has no number', () => writeFile(join(migrationsDir, 'later.sql'), 'SELECT 1;\n')],
  ])('refuse to start where %s, and let go of the folder', async (_, spoil) => {
    await spoil();
    await expect(open()).rejects.toMatchObject({ code: 'MIGRATION_MISMATCH' });
    const store = await place.open();
    expect(await store.size('p0')).toBe(1);
    await store.close();
  });

  it('start from nothing where the store is to be recreated, whatever was there', async () => {
    await writeFile(
      join(migrationsDir, FIRST),
      `${await readFile(join(MIGRATIONS_DIR, FIRST), 'utf8')}-- newer\n`,
    );
    const store = await place.open({ migrationsDir, recreate: true });
    expect(await store.size('p0')).toBe(0);
    await store.close();
  });

  it('are one text for one server and for replicas, and keep the digest that they had', async () => {
    const text = await readFile(join(MIGRATIONS_DIR, FIRST), 'utf8');
    const single = inDialect(text);
    expect(createHash('sha256').update(single).digest('hex')).toBe(
      '64e1747eec859057b65a17f49788f80d4ae43926b72dfbeb6d0d64a827356329',
    );
    expect(single).toMatch(/^CREATE TABLE IF NOT EXISTS records$/m);
    expect(single).toMatch(/^ENGINE = MergeTree$/m);
    const replicated = inDialect(text, 'evidence');
    expect(replicated).toMatch(/^CREATE TABLE IF NOT EXISTS records ON CLUSTER evidence$/m);
    expect(replicated).toMatch(/^ENGINE = ReplicatedMergeTree$/m);
    expect(`${single}${replicated}`).not.toContain('{{');
  });

  it('are only asked for by who may not apply them', async () => {
    await (await place.open({ migrationsDir, mayMigrate: false })).close();
    await writeFile(
      join(migrationsDir, `${NEXT}_more.sql`),
      'CREATE TABLE more (n UInt8) ENGINE = Memory;\n',
    );
    await expect(place.open({ migrationsDir, mayMigrate: false })).rejects.toMatchObject({
      code: 'MIGRATION_MISMATCH',
      detail: expect.stringContaining(`${NEXT}_more.sql was not applied yet`) as string,
    });
    const empty = await chdbPlace();
    await expect(empty.open({ mayMigrate: false })).rejects.toMatchObject({ code: 'MIGRATION_MISMATCH' });
    await empty.remove();
    await (await open()).close();
    await (await place.open({ migrationsDir, mayMigrate: false })).close();
  });
});
