import { Type, type Static } from 'typebox';
import { ERRORS, PipelineError, type ErrorCode } from './errors.ts';
import type { ShapeProblem } from './validate.ts';

/** Error answer of every route (RFC 9457, `application/problem+json`). */
export const Problem = Type.Object({
  type: Type.String({ description: 'stable identifier of the kind of problem' }),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  instance: Type.String({ description: 'request id, as in the log' }),
  code: Type.String(),
  hint: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() }))),
});
export type Problem = Static<typeof Problem>;

/** The problem document of any failure. For an error that is not a PipelineError it gives no detail. */
export function toProblem(error: unknown, requestId: string, places: readonly ShapeProblem[] = []): Problem {
  const known = error instanceof PipelineError ? error : undefined;
  const code: ErrorCode = known?.code ?? 'INTERNAL';
  const entry = ERRORS[code];
  const named = known?.place === undefined ? [] : [{ pointer: known.place, message: known.detail }];
  const errors = [...named, ...places];
  return {
    type: `urn:affidavit:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: entry.title,
    status: entry.status,
    detail: known?.detail ?? 'the server could not complete this request',
    instance: requestId,
    code,
    hint: known?.hint ?? entry.hint,
    ...(errors.length > 0 ? { errors } : {}),
  };
}
