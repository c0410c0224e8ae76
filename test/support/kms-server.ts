/** A real server that speaks KMS, for tests: local-kms, found or built once, started on a folder that goes with it. */
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { REGION } from './s3-server.ts';

const CREDENTIALS = { accessKeyId: 'affidavit-test', secretAccessKey: 'affidavit-test-secret' };
const START_ATTEMPTS = 200;

export interface KmsServer {
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly credentials: typeof CREDENTIALS;
  readonly client: KMSClient;
  /** ARN of a new symmetric key. */
  makeKey(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts it on a free port of the loopback interface; resolves when it answers. */
export async function startKmsServer(path: string): Promise<KmsServer> {
  const root = await mkdtemp(join(tmpdir(), 'affidavit-kms-'));
  const port = await freePort();
  const server = spawn(path, [], {
    env: { ...process.env, PORT: String(port), KMS_DATA_PATH: root, KMS_REGION: REGION },
    stdio: 'ignore',
  });
  const kill = (): void => void server.kill('SIGKILL');
  process.once('exit', kill);
  const endpoint = `http://127.0.0.1:${String(port)}`;
  const client = new KMSClient({ endpoint, region: REGION, credentials: CREDENTIALS });
  for (let attempt = 0; attempt < START_ATTEMPTS && server.exitCode === null; attempt += 1) {
    const answer = await fetch(endpoint).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer !== undefined) break;
    await sleep(50);
  }
  return {
    endpoint,
    port,
    region: REGION,
    credentials: CREDENTIALS,
    client,
    async makeKey() {
      const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
      return KeyMetadata?.Arn ?? '';
    },
    async stop() {
      process.off('exit', kill);
      client.destroy();
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      await rm(root, { recursive: true, force: true });
    },
  };
}
