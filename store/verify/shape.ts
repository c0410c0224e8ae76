/** Text of untrusted files into checked values. Never throws, even for hostile text. */
import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { JsonValue } from '../../schemas/json.ts';
import { isCanonicalJson } from '../chain/canonical-bytes.ts';

const compiled = new WeakMap<TSchema, Validator>();

/**
 * The value of a text that is canonical JSON and of this shape, else undefined. The canonical form leaves one text per
 * value: no white space, member order or duplicate member can hide anything. Bytes are read as UTF-8.
 */
export function parseCanonical<Schema extends TSchema>(
  schema: Schema,
  text: string | Buffer,
): Static<Schema> | undefined {
  if (typeof text === 'string' && !text.isWellFormed()) return undefined;
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return isCanonicalJson(bytes) ? parseShape(schema, bytes.toString('utf8')) : undefined;
}

/** As `parseCanonical`, for files whose bytes a digest covers, so that they need not be canonical. */
export function parseShape<Schema extends TSchema>(schema: Schema, text: string): Static<Schema> | undefined {
  const value = parseJson(text);
  return value !== undefined && matches(schema, value) ? value : undefined;
}

function matches<Schema extends TSchema>(schema: Schema, value: unknown): value is Static<Schema> {
  const known = compiled.get(schema);
  const validator = known ?? Compile(schema);
  if (known === undefined) compiled.set(schema, validator);
  return validator.Check(value);
}

function parseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
