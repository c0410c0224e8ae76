/** Pulls the audit log of a GitHub organisation or enterprise: pages in, the same bytes posted to the receivers. */
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { readCursor, writeCursor, type Cursor } from '../../app/cursor.ts';
import type { Config } from '../../config.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { openDelivery, requireCollectorToken, toPulledEvent, type CollectedBody } from './delivery.ts';
import { openGithubApi, type GithubApi, type GithubApiOptions } from './github-api.ts';
import { toJsonLine, type Output } from '../output.ts';

export interface GithubAuditLogOptions extends GithubApiOptions {
  readonly org?: string;
  readonly enterprise?: string;
  /** Base URL of the receivers. */
  readonly to: string;
  readonly cursor?: string;
  /** Where the first pull begins. */
  readonly since?: string;
  /** Narrows what is pulled, in GitHub's own search words. */
  readonly phrase?: string;
  readonly include: string;
  readonly json: boolean;
}

/** What is read of an event here; the receivers get the page's bytes. Times are milliseconds since 1970. */
const Events = Type.Array(
  Type.Object({
    _document_id: Type.String({ minLength: 1 }),
    '@timestamp': Type.Optional(Type.Number()),
    created_at: Type.Optional(Type.Number()),
  }),
);
type Events = Static<typeof Events>;

/** An event may show up late; what comes twice is one record. */
const OVERLAP_MS = 60 * 60_000;

/**
 * One pull, from the cursor to the newest event. The cursor moves only after the log has a page on stable storage, so
 * that a pull which dies is repeated from there. Ends with a record `collector.pulled`. Throws STORE_UNAVAILABLE if
 * either side does not do as asked.
 */
export async function collectGithubAuditLog(
  config: Config,
  options: GithubAuditLogOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { path, name } = scopeOf(options);
  const token = requireCollectorToken(config);
  const file = options.cursor ?? join(config.data, 'collect', `github-audit-log-${name}.json`);
  const start = await readCursor(file);
  const api = await openGithubApi(options, { signal });
  const delivery = openDelivery({ to: options.to, token, signal });
  const post = async (route: string, body: CollectedBody): Promise<number> => {
    const delivered = await delivery.post(route, body);
    if (delivered.kind === 'accepted') return delivered.quarantined;
    const why = delivered.kind === 'refused' ? `refused with ${delivered.code}` : 'stopped';
    throw new PipelineError('STORE_UNAVAILABLE', `a page for ${route} was ${why}`);
  };
  let newest = start;
  let [count, quarantined_count] = [0, 0];
  for await (const { bytes, events } of readPages(api, path, queryOf(options, start))) {
    if (events.length === 0) continue;
    quarantined_count += await post('/v1/activities/github', { contentType: 'application/json', bytes });
    newest = newestOf(events, newest);
    if (newest !== undefined) await writeCursor(file, newest);
    count += events.length;
  }
  const told = {
    of: name,
    start_cursor: start?.id ?? null,
    last_id: newest?.id ?? null,
    count,
    quarantined_count,
  };
  const pulled = toPulledEvent('github-audit-log', told);
  await post('/v1/events', { contentType: 'application/json', bytes: pulled });
  output.write(options.json ? toJsonLine(told) : `pulled ${String(count)} events\n`);
}

/** Throws CONFIG_INVALID for what names no audit log, or two. */
function scopeOf({ org, enterprise, include }: GithubAuditLogOptions): { path: string; name: string } {
  if (!['web', 'git', 'all'].includes(include)) {
    throw new PipelineError('CONFIG_INVALID', '--include is web, git or all');
  }
  const name = org ?? enterprise ?? '';
  if ((org === undefined) === (enterprise === undefined) || !/^[\w.-]{1,100}$/.test(name)) {
    throw new PipelineError('CONFIG_INVALID', 'give one of --org and --enterprise, by its name');
  }
  const kind = org === undefined ? 'enterprises' : 'orgs';
  return { path: `/${kind}/${name}/audit-log`, name: `${kind}-${name}` };
}

function queryOf(
  { include, phrase, since }: GithubAuditLogOptions,
  start: Cursor | undefined,
): Record<string, string> {
  const from = start === undefined ? since : toInstant(Date.parse(start.created_at) - OVERLAP_MS);
  const words = [
    ...(phrase === undefined ? [] : [phrase]),
    ...(from === undefined ? [] : [`created:>=${toSecond(from)}`]),
  ];
  return {
    include,
    order: 'asc',
    per_page: '100',
    ...(words.length === 0 ? {} : { phrase: words.join(' ') }),
  };
}

/** As GitHub's search takes instants. Throws CONFIG_INVALID for what is none. */
function toSecond(instant: string): string {
  const ms = Date.parse(instant);
  if (Number.isNaN(ms)) throw new PipelineError('CONFIG_INVALID', '--since is an instant');
  return `${new Date(ms).toISOString().slice(0, 19)}+00:00`;
}

interface Page {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly events: Events;
}

async function* readPages(api: GithubApi, path: string, query: Record<string, string>): AsyncGenerator<Page> {
  let url: URL | undefined = api.urlOf(path, query);
  while (url !== undefined) {
    const { bytes, next } = await api.page(url);
    yield { bytes, events: parseEvents(bytes) };
    if (next?.href === url.href) throw new PipelineError('STORE_UNAVAILABLE', 'a page leads no further');
    url = next;
  }
}

function parseEvents(bytes: Buffer): Events {
  try {
    return Value.Parse(Events, JSON.parse(bytes.toString('utf8')));
  } catch {
    // Without its cause, which may quote the page.
    throw new PipelineError('STORE_UNAVAILABLE', 'a page of the audit log is none');
  }
}

function newestOf(events: Events, before: Cursor | undefined): Cursor | undefined {
  return events.reduce<Cursor | undefined>((newest, event) => {
    const atMs = event['@timestamp'] ?? event.created_at;
    if (atMs === undefined || !(Math.abs(atMs) < 8.64e15)) return newest;
    return newest === undefined || atMs >= Date.parse(newest.created_at)
      ? { created_at: toInstant(atMs), id: event._document_id }
      : newest;
  }, before);
}
