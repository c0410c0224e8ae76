/** Pulls what a platform keeps of itself into the event log: pages in, the same bytes posted to the receivers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { readCursor, writeCursor, type Cursor } from '../../app/cursor.ts';
import type { Config } from '../../config.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { requireCollectorToken, toPulledEvent } from './delivery.ts';
import { call, expectStatus } from '../http.ts';
import { toJsonLine, type Output } from '../output.ts';

export interface CollectOptions {
  /** Base URL of the platform. */
  readonly url: string;
  /** Holds the platform's key. */
  readonly keyFile: string;
  /** Base URL of the receivers. */
  readonly to: string;
  readonly cursor?: string;
  /** Where the first pull begins. */
  readonly since?: string;
  readonly pageSize: string;
  readonly json: boolean;
}

/** What is read of a page here; the receivers get its bytes. */
const Page = Type.Object({
  data: Type.Array(Type.Object({ id: Type.String(), created_at: Type.String() })),
  has_more: Type.Boolean(),
  last_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});
type Page = Static<typeof Page>;

/** An activity may show up to about a minute late; what comes twice is one record. */
const OVERLAP_MS = 15 * 60_000;
const TIMEOUT_MS = 60_000;
const MAX_PAGE_SIZE = 5000;

/**
 * One pull, from the cursor to the newest activity. The cursor moves only after the log has a page on stable storage,
 * so that a pull which dies is repeated from there. Ends with a record `collector.pulled`. Throws STORE_UNAVAILABLE if
 * either side does not do as asked.
 */
export async function collectComplianceApi(
  config: Config,
  options: CollectOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const token = requireToken(config, options);
  const file = options.cursor ?? join(config.data, 'collect', 'compliance-api.json');
  const start = await readCursor(file);
  const key = (await readFile(options.keyFile, 'utf8')).trim();
  const from = start === undefined ? options.since : toInstant(Date.parse(start.created_at) - OVERLAP_MS);
  let newest = start;
  let count = 0;
  for await (const { bytes, page } of readPages(options, { key, from }, signal)) {
    if (page.data.length === 0) continue;
    await send(options.to, token, '/v1/activities/anthropic', bytes);
    newest = newestOf(page, newest);
    if (newest !== undefined) await writeCursor(file, newest);
    count += page.data.length;
  }
  const told = { start_cursor: start?.id ?? null, last_id: newest?.id ?? null, count };
  await send(options.to, token, '/v1/events', toPulledEvent('compliance-api', told));
  output.write(options.json ? toJsonLine(told) : `pulled ${String(count)} activities\n`);
}

/** Throws CONFIG_INVALID for what would fail at either side. */
function requireToken(config: Config, { pageSize }: CollectOptions): string {
  if (!/^[1-9][0-9]{0,3}$/.test(pageSize) || Number(pageSize) > MAX_PAGE_SIZE) {
    throw new PipelineError('CONFIG_INVALID', `--page-size must be from 1 to ${String(MAX_PAGE_SIZE)}`);
  }
  return requireCollectorToken(config);
}

interface PageBytes {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly page: Page;
}

async function* readPages(
  options: CollectOptions,
  { key, from }: Omit<Place, 'after'>,
  signal: AbortSignal,
): AsyncGenerator<PageBytes> {
  let after: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const read = await readPage(options, { key, from, after });
    yield read;
    const { has_more, last_id } = read.page;
    if (!has_more) return;
    if (typeof last_id !== 'string' || last_id === after) throw unusable('a page leads no further');
    after = last_id;
  }
}

interface Place {
  readonly key: string;
  readonly from: string | undefined;
  readonly after: string | undefined;
}

async function readPage({ url, pageSize }: CollectOptions, { key, from, after }: Place): Promise<PageBytes> {
  const asked = new URL('/v1/compliance/activities', url);
  asked.searchParams.set('limit', pageSize);
  asked.searchParams.set('order', 'asc');
  if (from !== undefined) asked.searchParams.set('created_at.gte', from);
  if (after !== undefined) asked.searchParams.set('after_id', after);
  let bytes: Buffer<ArrayBuffer>;
  try {
    const answer = await fetch(asked, {
      headers: { 'x-api-key': key },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (answer.status !== 200) throw unusable(`it answered ${String(answer.status)}`);
    bytes = Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    throw new PipelineError('STORE_UNAVAILABLE', `${asked.origin} does not answer`, { cause: error });
  }
  try {
    return { bytes, page: Value.Parse(Page, JSON.parse(bytes.toString('utf8'))) };
  } catch {
    // Without its cause, which may quote the page.
    throw unusable('a page is none');
  }
}

function unusable(what: string): PipelineError {
  return new PipelineError('STORE_UNAVAILABLE', `the compliance API is of no use: ${what}`);
}

async function send(to: string, token: string, path: string, body: Buffer<ArrayBuffer>): Promise<void> {
  const url = `${to.replace(/\/+$/, '')}${path}`;
  await expectStatus(await call(url, { method: 'POST', token, contentType: 'application/json', body }), 200);
}

/** Times of one platform are written alike, so that their order is that of their text once they are read. */
function newestOf({ data }: Page, before: Cursor | undefined): Cursor | undefined {
  return data.reduce<Cursor | undefined>((newest, { id, created_at }) => {
    const atMs = Date.parse(created_at);
    if (Number.isNaN(atMs)) return newest;
    return newest === undefined || atMs >= Date.parse(newest.created_at)
      ? { created_at: toInstant(atMs), id }
      : newest;
  }, before);
}
