import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { Static, TSchema } from 'typebox';
import { escapePointer } from './json-pointer.ts';

/** One member of a value that its schema refuses. */
export interface ShapeProblem {
  /** JSON pointer, '' for the whole value. */
  readonly pointer: string;
  readonly message: string;
}

export type Validated<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly ShapeProblem[] };

/**
 * Compiles a schema once. The check reports every problem, not only the first. With `fillDefaults` the check adds the
 * schema's defaults to the given value.
 */
export function compileValidator<S extends TSchema>(
  schema: S,
  { fillDefaults = false }: { readonly fillDefaults?: boolean } = {},
): (value: unknown) => Validated<Static<S>> {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    useDefaults: fillDefaults,
    allowUnionTypes: true,
  });
  const check = ajv.compile<Static<S>>(schema);
  return (value) =>
    check(value) ? { ok: true, value } : { ok: false, problems: (check.errors ?? []).map(toShapeProblem) };
}

function toShapeProblem({ instancePath, keyword, message, params }: ErrorObject): ShapeProblem {
  const named = params as { additionalProperty?: string; missingProperty?: string };
  const member = named.additionalProperty ?? named.missingProperty;
  const pointer = member === undefined ? instancePath : `${instancePath}/${escapePointer(member)}`;
  if (keyword === 'additionalProperties') return { pointer, message: 'is not a known member' };
  if (keyword === 'required') return { pointer, message: 'is missing' };
  return { pointer, message: message ?? keyword };
}
