import { createHash } from 'node:crypto';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { canonicalJson } from '../../schemas/canonical.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { isJsonObject, type JsonValue } from '../../schemas/json.ts';

const SCOPE_HEX_DIGITS = 16;

/** The list that a cursor continues: its route and every filter. The page size is left out, since a client may change it. */
export type CursorScope = Readonly<Record<string, JsonValue | undefined>>;

/**
 * Opaque text for "after this row of this list". It holds the sort key of the last row, so that later inserts neither
 * repeat nor hide rows. It gives no rights, because every request brings its filters and its token.
 */
export function encodeCursor(scope: CursorScope, after: JsonValue): string {
  return Buffer.from(JSON.stringify({ v: 1, scope: scopeDigest(scope), after })).toString('base64url');
}

/** The sort key inside a cursor; CURSOR_INVALID if it was not made by `encodeCursor` for the same scope and shape. */
export function decodeCursor<Schema extends TSchema>(
  scope: CursorScope,
  text: string,
  schema: Schema,
): Static<Schema> {
  const cursor = parseCursor(text);
  if (cursor?.['v'] !== 1) throw new PipelineError('CURSOR_INVALID', 'the cursor was not issued by this API');
  if (cursor['scope'] !== scopeDigest(scope)) {
    throw new PipelineError('CURSOR_INVALID', 'the cursor belongs to another list or other filters');
  }
  const after: unknown = cursor['after'];
  if (!Value.Check(schema, after)) {
    throw new PipelineError('CURSOR_INVALID', 'the cursor was not issued by this API');
  }
  return after;
}

function parseCursor(text: string): Readonly<Record<string, JsonValue>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function scopeDigest(scope: CursorScope): string {
  const present = Object.entries(scope).filter(([, value]) => value !== undefined) as [string, JsonValue][];
  const text = canonicalJson(Object.fromEntries(present));
  return createHash('sha256').update(text).digest('hex').slice(0, SCOPE_HEX_DIGITS);
}
