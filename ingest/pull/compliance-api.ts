/** Pulls the activities that a platform keeps of itself: pages in, the same bytes posted to the receivers. */
import { Type, type Static } from 'typebox';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { compileValidator } from '../../schemas/validate.ts';
import { parseAs } from '../send/http.ts';
import { readCursor, writeCursor, type Cursor, type StateFile } from './cursor.ts';
import { toPulledEvent } from './pulled.ts';

export interface ComplianceApiOptions {
  /** Base URL of the platform. */
  readonly url: string;
  /** The platform's key. */
  readonly key: string;
  /** Where the first pull begins. @default the oldest activity */
  readonly since: string | undefined;
  readonly pageSize: number;
}

export interface ComplianceApiPorts {
  readonly cursor: StateFile;
  /** Posts a JSON body to a route. Resolves when the log has it, rejects otherwise. */
  readonly post: (path: string, body: Buffer<ArrayBuffer>) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How far a pull came. */
export interface ComplianceApiPulled {
  readonly start_cursor: string | null;
  readonly last_id: string | null;
  readonly count: number;
}

/** The members of a page that are read here; the receivers get its bytes. */
const Page = Type.Object({
  data: Type.Array(Type.Object({ id: Type.String(), created_at: Type.String() })),
  has_more: Type.Boolean(),
  last_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});
type Page = Static<typeof Page>;
const readPageShape = compileValidator(Page);

/** Each pull begins so long before its cursor: an activity may appear late, and the same activity is one record. */
const OVERLAP_MS = 15 * 60_000;
/** How long the platform may take for one page. */
const PAGE_TIMEOUT_MS = 60_000;

/**
 * One pull, from the cursor to the newest activity. The cursor moves only after the log has a page on stable storage,
 * so that a pull which dies is repeated from there. Ends with a record `collector.pulled`. Throws STORE_UNAVAILABLE if
 * the platform or the receivers do not answer as they should.
 */
export async function pullComplianceApi(
  options: ComplianceApiOptions,
  { cursor, post, clock, signal }: ComplianceApiPorts,
): Promise<ComplianceApiPulled> {
  const start = await readCursor(cursor);
  const from = start === undefined ? options.since : toInstant(Date.parse(start.created_at) - OVERLAP_MS);
  let newest = start;
  let count = 0;
  for await (const { bytes, page } of readPages(options, from, signal)) {
    if (page.data.length === 0) continue;
    await post('/v1/activities/anthropic', bytes);
    newest = newestOf(page, newest);
    if (newest !== undefined) await writeCursor(cursor, newest);
    count += page.data.length;
  }
  const pulled = { start_cursor: start?.id ?? null, last_id: newest?.id ?? null, count };
  await post('/v1/events', toPulledEvent('compliance-api', pulled, clock));
  return pulled;
}

interface PageBytes {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly page: Page;
}

async function* readPages(
  options: ComplianceApiOptions,
  from: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<PageBytes> {
  let after: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const read = await readPage(options, from, after);
    yield read;
    const { has_more, last_id } = read.page;
    if (!has_more) return;
    if (typeof last_id !== 'string' || last_id === after) throw unusable('a page leads no further');
    after = last_id;
  }
}

async function readPage(
  { url, key, pageSize }: ComplianceApiOptions,
  from: string | undefined,
  after: string | undefined,
): Promise<PageBytes> {
  const asked = new URL('/v1/compliance/activities', url);
  asked.searchParams.set('limit', String(pageSize));
  asked.searchParams.set('order', 'asc');
  if (from !== undefined) asked.searchParams.set('created_at.gte', from);
  if (after !== undefined) asked.searchParams.set('after_id', after);
  let bytes: Buffer<ArrayBuffer>;
  try {
    const answer = await fetch(asked, {
      headers: { 'x-api-key': key },
      signal: AbortSignal.timeout(PAGE_TIMEOUT_MS),
    });
    if (answer.status !== 200) throw unusable(`it answered ${String(answer.status)}`);
    bytes = Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    throw new PipelineError('STORE_UNAVAILABLE', `${asked.origin} does not answer`, { cause: error });
  }
  const page = parseAs(readPageShape, bytes.toString('utf8'));
  // The error has no cause, because a cause may quote the page.
  if (page === undefined) throw unusable('a page does not have the documented shape');
  return { bytes, page };
}

function unusable(what: string): PipelineError {
  return new PipelineError('STORE_UNAVAILABLE', `the compliance API is of no use: ${what}`);
}

/** An activity whose time cannot be read does not move the cursor. */
function newestOf({ data }: Page, before: Cursor | undefined): Cursor | undefined {
  return data.reduce<Cursor | undefined>((newest, { id, created_at }) => {
    const atMs = Date.parse(created_at);
    if (Number.isNaN(atMs)) return newest;
    return newest === undefined || atMs >= Date.parse(newest.created_at)
      ? { created_at: toInstant(atMs), id }
      : newest;
  }, before);
}
