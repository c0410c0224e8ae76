/** Pulls the audit log of a GitHub organisation or enterprise: pages in, the same bytes posted to the receivers. */
import { Type, type Static } from 'typebox';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { compileValidator } from '../../schemas/validate.ts';
import type { Delivery } from '../send/delivery.ts';
import { parseAs } from '../send/http.ts';
import { readCursor, writeCursor, type Cursor, type StateFile } from './cursor.ts';
import type { GithubApi } from './github-api.ts';
import { toPulledEvent } from './pulled.ts';

/** One audit log, as the command line names it. */
export interface AuditLogScope {
  readonly org?: string | undefined;
  readonly enterprise?: string | undefined;
}

export interface AuditLogFilter {
  /** `web`, `git` or `all`. */
  readonly include: string;
  /** Narrows the events, in GitHub's own search words. */
  readonly phrase?: string | undefined;
  /** Where the first pull begins. @default the oldest event */
  readonly since?: string | undefined;
}

export interface AuditLogPorts {
  readonly api: GithubApi;
  readonly cursor: StateFile;
  readonly delivery: Delivery;
  readonly clock: Clock;
}

/** How far a pull came. */
export interface AuditLogPulled {
  /** Name of the audit log. */
  readonly of: string;
  readonly start_cursor: string | null;
  readonly last_id: string | null;
  readonly count: number;
  readonly quarantined_count: number;
}

/** The members of an event that are read here; the receivers get the page's bytes. Times are milliseconds since 1970. */
const Events = Type.Array(
  Type.Object({
    _document_id: Type.String({ minLength: 1 }),
    '@timestamp': Type.Optional(Type.Number()),
    created_at: Type.Optional(Type.Number()),
  }),
);
type Events = Static<typeof Events>;
const readEvents = compileValidator(Events);

/** Each pull begins so long before its cursor: an event may appear late, and the same event is one record. */
const OVERLAP_MS = 60 * 60_000;
/** The largest distance from 1970 that a date can have, ECMA-262 section 21.4.1.1. */
const MAX_DATE_MS = 8.64e15;

/** The path and the name of an audit log. Throws USAGE_INVALID unless exactly one is named. */
export function auditLogOf({ org, enterprise }: AuditLogScope): { path: string; name: string } {
  const name = org ?? enterprise ?? '';
  if ((org === undefined) === (enterprise === undefined) || !/^[\w.-]{1,100}$/.test(name)) {
    throw new PipelineError('USAGE_INVALID', 'give one of --org and --enterprise, by its name');
  }
  const kind = org === undefined ? 'enterprises' : 'orgs';
  return { path: `/${kind}/${name}/audit-log`, name: `${kind}-${name}` };
}

/**
 * One pull, from the cursor to the newest event. The cursor moves only after the log has a page on stable storage, so
 * that a pull which dies is repeated from there. Ends with a record `collector.pulled`. Throws STORE_UNAVAILABLE if
 * GitHub or the receivers do not answer as they should.
 */
export async function pullGithubAuditLog(
  scope: AuditLogScope,
  filter: AuditLogFilter,
  { api, cursor, delivery, clock }: AuditLogPorts,
): Promise<AuditLogPulled> {
  const { path, name } = auditLogOf(scope);
  const start = await readCursor(cursor);
  const post = async (route: string, bytes: Buffer<ArrayBuffer>): Promise<number> => {
    const delivered = await delivery.post(route, { contentType: 'application/json', bytes });
    if (delivered.kind === 'accepted') return delivered.quarantined;
    const why = delivered.kind === 'refused' ? `refused with ${delivered.code}` : 'stopped';
    throw new PipelineError('STORE_UNAVAILABLE', `a page for ${route} was ${why}`);
  };
  let newest = start;
  let count = 0;
  let quarantined_count = 0;
  for await (const { bytes, events } of readPages(api, path, queryOf(filter, start))) {
    if (events.length === 0) continue;
    quarantined_count += await post('/v1/activities/github', bytes);
    newest = newestOf(events, newest);
    if (newest !== undefined) await writeCursor(cursor, newest);
    count += events.length;
  }
  const cursors = { start_cursor: start?.id ?? null, last_id: newest?.id ?? null };
  const pulled = { of: name, ...cursors, count, quarantined_count };
  await post('/v1/events', toPulledEvent('github-audit-log', pulled, clock));
  return pulled;
}

function queryOf(
  { include, phrase, since }: AuditLogFilter,
  start: Cursor | undefined,
): Record<string, string> {
  const from = start === undefined ? since : toInstant(Date.parse(start.created_at) - OVERLAP_MS);
  const words = [phrase, from === undefined ? undefined : `created:>=${toSecond(from)}`]
    .filter((word) => word !== undefined)
    .join(' ');
  return { include, order: 'asc', per_page: '100', ...(words === '' ? {} : { phrase: words }) };
}

/** An instant as GitHub's search reads it. Throws USAGE_INVALID for a text that is not an instant. */
function toSecond(instant: string): string {
  const ms = Date.parse(instant);
  if (Number.isNaN(ms)) throw new PipelineError('USAGE_INVALID', '--since is not an instant');
  return `${new Date(ms).toISOString().slice(0, 19)}+00:00`;
}

interface EventsPage {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly events: Events;
}

async function* readPages(
  api: GithubApi,
  path: string,
  query: Record<string, string>,
): AsyncGenerator<EventsPage> {
  let url: URL | undefined = api.urlOf(path, query);
  while (url !== undefined) {
    const { bytes, next } = await api.page(url);
    const events = parseAs(readEvents, bytes.toString('utf8'));
    // The error has no cause, because a cause may quote the page.
    if (events === undefined) {
      throw new PipelineError(
        'STORE_UNAVAILABLE',
        'a page of the audit log does not have the documented shape',
      );
    }
    yield { bytes, events };
    if (next?.href === url.href) throw new PipelineError('STORE_UNAVAILABLE', 'a page leads no further');
    url = next;
  }
}

/** An event without a usable time does not move the cursor. */
function newestOf(events: Events, before: Cursor | undefined): Cursor | undefined {
  return events.reduce<Cursor | undefined>((newest, event) => {
    const atMs = event['@timestamp'] ?? event.created_at;
    if (atMs === undefined || !(Math.abs(atMs) < MAX_DATE_MS)) return newest;
    return newest === undefined || atMs >= Date.parse(newest.created_at)
      ? { created_at: toInstant(atMs), id: event._document_id }
      : newest;
  }, before);
}
