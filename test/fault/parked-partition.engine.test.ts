/**
 * One bad partition stops only itself: somebody else's objects, locked for years, lie at the next keys of two logs of a
 * deployment on real engines, and its third log goes on.
 */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '../../ingest/kafka/partition-of.ts';
import { sessionKey, sourceKey } from '../../schemas/envelope.ts';
import { bundleKey } from '../../store/chain/layout.ts';
import { openTestBucket } from '../support/s3-server-archive.ts';
import { openScaleOut, type RoleProcess, type ScaleOut } from '../support/scale-out.ts';
import { getAll, post } from '../support/server.ts';

const PARTITIONS = 3;
/** Where events of the program itself go. */
const USUAL = partitionOf(sourceKey('native'), PARTITIONS);
const SECOND = (USUAL + 1) % PARTITIONS;
const WELL = (USUAL + 2) % PARTITIONS;
/** An engine that is slow under load is no partition that stops. */
const PATIENCE_MS = 30_000;

interface State {
  readonly ready: boolean;
  readonly partitions: readonly { readonly log: string; readonly state: string; readonly reason?: string }[];
}

const opened = await openScaleOut({ partitions: PARTITIONS });
const reason = 'skipped' in opened ? `(skipped: ${opened.skipped})` : '';

describe.skipIf('skipped' in opened)(
  `a bad partition of a deployment ${reason}`,
  { timeout: 180_000 },
  () => {
    const deployment = opened as ScaleOut;
    let roles: { ingest: RoleProcess; sequence: RoleProcess; api: RoleProcess };

    beforeAll(async () => {
      await takeKey(USUAL, 0);
      const [ingest, sequence, api] = await Promise.all([
        deployment.start('ingest', 'ingest'),
        deployment.start('sequence', 'sequence'),
        deployment.start('api', 'api'),
      ]);
      roles = { ingest, sequence, api };
    }, 120_000);
    afterAll(() => deployment.dispose(), 60_000);

    /** The object of a stranger at the bundle key behind so many leaves, which nobody can delete for a day. */
    async function takeKey(partition: number, treeSize: number): Promise<void> {
      const { client } = openTestBucket(deployment.s3, deployment.bucket);
      await client.send(
        new PutObjectCommand({
          Bucket: deployment.bucket,
          Key: bundleKey(`p${String(partition)}`, treeSize),
          Body: 'a stranger was here',
          ObjectLockMode: 'COMPLIANCE',
          ObjectLockRetainUntilDate: new Date(Date.now() + 86_400_000),
          ChecksumAlgorithm: 'SHA256',
        }),
      );
      client.destroy();
    }

    async function readState(): Promise<State> {
      return (await (await fetch(`${roles.sequence.apiUrl}/readyz`)).json()) as State;
    }
    const stateOf = async (partition: number) =>
      (await readState()).partitions.find(({ log }) => log === `p${String(partition)}`)?.state;

    /** Sends a prompt of a session of the partition. */
    async function sendTo(partition: number, name: string): Promise<string> {
      let n = 0;
      while (partitionOf(sessionKey(`${name}-${String(n)}`), PARTITIONS) !== partition) n += 1;
      const session_id = `${name}-${String(n)}`;
      const event = { session_id, hook_event_name: 'UserPromptSubmit', prompt_id: 'p', prompt: name };
      const sent = await post(roles.ingest as { ingestUrl: string }, {
        path: '/v1/hooks/claude-code',
        contentType: 'application/json',
        body: JSON.stringify(event),
      });
      expect(sent.status).toBe(200);
      return session_id;
    }

    const sealed = async (session_id: string) =>
      (await getAll<unknown>(roles.api, `/v1/records?session_id=${session_id}`)).length;

    const parked = () =>
      getAll<{ log: string; facts: { reason: string } }>(roles.api, '/v1/records?type=partition.parked');

    it('is parked from the start where its next key is taken, and the others are sealed', async () => {
      await expect.poll(() => stateOf(USUAL), { timeout: PATIENCE_MS }).toBe('parked');
      await expect.poll(() => stateOf(SECOND), { timeout: PATIENCE_MS }).toBe('idle');
      const session = await sendTo(WELL, 'first');
      await expect.poll(() => sealed(session), { timeout: PATIENCE_MS }).toBe(1);
      expect((await readState()).ready).toBe(true);
    });

    it('is parked where the key is taken while it runs, and another is not held up by it', async () => {
      // The record that the first partition is parked may lie here.
      await expect.poll(async () => (await parked()).length, { timeout: PATIENCE_MS }).toBe(1);
      const records = await getAll<{ log: string }>(roles.api, '/v1/records');
      await takeKey(SECOND, records.filter(({ log }) => log === `p${String(SECOND)}`).length);
      const bad = await sendTo(SECOND, 'bad');
      await expect.poll(() => stateOf(SECOND), { timeout: PATIENCE_MS }).toBe('parked');
      const good = await sendTo(WELL, 'good');
      const sentAtMs = performance.now();
      await expect.poll(() => sealed(good), { timeout: PATIENCE_MS, interval: 20 }).toBe(1);
      expect(performance.now() - sentAtMs).toBeLessThan(5_000);
      expect(await sealed(bad)).toBe(0);
      expect(roles.sequence.process.exitCode).toBeNull();
    });

    it('is named in a record that lies in a log that is well', async () => {
      await expect.poll(async () => (await parked()).length, { timeout: PATIENCE_MS }).toBe(2);
      expect(new Set((await parked()).map(({ log }) => log)).has(`p${String(USUAL)}`)).toBe(false);
    });

    it('is tried once more by a process that gets it, and parked there again', async () => {
      await roles.sequence.stop('SIGTERM');
      roles.sequence = await deployment.start('sequence', 'another');
      await expect.poll(() => stateOf(SECOND), { timeout: PATIENCE_MS }).toBe('parked');
      const session = await sendTo(WELL, 'later');
      await expect.poll(() => sealed(session), { timeout: PATIENCE_MS }).toBe(1);
    });
  },
);
