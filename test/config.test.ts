import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configKeys, loadConfig, packageRoot } from '../config.ts';
import { REMOVED_KEYS } from '../schemas/config-removed.ts';
import { makeTempDir } from './support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
beforeAll(async () => {
  folder = await makeTempDir();
});
afterAll(() => folder.remove());

async function file(text: string): Promise<string> {
  const path = join(folder.path, `config-${Math.abs(text.length)}.json`);
  await writeFile(path, text);
  return path;
}

describe('the configuration', () => {
  it('has a default for all that a start needs, and listens on loopback', () => {
    const config = loadConfig(undefined, {});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      data: resolve('data'),
      ingest: { port: 4318 },
      api: { port: 8080 },
    });
  });

  it('takes a file over the defaults and the environment over the file', async () => {
    const path = await file('{"ingest":{"port":1111},"api":{"port":2222}}');
    const config = loadConfig(path, { AFFIDAVIT_API_PORT: '3333', OTHER: 'x' });
    expect([config.ingest.port, config.api.port]).toEqual([1111, 3333]);
    expect(loadConfig(undefined, { AFFIDAVIT_CONFIG: path }).ingest.port).toBe(1111);
  });

  it('reports every problem at once, each with its place', async () => {
    const path = await file(
      '{"ingest":{"port":"x","oops":1},"nonsense":true,"retention":{"facts":{"hot_days":0}}}',
    );
    const load = () => loadConfig(path, { AFFIDAVIT_MISTYPED: '1', AFFIDAVIT_API_PORT: '70000' });
    expect(load).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('6 problem(s)') as string,
      }) as Error,
    );
    for (const place of [
      '/ingest/port',
      '/ingest/oops',
      '/nonsense',
      '/retention/facts/hot_days',
      'AFFIDAVIT_MISTYPED',
      '/api/port',
    ]) {
      expect(load).toThrow(place);
    }
  });

  it.each([
    ['is missing', undefined],
    ['is not JSON', '{'],
    ['is not an object', '[]'],
  ])('says so when its file %s', async (_, text) => {
    const path = text === undefined ? join(folder.path, 'absent.json') : await file(text);
    expect(() => loadConfig(path, {})).toThrow(path);
  });

  it.each([
    ['AFFIDAVIT_INGEST_MAX_BACKLOG_BYTES', '67108864', '/ingest/max_backlog_bytes'],
    // Of which one collector may fill 80 percent.
    ['AFFIDAVIT_INGEST_MAX_BACKLOG_BYTES', '83890000', '/ingest/max_backlog_bytes'],
  ])('refuses a limit of %s that could never let in a body of the largest size', (variable, text, place) => {
    expect(() => loadConfig(undefined, { [variable]: text })).toThrow(place);
  });

  it('takes each clock of a retention class alone, and the defaults for the others', async () => {
    const path = await file('{"retention":{"file":{"hot_days":7}}}');
    const { retention } = loadConfig(path, { AFFIDAVIT_RETENTION_FILE_ARCHIVE_DAYS: '14' });
    expect(retention.file).toEqual({ hot_days: 7, archive_days: 14 });
    expect(retention.content).toEqual({ hot_days: 90, archive_days: 365 });
  });

  it.each([
    [
      'CONTENT_ARCHIVE_DAYS',
      '2191',
      '/retention/content/archive_days is longer than retention.proof.archive_days',
    ],
    [
      'PROOF_ARCHIVE_DAYS',
      '2189',
      '/retention/facts/archive_days is longer than retention.proof.archive_days',
    ],
    ['FILE_HOT_DAYS', '91', '/retention/file/hot_days is longer than archive_days, which is 90'],
  ])('refuses a clock that runs longer than its ground: retention %s of %s', (name, text, problem) => {
    expect(() => loadConfig(undefined, { [`AFFIDAVIT_RETENTION_${name}`]: text })).toThrow(problem);
  });

  it('gives every key a variable of its own and a description', () => {
    const keys = configKeys();
    expect(new Set(keys.map(({ variable }) => variable)).size).toBe(keys.length);
    expect(keys.filter(({ description }) => description.length < 10)).toEqual([]);
    expect(keys.length).toBeLessThanOrEqual(63);
    expect(keys.map(({ variable }) => variable)).toEqual(
      expect.arrayContaining([
        'AFFIDAVIT_DATA',
        'AFFIDAVIT_HOST',
        'AFFIDAVIT_INGEST_PORT',
        'AFFIDAVIT_API_PORT',
        'AFFIDAVIT_ADMIN_TOKEN',
        'AFFIDAVIT_COLLECTOR_TOKEN',
      ]),
    );
  });

  it('says of each key that was removed what holds now', async () => {
    const path = await file(
      '{"sequencer":{"max_batch_bytes":1},"s3":{"single_sequencer":true,"prefix":"a/"}}',
    );
    const load = () => loadConfig(path, { AFFIDAVIT_KAFKA_SESSION_TIMEOUT_MS: '6000' });
    for (const problem of [
      '3 problem(s)',
      '/sequencer/max_batch_bytes was removed: a bundle holds at most 4 MiB',
      '/s3/single_sequencer was renamed: set s3.dangerously_single_sequencer',
      'AFFIDAVIT_KAFKA_SESSION_TIMEOUT_MS was removed: the partitions of a sequencer go to others after 30 seconds',
    ]) {
      expect(load).toThrow(problem);
    }
  });

  it.each(Object.keys(REMOVED_KEYS))('has no key %s any more', (removed) => {
    expect(configKeys().map(({ path }) => path.join('.'))).not.toContain(removed);
    const variable = `AFFIDAVIT_${removed.replace('.', '_').toUpperCase()}`;
    expect(() => loadConfig(undefined, { [variable]: '1' })).toThrow(`${variable} was re`);
  });

  it('finds the package from the sources', () => {
    expect(packageRoot()).toBe(resolve(import.meta.dirname, '..'));
  });

  it('reads flags from the environment, and nothing that only looks like one', () => {
    expect(loadConfig(undefined, { AFFIDAVIT_KAFKA_TLS: 'true' }).kafka.tls).toBe(true);
    expect(() => loadConfig(undefined, { AFFIDAVIT_KAFKA_TLS: 'yes' })).toThrow('/kafka/tls');
  });

  it('takes a process of one role only with the engines that it shares with others', () => {
    const engines = {
      AFFIDAVIT_KAFKA_BROKERS: 'a:9092,b:9092',
      AFFIDAVIT_CLICKHOUSE_URL: 'http://c:8123',
      AFFIDAVIT_S3_BUCKET: 'evidence',
      AFFIDAVIT_KEY_STORE_BUCKET: 'keys',
    };
    expect(loadConfig(undefined, { ...engines, AFFIDAVIT_ROLE: 'sequence' }).role).toBe('sequence');
    expect(() => loadConfig(undefined, { AFFIDAVIT_ROLE: 'ingest' })).toThrow('/kafka/brokers is needed');
    const withoutBucket = { ...engines, AFFIDAVIT_S3_BUCKET: undefined, AFFIDAVIT_ROLE: 'api' };
    expect(() => loadConfig(undefined, withoutBucket)).toThrow('/s3/bucket is needed');
    const withoutKeys = { ...engines, AFFIDAVIT_KEY_STORE_BUCKET: undefined, AFFIDAVIT_ROLE: 'sequence' };
    expect(() => loadConfig(undefined, withoutKeys)).toThrow('/key_store/bucket is needed');
    expect(loadConfig(undefined, { ...withoutKeys, AFFIDAVIT_ROLE: 'api' }).role).toBe('api');
    const withFolder = { ...withoutKeys, AFFIDAVIT_KEY_STORE_DIR: '/mnt/keys' };
    expect(loadConfig(undefined, withFolder).key_store.dir).toBe('/mnt/keys');
    expect(() => loadConfig(undefined, { ...engines, AFFIDAVIT_ROLE: 'forward' })).toThrow('/role');
  });

  it.each([
    [{ AFFIDAVIT_KAFKA_SASL_USERNAME: 'u' }, '/kafka/sasl_password is missing beside sasl_username'],
    [{ AFFIDAVIT_S3_ACCESS_KEY_ID: 'k' }, '/s3/secret_access_key is missing beside access_key_id'],
    [{ AFFIDAVIT_KAFKA_REPLICATION_FACTOR: '1' }, '/kafka/min_insync_replicas wants more brokers'],
    [{ AFFIDAVIT_KAFKA_BROKERS: 'a:9092 b:9092' }, '/kafka/brokers'],
    [{ AFFIDAVIT_S3_PREFIX: 'no-slash' }, '/s3/prefix'],
  ])('refuses %o, which cannot work', (environment, problem) => {
    expect(() => loadConfig(undefined, environment)).toThrow(problem);
  });
});
