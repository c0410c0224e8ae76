/** Finds webhook deliveries of GitHub that never arrived and asks for them again, because GitHub does not retry. */
import { setTimeout as delay } from 'node:timers/promises';
import { Type, type Static } from 'typebox';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { InstantUtc } from '../../schemas/primitives.ts';
import { compileValidator } from '../../schemas/validate.ts';
import type { Delivery } from '../send/delivery.ts';
import { parseAs } from '../send/http.ts';
import { readState, writeState, type StateFile } from './cursor.ts';
import type { GithubApi } from './github-api.ts';
import { toPulledEvent } from './pulled.ts';

/** One webhook, as the command line names it. */
export interface WebhookScope {
  /** `owner/name`; or an organisation; or the app that the token belongs to. */
  readonly repo?: string | undefined;
  readonly org?: string | undefined;
  readonly app?: boolean | undefined;
  /** Number of the webhook; an app has only one. */
  readonly hook?: string | undefined;
}

export interface RedeliveryPorts {
  readonly api: GithubApi;
  readonly state: StateFile;
  /** Undefined in a dry run, which asks for nothing and sends nothing. */
  readonly delivery: Delivery | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Between two requests for a redelivery: GitHub asks for a second. @default 1000 */
  readonly pauseMs?: number | undefined;
}

/** The counts of a run. */
export interface RedeliveryCounts {
  readonly hook: string;
  readonly read_count: number;
  readonly failed_count: number;
  readonly lost_count: number;
  readonly asked_count: number;
}

export interface Redelivered {
  readonly counts: RedeliveryCounts;
  /** Deliveries that GitHub would not send again; in a dry run those that would have been asked for. */
  readonly listed: readonly DeliveryAttempt[];
  /** Whether every delivery that could be asked for was. */
  readonly isComplete: boolean;
}

/** The members of an attempt that are read; `status_code` is 0 if nobody answered. */
const Attempts = Type.Array(
  Type.Object({
    id: Type.Union([Type.String(), Type.Integer()]),
    guid: Type.String(),
    delivered_at: Type.String(),
    status_code: Type.Integer(),
    event: Type.String(),
  }),
);
export type DeliveryAttempt = Static<typeof Attempts>[number];
const readAttempts = compileValidator(Attempts);

const State = Type.Object({ lost_before: InstantUtc });

/** One delivery: its newest attempt, and whether any attempt was answered with success. */
interface KnownDelivery {
  readonly newest: DeliveryAttempt;
  readonly isAnswered: boolean;
}

/** GitHub sends a delivery again only within three days. */
const REDELIVERABLE_MS = 3 * 24 * 60 * 60_000;
/** Between two requests for a redelivery. */
const PAUSE_MS = 1_000;

/**
 * One run: reads the attempts, asks for each delivery that was never answered with success, and reports each delivery
 * that is too old to be asked for once, as `collector.loss`. A delivery keeps its id, so one that arrives twice is one
 * record. Throws STORE_UNAVAILABLE if GitHub or the receivers do not answer as they should.
 */
export async function redeliverGithub(scope: WebhookScope, ports: RedeliveryPorts): Promise<Redelivered> {
  const hook = deliveriesPathOf(scope);
  const { api, state, delivery, clock } = ports;
  const start = await readState(state, State);
  const now = clock();
  const deliveries = await readDeliveries(api, hook, start?.lost_before);
  const failed = [...deliveries.values()].filter(({ isAnswered }) => !isAnswered).map(({ newest }) => newest);
  const isOld = ({ delivered_at }: DeliveryAttempt) => Date.parse(delivered_at) < now - REDELIVERABLE_MS;
  const lost = failed.filter(isOld);
  const open = failed.filter((attempt) => !isOld(attempt));
  const counts = { hook, read_count: deliveries.size, failed_count: failed.length, lost_count: lost.length };
  if (delivery === undefined) {
    return { counts: { ...counts, asked_count: 0 }, listed: open, isComplete: true };
  }
  const refused = await redeliver(ports, hook, open);
  const report = { ...counts, asked_count: open.length - refused.length };
  if (lost.length > 0) await postEvent(delivery, toLossEvent(hook, lost));
  await postEvent(delivery, toPulledEvent('github-deliveries', report, clock));
  await writeState(state, { lost_before: toInstant(now - REDELIVERABLE_MS) });
  return { counts: report, listed: refused, isComplete: refused.length === 0 };
}

async function postEvent(delivery: Delivery, bytes: Buffer<ArrayBuffer>): Promise<void> {
  const { kind } = await delivery.post('/v1/events', { contentType: 'application/json', bytes });
  if (kind !== 'accepted') throw new PipelineError('STORE_UNAVAILABLE', `the report was ${kind}`);
}

/** The path of a webhook's deliveries. Throws USAGE_INVALID unless exactly one webhook is named. */
export function deliveriesPathOf({ repo, org, app = false, hook }: WebhookScope): string {
  const isName = (text: string) => /^[\w.-]{1,100}$/.test(text);
  const named = [repo, org, app ? 'app' : undefined].filter((one) => one !== undefined);
  if (named.length !== 1) throw new PipelineError('USAGE_INVALID', 'give one of --repo, --org and --app');
  if (app) return '/app/hook/deliveries';
  if (hook === undefined || !/^[1-9][0-9]{0,18}$/.test(hook)) {
    throw new PipelineError('USAGE_INVALID', '--hook is the number of the webhook');
  }
  if (org !== undefined && isName(org)) return `/orgs/${org}/hooks/${hook}/deliveries`;
  const parts = (repo ?? '').split('/');
  if (parts.length === 2 && parts.every(isName)) return `/repos/${parts.join('/')}/hooks/${hook}/deliveries`;
  throw new PipelineError('USAGE_INVALID', '--repo is OWNER/NAME, --org is a name');
}

/** Deliveries by the id that their attempts share. GitHub lists the newest attempt first. */
async function readDeliveries(
  api: GithubApi,
  path: string,
  from: string | undefined,
): Promise<Map<string, KnownDelivery>> {
  const found = new Map<string, KnownDelivery>();
  let url: URL | undefined = api.urlOf(path, { per_page: '100' });
  while (url !== undefined) {
    const { bytes, next } = await api.page(url);
    const attempts = parseAttempts(bytes);
    for (const attempt of attempts) found.set(attempt.guid, withAttempt(found.get(attempt.guid), attempt));
    const oldest = attempts.at(-1)?.delivered_at;
    const isEnough = from !== undefined && oldest !== undefined && Date.parse(oldest) < Date.parse(from);
    url = isEnough ? undefined : next;
  }
  // Older deliveries were reported by the run before.
  if (from === undefined) return found;
  return new Map([...found].filter(([, { newest }]) => Date.parse(newest.delivered_at) >= Date.parse(from)));
}

function withAttempt(known: KnownDelivery | undefined, attempt: DeliveryAttempt): KnownDelivery {
  const isAnswered = attempt.status_code >= 200 && attempt.status_code < 300;
  return { newest: known?.newest ?? attempt, isAnswered: isAnswered || known?.isAnswered === true };
}

function parseAttempts(bytes: Buffer): DeliveryAttempt[] {
  // The ids of attempts have more digits than a double keeps.
  const text = bytes.toString('utf8').replaceAll(/"id"(\s*:\s*)([0-9]{16,20})/g, '"id"$1"$2"');
  const attempts = parseAs(readAttempts, text);
  // The error has no cause, because a cause may quote the page.
  if (attempts !== undefined) return attempts;
  throw new PipelineError('STORE_UNAVAILABLE', 'a page of deliveries does not have the documented shape');
}

/** Resolves with the attempts that GitHub would not send again. */
async function redeliver(
  { api, signal, pauseMs = PAUSE_MS }: RedeliveryPorts,
  path: string,
  attempts: readonly DeliveryAttempt[],
): Promise<DeliveryAttempt[]> {
  const refused: DeliveryAttempt[] = [];
  for (const attempt of attempts) {
    const status = await api.ask(api.urlOf(`${path}/${String(attempt.id)}/attempts`));
    if (status !== 202) refused.push(attempt);
    await delay(pauseMs, undefined, { signal });
  }
  return refused;
}

/**
 * A run that dies before it writes its state reports the same loss again. The event carries nothing of the run, so that
 * both reports are the same event.
 */
function toLossEvent(hook: string, lost: readonly DeliveryAttempt[]): Buffer<ArrayBuffer> {
  const newest = lost[0];
  const deliveries = lost.map(({ guid, event, delivered_at, status_code }) => {
    return { guid, event, delivered_at, status_code };
  });
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
