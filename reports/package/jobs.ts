/**
 * Evidence packages as background jobs. In: requests. Out: one JSON file per job and one ZIP per finished job in
 * `dir`. Invariant: a ZIP has its final name only when it is whole and durable, and its job is `ready` only then.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Framework } from '../controls/control.ts';
import type { EvidencePackages, PackageJob, PackageRequest } from './packages.ts';

/** One build: the builder writes the whole ZIP at `path`, which does not exist yet. */
export interface PackageBuild {
  readonly package_id: string;
  readonly request: PackageRequest;
  /** The framework that the request names. */
  readonly framework: Framework;
  readonly path: string;
  readonly signal: AbortSignal;
}

export interface EvidencePackagesOptions {
  readonly dir: string;
  /** Frameworks that a request may name. */
  readonly frameworks: readonly Framework[];
  readonly build: (build: PackageBuild) => Promise<void>;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly logger: Logger;
}

const JOB_SUFFIX = '.job.json';
/** Suffix of files that the next start deletes. */
const PARTIAL_SUFFIX = '.partial';

/** Opens the job folder. Jobs that were running when the last process ended become `failed`. */
export async function openEvidencePackages(options: EvidencePackagesOptions): Promise<EvidencePackages> {
  const { dir, clock, newId } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const jobs = await loadJobs(options);
  const stop = new AbortController();
  let queue: Promise<void> = Promise.resolve();
  const save = async (job: PackageJob) => {
    await writeJob(dir, job);
    jobs.set(job.id, job);
  };
  return {
    create: async (request) => {
      if (stop.signal.aborted) throw new PipelineError('PACKAGE_INTERRUPTED', 'packages are being shut down');
      checkPeriod(request);
      const framework = chooseFramework(options.frameworks, request);
      const job = newJob(newId(), request, toInstant(clock()));
      const saved = save(job);
      // Queued before the first wait: jobs run in the order of their calls, and `close` waits for each of them.
      queue = queue
        .then(() => saved)
        .then(async () => save(await runJob(options, job, { framework, signal: stop.signal })))
        .catch(logLoss(options, job));
      await saved;
      return job;
    },
    get: (id) => Promise.resolve(jobs.get(id)),
    list: () => Promise.resolve([...jobs.values()].sort(newestFirst)),
    file: (id) => {
      const job = jobs.get(id);
      if (job === undefined)
        return Promise.reject(new PipelineError('NOT_FOUND', 'no such evidence package'));
      if (job.state === 'ready') return Promise.resolve(zipPath(dir, id));
      return Promise.reject(new PipelineError('PACKAGE_NOT_READY', `evidence package is ${job.state}`));
    },
    close: async () => {
      stop.abort(new PipelineError('PACKAGE_INTERRUPTED', 'the process is ending'));
      await queue;
    },
  };
}

function newJob(id: string, request: PackageRequest, requested_at: string): PackageJob {
  return {
    id,
    state: 'running',
    request,
    requested_at,
    finished_at: null,
    failure: null,
    sha256: null,
    size_bytes: null,
  };
}

/** Does not reject for a failed build: the failure is the result of the job. */
async function runJob(
  options: EvidencePackagesOptions,
  job: PackageJob,
  { framework, signal }: Pick<PackageBuild, 'framework' | 'signal'>,
): Promise<PackageJob> {
  const { dir, build, clock, logger } = options;
  const partial = `${zipPath(dir, job.id)}${PARTIAL_SUFFIX}`;
  try {
    signal.throwIfAborted();
    await build({ package_id: job.id, request: job.request, framework, path: partial, signal });
    const { size } = await stat(partial);
    const sha256 = await fileSha256(partial);
    await syncFile(partial);
    // If the process dies here, the ZIP is whole but unnamed; the next start removes it and reports the job as failed.
    await rename(partial, zipPath(dir, job.id));
    await syncFile(dir);
    // If the process dies here, the ZIP has its name, but its job is still `running` and is reported as failed.
    return { ...job, state: 'ready', finished_at: toInstant(clock()), sha256, size_bytes: size };
  } catch (error) {
    const failure = error instanceof PipelineError ? error.code : 'INTERNAL';
    logger.error({ package_id: job.id, code: failure, err: error }, 'evidence package failed');
    await rm(partial, { force: true, recursive: true });
    return { ...job, state: 'failed', finished_at: toInstant(clock()), failure };
  }
}

function logLoss({ logger }: EvidencePackagesOptions, job: PackageJob): (error: unknown) => void {
  return (error) => logger.error({ package_id: job.id, err: error }, 'state of evidence package not saved');
}

async function loadJobs({ dir, clock }: EvidencePackagesOptions): Promise<Map<string, PackageJob>> {
  const names = await readdir(dir);
  const leftovers = names.filter((name) => name.includes(PARTIAL_SUFFIX));
  await Promise.all(leftovers.map((name) => rm(join(dir, name), { force: true, recursive: true })));
  const jobs = new Map<string, PackageJob>();
  for (const name of names.filter((each) => each.endsWith(JOB_SUFFIX))) {
    // Only `writeJob` writes these files, each whole or not at all.
    const job = JSON.parse(await readFile(join(dir, name), 'utf8')) as PackageJob;
    const settled = job.state === 'running' ? interrupted(job, toInstant(clock())) : job;
    if (settled !== job) await writeJob(dir, settled);
    jobs.set(settled.id, settled);
  }
  return jobs;
}

function interrupted(job: PackageJob, finished_at: string): PackageJob {
  return { ...job, state: 'failed', finished_at, failure: 'PACKAGE_INTERRUPTED' };
}

function checkPeriod({ period }: PackageRequest): void {
  const from = Date.parse(period.from);
  const to = Date.parse(period.to);
  if (Number.isNaN(from) || Number.isNaN(to) || from >= to) {
    throw new PipelineError('PARAMETER_INVALID', 'period must begin before it ends', { place: '/period' });
  }
}

function chooseFramework(frameworks: readonly Framework[], { framework: id }: PackageRequest): Framework {
  const found = frameworks.find((framework) => framework.id === id);
  if (found !== undefined) return found;
  const ids = frameworks.map((framework) => framework.id).join(', ');
  throw new PipelineError('PARAMETER_INVALID', `the frameworks are ${ids}`, { place: '/framework' });
}

/** Atomic and durable: after a crash the file holds either the old job or the new one. */
async function writeJob(dir: string, job: PackageJob): Promise<void> {
  const target = join(dir, `${job.id}${JOB_SUFFIX}`);
  const partial = `${target}${PARTIAL_SUFFIX}`;
  const handle = await open(partial, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(job)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, target);
  await syncFile(dir);
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function zipPath(dir: string, id: string): string {
  return join(dir, `${id}.zip`);
}

/** Jobs of the same instant are ordered by id. */
function newestFirst(left: PackageJob, right: PackageJob): number {
  const key = ({ requested_at, id }: PackageJob) => `${requested_at} ${id}`;
  return key(left) < key(right) ? 1 : -1;
}
