/** `npm run engines`: fetches or builds what the engine tests need, one after another, into the cache that they look in. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildGoProgram } from './go-program.ts';
import { fetchKafka } from './kafka-broker-files.ts';
import { findEngine } from './s3-server.ts';

const step = async (name: string, fetch: () => Promise<unknown>): Promise<void> => {
  const startedMs = performance.now();
  await fetch();
  process.stdout.write(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
};

await step('Apache Kafka', fetchKafka);
await step('MinIO', () => findEngine('minio'));
await step('versitygw', () => findEngine('versitygw'));
await step('local-kms', () => findEngine('local-kms'));
await step('compose-check', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'affidavit-compose-'));
  buildGoProgram('compose-check', folder);
  await rm(folder, { recursive: true, force: true });
});
