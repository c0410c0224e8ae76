/** `affidavit collect compliance-api`, `github-audit-log` and `github-deliveries`: one pull of a platform each. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SYSTEM } from '../app/context.ts';
import { openStateFile } from '../app/pull-sources.ts';
import type { Config } from '../config.ts';
import { pullComplianceApi } from '../ingest/pull/compliance-api.ts';
import { openGithubApi } from '../ingest/pull/github-api.ts';
import { auditLogOf, pullGithubAuditLog, type AuditLogScope } from '../ingest/pull/github-audit-log.ts';
import {
  deliveriesPathOf,
  redeliverGithub,
  type DeliveryAttempt,
  type RedeliveryCounts,
  type WebhookScope,
} from '../ingest/pull/github-deliveries.ts';
import { openDelivery } from '../ingest/send/delivery.ts';
import { call, expectStatus, urlBelow } from '../ingest/send/http.ts';
import { PipelineError } from '../schemas/errors.ts';
import { toJsonLine, type Output } from './output.ts';
import { requireCollectorToken } from './tokens.ts';

/** Options of every pull of a platform. */
interface PlatformOptions {
  /** Base URL of the receivers. */
  readonly to: string;
  readonly json: boolean;
}

export interface ComplianceApiCommandOptions extends PlatformOptions {
  /** Base URL of the platform. */
  readonly url: string;
  /** File with the platform's key. */
  readonly keyFile: string;
  readonly cursor?: string;
  readonly since?: string;
  readonly pageSize: string;
}

interface GithubCommandOptions extends PlatformOptions {
  /** Base URL: `https://api.github.com`, of an enterprise server `https://HOST/api/v3`. */
  readonly apiUrl: string;
  /** File with a token, or with a JSON web token of an app. */
  readonly tokenFile: string;
}

export interface GithubAuditLogCommandOptions extends GithubCommandOptions, AuditLogScope {
  readonly cursor?: string;
  readonly since?: string;
  readonly phrase?: string;
  readonly include: string;
}

export interface GithubDeliveriesCommandOptions extends GithubCommandOptions, WebhookScope {
  readonly state?: string;
  readonly dryRun: boolean;
  /** Between two requests for a redelivery. */
  readonly pauseMs?: number;
}

/** The largest page that the platform gives. */
const MAX_PAGE_SIZE = 5000;

/** Pulls once. Throws USAGE_INVALID for options, and as `pullComplianceApi` does. */
export async function collectComplianceApi(
  config: Config,
  options: ComplianceApiCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { url, since, to, json, pageSize } = options;
  if (!/^[1-9][0-9]{0,3}$/.test(pageSize) || Number(pageSize) > MAX_PAGE_SIZE) {
    throw new PipelineError('USAGE_INVALID', `--page-size must be from 1 to ${String(MAX_PAGE_SIZE)}`);
  }
  const token = requireCollectorToken(config);
  const key = await readSecret(options.keyFile);
  const source = { url, key, since, pageSize: Number(pageSize) };
  const pulled = await pullComplianceApi(source, {
    cursor: openStateFile(options.cursor ?? stateOf(config, 'compliance-api')),
    post: async (path, body) => {
      const request = { method: 'POST', token, contentType: 'application/json', body } as const;
      await expectStatus(await call(urlBelow(to, path), request), 200);
    },
    clock: SYSTEM.clock,
    signal,
  });
  output.write(json ? toJsonLine(pulled) : `pulled ${String(pulled.count)} activities\n`);
}

/** Pulls once. Throws USAGE_INVALID for options, and as `pullGithubAuditLog` does. */
export async function collectGithubAuditLog(
  config: Config,
  options: GithubAuditLogCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { include, phrase, since, json } = options;
  if (!['web', 'git', 'all'].includes(include)) {
    throw new PipelineError('USAGE_INVALID', '--include is web, git or all');
  }
  const { name } = auditLogOf(options);
  const token = requireCollectorToken(config);
  const pulled = await pullGithubAuditLog(
    options,
    { include, phrase, since },
    {
      api: await openGithub(options, signal),
      cursor: openStateFile(options.cursor ?? stateOf(config, `github-audit-log-${name}`)),
      delivery: openDelivery({ to: options.to, token, clock: SYSTEM.clock, signal }),
      clock: SYSTEM.clock,
    },
  );
  output.write(json ? toJsonLine(pulled) : `pulled ${String(pulled.count)} events\n`);
}

/** Resolves with whether every delivery that could be asked for was. Throws as `redeliverGithub` does. */
export async function collectGithubDeliveries(
  config: Config,
  options: GithubDeliveriesCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<boolean> {
  const { dryRun, json, to, pauseMs } = options;
  const { clock } = SYSTEM;
  const name = deliveriesPathOf(options).replaceAll(/[^\w.-]+/g, '-');
  const token = dryRun ? '' : requireCollectorToken(config);
  const { counts, listed, isComplete } = await redeliverGithub(options, {
    api: await openGithub(options, signal),
    state: openStateFile(options.state ?? stateOf(config, `github-deliveries-${name}`)),
    delivery: dryRun ? undefined : openDelivery({ to, token, clock, signal }),
    clock,
    signal,
    pauseMs,
  });
  output.write(json ? toJsonLine(counts) : describeRedelivery(counts, listed));
  return isComplete;
}

function describeRedelivery(
  { read_count, failed_count, lost_count, asked_count }: RedeliveryCounts,
  listed: readonly DeliveryAttempt[],
): string {
  const lines = listed.map(({ guid, event, status_code }) => `${guid} ${event} ${String(status_code)}\n`);
  return `${String(read_count)} deliveries read, ${String(failed_count)} without success, ${String(asked_count)} asked for again, ${String(lost_count)} lost\n${lines.join('')}`;
}

async function openGithub({ apiUrl, tokenFile }: GithubCommandOptions, signal: AbortSignal) {
  return openGithubApi({ apiUrl, token: await readSecret(tokenFile), clock: SYSTEM.clock, signal });
}

async function readSecret(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim();
}

function stateOf({ data }: Config, name: string): string {
  return join(data, 'collect', `${name}.json`);
}
