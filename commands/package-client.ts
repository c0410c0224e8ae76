import { setTimeout as delay } from 'node:timers/promises';
import { call, expectStatus } from '../ingest/send/http.ts';
import type { PackageJob } from '../reports/package/packages.ts';
import type { FrameworkId, Period } from '../schemas/control.ts';
import { PipelineError } from '../schemas/errors.ts';

export interface PackageOrder {
  readonly framework: FrameworkId;
  readonly period: Period;
  readonly log?: string;
}

/** How often the state of the package is asked for. */
const POLL_MS = 100;

/** Orders a package from a running API, waits for it and returns the ZIP's bytes. */
export async function fetchPackage(apiUrl: string, token: string, order: PackageOrder): Promise<Buffer> {
  const ordered = await call(`${apiUrl}/v1/evidence-packages`, {
    method: 'POST',
    token,
    contentType: 'application/json',
    body: JSON.stringify(order),
  });
  let job = await readJob(ordered, 202);
  while (job.state === 'running') {
    await delay(POLL_MS);
    job = await readJob(await call(`${apiUrl}/v1/evidence-packages/${job.id}`, { token }), 200);
  }
  if (job.state === 'failed') {
    throw new PipelineError('INTERNAL', `package ${job.id} failed: ${job.failure ?? 'no reason given'}`);
  }
  const download = await call(`${apiUrl}/v1/evidence-packages/${job.id}/download`, { token });
  return Buffer.from(await (await expectStatus(download, 200)).arrayBuffer());
}

async function readJob(answer: Response, status: number): Promise<PackageJob> {
  return (await (await expectStatus(answer, status)).json()) as PackageJob;
}
