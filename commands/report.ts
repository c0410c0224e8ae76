import { copyFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createBacklogReader } from '../app/backlog.ts';
import { createContext, SYSTEM } from '../app/context.ts';
import type { DeployedLog } from '../app/deployment-file.ts';
import { CloseStack, openLog, openPackages, openSealingEngines } from '../app/logs.ts';
import type { Config } from '../config.ts';
import { toInstant } from '../schemas/clock.ts';
import type { FrameworkId, Period } from '../schemas/control.ts';
import { PipelineError } from '../schemas/errors.ts';
import { createProgress, toJsonLine, type Output } from './output.ts';
import { fetchPackage, type PackageOrder } from './package-client.ts';

export interface ReportOptions {
  readonly framework: FrameworkId;
  readonly from?: string;
  readonly to?: string;
  readonly out?: string;
  /** Short name of the log; required if there are several. */
  readonly log?: string;
  /** API of a running server. Without it this command opens the data folder, so the server must be stopped. */
  readonly url?: string;
  readonly json: boolean;
}

const DAY_MS = 86_400_000;
/** The period of a report without --from. */
const DEFAULT_PERIOD_DAYS = 90;
/** How often the state of the package is read. */
const POLL_MS = 100;

/** Makes an evidence package and writes it to a file. */
export async function report(config: Config, options: ReportOptions, output: Output): Promise<void> {
  const period = toPeriod(options, SYSTEM.clock());
  const order = {
    framework: options.framework,
    period,
    ...(options.log === undefined ? {} : { log: options.log }),
  };
  const out = resolve(
    options.out ?? `evidence-${order.framework}-${period.from.slice(0, 10)}-${period.to.slice(0, 10)}.zip`,
  );
  const progress = createProgress(output);
  progress.step('making the evidence package');
  if (options.url === undefined) await reportFromData(config, order, out);
  else await reportFromApi(config, options.url, order, out);
  progress.done();
  if (options.json) output.write(toJsonLine({ path: out, ...order }));
  else output.write(`${out}\nVerify it with: affidavit verify ${out}\n`);
}

async function reportFromApi(config: Config, url: string, order: PackageOrder, out: string): Promise<void> {
  if (config.admin_token === undefined) {
    const hint = '`affidavit init` printed it on its first run; without --url no token is needed';
    throw new PipelineError('USAGE_INVALID', 'set AFFIDAVIT_ADMIN_TOKEN to the admin token of the server', {
      hint,
    });
  }
  const bytes = await fetchPackage(url.replace(/\/$/, ''), config.admin_token, order);
  await writeFile(out, bytes, { mode: 0o600 });
}

async function reportFromData(config: Config, order: PackageOrder, out: string): Promise<void> {
  const context = createContext(config);
  const stack = new CloseStack();
  try {
    const engines = await openSealingEngines(context, stack);
    const named = chooseLog(engines.deployment.logs, order.log);
    // Opening a log for appending also projects bundles that a crash left without rows.
    const { ledger } = stack.keep(await openLog(context, engines, named));
    const readBacklog = createBacklogReader(context, undefined, stack);
    const packages = stack.keep(await openPackages(context, engines, { published: [ledger], readBacklog }));
    let job = await packages.create({ ...order, log: named.log, requested_by: 'command line' });
    while (job.state === 'running') {
      await delay(POLL_MS);
      job = (await packages.get(job.id)) ?? job;
    }
    if (job.state === 'failed')
      throw new PipelineError('INTERNAL', `the package failed: ${job.failure ?? 'no reason given'}`);
    await copyFile(await packages.file(job.id), out);
  } finally {
    await stack.close();
  }
}

function chooseLog(logs: readonly DeployedLog[], name: string | undefined): DeployedLog {
  const [only] = logs;
  const found =
    logs.find(({ log }) => log === name) ?? (name === undefined && logs.length === 1 ? only : undefined);
  if (found !== undefined) return found;
  const names = logs.map(({ log }) => log).join(', ');
  throw new PipelineError('USAGE_INVALID', `--log must name one of the logs: ${names}`);
}

/** A bound is an instant, or a day, which means its start in UTC. Without bounds: the last 90 days. */
function toPeriod({ from, to }: ReportOptions, now: number): Period {
  const end = to === undefined ? now : parseBound('--to', to);
  const start = from === undefined ? end - DEFAULT_PERIOD_DAYS * DAY_MS : parseBound('--from', from);
  if (start >= end) throw new PipelineError('USAGE_INVALID', '--from must be before --to');
  return { from: toInstant(start), to: toInstant(end) };
}

function parseBound(name: string, text: string): number {
  const isKnownForm = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?$/.test(text);
  const instant = Date.parse(text);
  if (!isKnownForm || Number.isNaN(instant)) {
    throw new PipelineError(
      'USAGE_INVALID',
      `${name} must be a day like 2026-01-31 or an instant like 2026-01-31T00:00:00Z`,
    );
  }
  return instant;
}
