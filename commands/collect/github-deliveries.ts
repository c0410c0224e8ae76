/** Finds webhook deliveries of GitHub that never arrived, and asks for them again: GitHub does not by itself. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { readState, writeState } from '../../app/cursor.ts';
import { systemClock } from '../../app/paths.ts';
import type { Config } from '../../config.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { InstantUtc } from '../../schemas/primitives.ts';
import { openDelivery, requireCollectorToken, toPulledEvent } from './delivery.ts';
import { openGithubApi, type GithubApi, type GithubApiOptions } from './github-api.ts';
import { toJsonLine, type Output } from '../output.ts';

export interface GithubDeliveriesOptions extends GithubApiOptions {
  /** `owner/name`; or an organisation; or the app that the token is of. */
  readonly repo?: string;
  readonly org?: string;
  readonly app?: boolean;
  /** Number of the webhook; an app has one only. */
  readonly hook?: string;
  /** Base URL of the receivers. */
  readonly to: string;
  readonly state?: string;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** Between two requests for a redelivery: GitHub asks for a second. @default 1000 */
  readonly pauseMs?: number;
}

/** What is read of an attempt; `status_code` is 0 where nobody answered. */
const Attempts = Type.Array(
  Type.Object({
    id: Type.Union([Type.String(), Type.Integer()]),
    guid: Type.String(),
    delivered_at: Type.String(),
    status_code: Type.Integer(),
    event: Type.String(),
  }),
);
type Attempt = Static<typeof Attempts>[number];

const State = Type.Object({ lost_before: InstantUtc });

/** All that is known of one delivery: its newest attempt, and whether any was answered with success. */
interface Delivered {
  readonly newest: Attempt;
  readonly isAnswered: boolean;
}

/** GitHub delivers again what it tried within three days. */
const REDELIVERABLE_MS = 3 * 24 * 60 * 60_000;
const PAUSE_MS = 1_000;

/**
 * One run: reads what was tried, asks for each delivery that was never answered with success, and tells what is too old
 * to be asked for as `collector.loss`, once. Each delivery keeps its id, so one that arrives twice is one record.
 * Resolves with whether all that could be asked for was. Throws STORE_UNAVAILABLE if either side does not do as asked.
 */
export async function collectGithubDeliveries(
  config: Config,
  options: GithubDeliveriesOptions,
  output: Output,
  signal: AbortSignal,
): Promise<boolean> {
  const hook = pathOf(options);
  const file =
    options.state ??
    join(config.data, 'collect', `github-deliveries-${hook.replaceAll(/[^\w.-]+/g, '-')}.json`);
  const token = options.dryRun ? '' : requireCollectorToken(config);
  const api = await openGithubApi(options, { signal });
  const start = await readState(file, State);
  const now = systemClock();
  const deliveries = await readDeliveries(api, hook, start?.lost_before);
  const failed = [...deliveries.values()].filter(({ isAnswered }) => !isAnswered).map(({ newest }) => newest);
  const isOld = ({ delivered_at }: Attempt) => Date.parse(delivered_at) < now - REDELIVERABLE_MS;
  const [lost, open] = [failed.filter(isOld), failed.filter((attempt) => !isOld(attempt))];
  const refused = options.dryRun ? [] : await redeliver(api, hook, open, { signal, ...pauseOf(options) });
  const counts = { read_count: deliveries.size, failed_count: failed.length, lost_count: lost.length };
  const told = { hook, ...counts, asked_count: options.dryRun ? 0 : open.length - refused.length };
  if (!options.dryRun) {
    const delivery = openDelivery({ to: options.to, token, signal });
    const tell = async (bytes: Buffer<ArrayBuffer>) => {
      const { kind } = await delivery.post('/v1/events', { contentType: 'application/json', bytes });
      if (kind !== 'accepted') throw new PipelineError('STORE_UNAVAILABLE', `the report was ${kind}`);
    };
    if (lost.length > 0) await tell(toLossEvent(hook, lost));
    await tell(toPulledEvent('github-deliveries', told));
    await writeState(file, { lost_before: toInstant(now - REDELIVERABLE_MS) });
  }
  output.write(options.json ? toJsonLine(told) : inWords(told, options.dryRun ? open : refused));
  return refused.length === 0;
}

/** The path of a webhook's deliveries. Throws CONFIG_INVALID for what names none, or several. */
function pathOf({ repo, org, app = false, hook }: GithubDeliveriesOptions): string {
  const isName = (text: string) => /^[\w.-]{1,100}$/.test(text);
  const named = [repo, org, app ? 'app' : undefined].filter((one) => one !== undefined);
  if (named.length !== 1) throw new PipelineError('CONFIG_INVALID', 'give one of --repo, --org and --app');
  if (app) return '/app/hook/deliveries';
  if (hook === undefined || !/^[1-9][0-9]{0,18}$/.test(hook)) {
    throw new PipelineError('CONFIG_INVALID', '--hook is the number of the webhook');
  }
  if (org !== undefined && isName(org)) return `/orgs/${org}/hooks/${hook}/deliveries`;
  const parts = (repo ?? '').split('/');
  if (parts.length === 2 && parts.every(isName)) return `/repos/${parts.join('/')}/hooks/${hook}/deliveries`;
  throw new PipelineError('CONFIG_INVALID', '--repo is OWNER/NAME, --org is a name');
}

/** By the id that GitHub gives a delivery, whose attempts share it. The list begins with the newest attempt. */
async function readDeliveries(
  api: GithubApi,
  path: string,
  from: string | undefined,
): Promise<Map<string, Delivered>> {
  const found = new Map<string, Delivered>();
  let url: URL | undefined = api.urlOf(path, { per_page: '100' });
  while (url !== undefined) {
    const { bytes, next } = await api.page(url);
    const attempts = parseAttempts(bytes);
    for (const attempt of attempts) found.set(attempt.guid, withAttempt(found.get(attempt.guid), attempt));
    const oldest = attempts.at(-1)?.delivered_at;
    const isEnough = from !== undefined && oldest !== undefined && Date.parse(oldest) < Date.parse(from);
    url = isEnough ? undefined : next;
  }
  // What was older when it was last looked for has been told already.
  if (from === undefined) return found;
  return new Map([...found].filter(([, { newest }]) => Date.parse(newest.delivered_at) >= Date.parse(from)));
}

function withAttempt(known: Delivered | undefined, attempt: Attempt): Delivered {
  const isAnswered = attempt.status_code >= 200 && attempt.status_code < 300;
  return { newest: known?.newest ?? attempt, isAnswered: isAnswered || known?.isAnswered === true };
}

function parseAttempts(bytes: Buffer): Attempt[] {
  // Numbers of attempts are longer than a double is exact.
  const text = bytes.toString('utf8').replaceAll(/"id"(\s*:\s*)([0-9]{16,20})/g, '"id"$1"$2"');
  try {
    return Value.Parse(Attempts, JSON.parse(text));
  } catch {
    // Without its cause, which may quote the page.
    throw new PipelineError('STORE_UNAVAILABLE', 'a page of deliveries is none');
  }
}

/** Resolves with those that GitHub would not send again. */
async function redeliver(
  api: GithubApi,
  path: string,
  attempts: readonly Attempt[],
  { signal, pauseMs = PAUSE_MS }: { readonly signal: AbortSignal; readonly pauseMs?: number },
): Promise<Attempt[]> {
  const refused: Attempt[] = [];
  for (const attempt of attempts) {
    const status = await api.ask(api.urlOf(`${path}/${String(attempt.id)}/attempts`));
    if (status !== 202) refused.push(attempt);
    await delay(pauseMs, undefined, { signal });
  }
  return refused;
}

function pauseOf({ pauseMs }: GithubDeliveriesOptions): { pauseMs?: number } {
  return pauseMs === undefined ? {} : { pauseMs };
}

/** The same loss, told again because the run died before it was noted, is the same event: it has no time of the run. */
function toLossEvent(hook: string, lost: readonly Attempt[]): Buffer<ArrayBuffer> {
  const newest = lost[0];
  const deliveries = lost.map(({ guid, event, delivered_at, status_code }) => ({
    ...{ guid, event, delivered_at, status_code },
  }));
  const event = {
    type: 'collector.loss',
    event_id: `github-deliveries ${newest?.guid ?? ''} ${String(lost.length)}`,
    occurred_at: toInstant(Date.parse(newest?.delivered_at ?? '') + REDELIVERABLE_MS),
    facts: {
      reason: 'github_delivery_too_old',
      metric_name: 'affidavit.github.lost_deliveries',
      metric_value: String(lost.length),
    },
    content: { source: 'github-deliveries', hook, lost_count: lost.length, deliveries },
  };
  return Buffer.from(JSON.stringify(event));
}

function inWords(
  told: { read_count: number; failed_count: number; lost_count: number; asked_count: number },
  named: readonly Attempt[],
): string {
  const { read_count, failed_count, lost_count, asked_count } = told;
  const lines = named.map(({ guid, event, status_code }) => `${guid} ${event} ${String(status_code)}\n`);
  return `${String(read_count)} deliveries read, ${String(failed_count)} without success, ${String(asked_count)} asked for again, ${String(lost_count)} lost\n${lines.join('')}`;
}
