import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static, type TSchema } from 'typebox';
import type { JsonValue } from '../../schemas/json.ts';
import { decodeCursor, encodeCursor, type CursorScope } from './cursor.ts';

/** Query members of every list. */
export const PageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  cursor: Type.Optional(Type.String({ maxLength: 4096, description: 'next_cursor of the page before' })),
};

/** The shape of every list answer. */
export function pageOf<Item extends TSchema>(item: Item) {
  return Type.Object({
    data: Type.Array(item),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
    has_more: Type.Boolean(),
  });
}

export interface Page<Item> {
  readonly data: readonly Item[];
  readonly next_cursor: string | null;
  readonly has_more: boolean;
}

/** A list as its route defines it: what its cursors hold, how to read rows after one, and how to show a row. */
export interface PageSource<Row, Position extends TSchema, Item> {
  readonly scope: CursorScope;
  readonly position: Position;
  /** At most `limit` rows after the position, in the order of the list. */
  read(after: Static<Position> | undefined, limit: number): Promise<readonly Row[]>;
  positionOf(row: Row): Static<Position> & JsonValue;
  toItem(row: Row): Item;
}

/** Reads one page, and one row more than it shows, so that `has_more` is exact. */
export async function readPage<Row, Position extends TSchema, Item>(
  query: { readonly limit: number; readonly cursor?: string },
  source: PageSource<Row, Position, Item>,
): Promise<Page<Item>> {
  const after =
    query.cursor === undefined ? undefined : decodeCursor(source.scope, query.cursor, source.position);
  const rows = await source.read(after, query.limit + 1);
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  const has_more = rows.length > shown.length;
  return {
    data: shown.map((row) => source.toItem(row)),
    next_cursor: has_more && last !== undefined ? encodeCursor(source.scope, source.positionOf(last)) : null,
    has_more,
  };
}

/** Names the next page in the Link header too (RFC 8288), for clients that follow links. */
export function linkNextPage(
  request: Pick<FastifyRequest, 'url'>,
  reply: FastifyReply,
  page: Page<unknown>,
): void {
  if (page.next_cursor === null) return;
  const next = new URL(request.url, 'http://relative.invalid');
  next.searchParams.set('cursor', page.next_cursor);
  void reply.header('link', `<${next.pathname}${next.search}>; rel="next"`);
}
