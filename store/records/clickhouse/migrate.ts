/** Brings the schema of the record store up to date, by numbered SQL files. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import { toInstant, type Clock } from '../../../schemas/clock.ts';
import { PipelineError } from '../../../schemas/errors.ts';

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
  readonly statements: readonly string[];
}

interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
}

const FILE_NAME = /^([0-9]{4})_[a-z0-9_]+\.sql$/;

const CREATE_REGISTER = `CREATE TABLE IF NOT EXISTS schema_migrations{{on_cluster}}
(
    number UInt32,
    name String,
    sha256 String,
    applied_at DateTime64(3, 'UTC')
)
ENGINE = {{merge_tree}}
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

export interface MigrateOptions {
  /** Folder of the numbered .sql files. */
  readonly dir: string;
  readonly clock: Clock;
  /** Cluster on all of whose replicas the tables are created; undefined for one server. */
  readonly cluster?: string | undefined;
}

/** Fills the two placeholders: where a table is created, and its engine. */
export function inDialect(sql: string, cluster?: string): string {
  return sql
    .replaceAll('{{on_cluster}}', cluster === undefined ? '' : ` ON CLUSTER ${cluster}`)
    .replaceAll('{{merge_tree}}', cluster === undefined ? 'MergeTree' : 'ReplicatedMergeTree');
}

/**
 * Brings the schema to the newest migration, forward only, and remembers each as (number, name, SHA-256).
 * Throws MIGRATION_MISMATCH where an applied one is changed or missing, or the files do not count up from 1.
 *
 * After a crash between a statement and its note the statement runs again at the next start: statements allow that.
 */
export async function migrate(
  client: ClickHouseClient,
  { dir, clock, cluster }: MigrateOptions,
): Promise<void> {
  await client.command({ query: inDialect(CREATE_REGISTER, cluster) });
  const available = await readMigrations(dir, cluster);
  const applied = await readApplied(client);
  requireUnchanged(available, applied);
  for (const migration of available.slice(applied.length)) {
    for (const statement of migration.statements) await client.command({ query: statement });
    const { number, name, sha256 } = migration;
    await client.insert({
      table: 'schema_migrations',
      format: 'JSONEachRow',
      values: [{ number, name, sha256, applied_at: toInstant(clock()) }],
    });
  }
}

/** Throws MIGRATION_MISMATCH unless every migration was applied unchanged. Changes nothing. */
export async function requireMigrated(
  client: ClickHouseClient,
  { dir, cluster }: MigrateOptions,
): Promise<void> {
  const available = await readMigrations(dir, cluster);
  const found = await client.query({ query: 'EXISTS TABLE schema_migrations', format: 'JSONEachRow' });
  const isThere = (await found.json<{ result: number }>())[0]?.result === 1;
  const applied = isThere ? await readApplied(client) : [];
  requireUnchanged(available, applied);
  const missing = available[applied.length];
  if (missing === undefined) return;
  const detail = `${missing.name} was not applied yet: affidavit init or a sequencer does that`;
  throw new PipelineError('MIGRATION_MISMATCH', detail);
}

/** Drops every table of the projection, also of an unknown schema, so that `migrate` starts from nothing. */
export async function dropSchema(client: ClickHouseClient, cluster?: string): Promise<void> {
  // The register goes first: without it a half-finished drop is finished by running the migrations again.
  for (const table of ['schema_migrations', 'projection_versions', 'records']) {
    await client.command({ query: inDialect(`DROP TABLE IF EXISTS ${table}{{on_cluster}} SYNC`, cluster) });
  }
}

async function readMigrations(dir: string, cluster: string | undefined): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.sql')).sort();
  const migrations = await Promise.all(names.map((name) => readMigration(dir, name, cluster)));
  if (migrations.length === 0) throw new PipelineError('MIGRATION_MISMATCH', 'the folder has no migrations');
  migrations.forEach((migration, position) => {
    if (migration.number === position + 1) return;
    throw new PipelineError(
      'MIGRATION_MISMATCH',
      `${migration.name} does not have number ${position + 1}, which comes next`,
    );
  });
  return migrations;
}

async function readMigration(dir: string, name: string, cluster: string | undefined): Promise<Migration> {
  const digits = FILE_NAME.exec(name)?.[1];
  if (digits === undefined)
    throw new PipelineError('MIGRATION_MISMATCH', `${name} is not the name of a migration`);
  const text = await readFile(path.join(dir, name), 'utf8');
  return {
    number: Number(digits),
    name,
    // Of the text for one server, so that the digest is the same on a server and on a cluster.
    sha256: createHash('sha256').update(inDialect(text)).digest('hex'),
    statements: splitStatements(inDialect(text, cluster)),
  };
}

/** Statements end with a semicolon at the end of a line. Whole-line comments are removed first. */
function splitStatements(text: string): string[] {
  const code = text.replace(/^\s*--.*$/gm, '');
  return code
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

async function readApplied(client: ClickHouseClient): Promise<AppliedMigration[]> {
  const result = await client.query({
    query: 'SELECT DISTINCT number, name, sha256 FROM schema_migrations ORDER BY number',
    format: 'JSONEachRow',
  });
  return result.json<AppliedMigration>();
}

function requireUnchanged(available: readonly Migration[], applied: readonly AppliedMigration[]): void {
  applied.forEach((was, position) => {
    const now = available[position];
    if (now?.number === was.number && now.name === was.name && now.sha256 === was.sha256) return;
    throw new PipelineError(
      'MIGRATION_MISMATCH',
      `${was.name} was applied to this store and is changed or missing now`,
    );
  });
}
