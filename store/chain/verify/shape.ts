/** Text of untrusted files into checked values. Nothing here throws for what a file may hold. */
import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { canonicalJson } from '../../../schemas/canonical.ts';
import type { JsonValue } from '../../../schemas/json.ts';

const compiled = new WeakMap<TSchema, Validator>();

/**
 * The value of a text that is the canonical JSON of something of this shape, else undefined. Asking for the
 * canonical form leaves one text per value: no white space, member order or duplicate member can hide anything.
 */
export function parseCanonical<Schema extends TSchema>(
  schema: Schema,
  text: string,
): Static<Schema> | undefined {
  const value = parseJson(text);
  if (value === undefined || !matches(schema, value)) return undefined;
  try {
    return canonicalJson(value) === text ? value : undefined;
  } catch {
    // A number or string without canonical form, or nesting beyond the stack.
    return undefined;
  }
}

/** As `parseCanonical`, for files that need not be canonical because a digest covers their bytes. */
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
