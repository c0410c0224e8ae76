import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { ERRORS, PipelineError, type ErrorCode } from '../schemas/errors.ts';
import { toProblem, type ProblemPlace } from '../schemas/problem.ts';

const RETRY_AFTER_SECONDS = '5';

/** What fastify itself refuses, in our codes. What is not listed is INTERNAL. */
const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_BAD_URL: 'PARAMETER_INVALID',
  FST_ERR_MAX_PARAM_LENGTH: 'NOT_FOUND',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BODY_MALFORMED',
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'CONTENT_TYPE_UNSUPPORTED',
};

const FRAMEWORK_DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'the path does not decode',
  FST_ERR_MAX_PARAM_LENGTH: 'no id is as long as this',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body is empty',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as Content-Length says',
  FST_ERR_CTP_BODY_TOO_LARGE: 'this route takes small JSON bodies only',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'this route takes application/json',
};

/**
 * Answers any failure as an RFC 9457 problem and logs those that need an operator, once. Neither says more of an
 * unexpected error than its kind: messages of parsers and engines quote their input.
 */
export function sendProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toPipelineError(error);
  const places = validationPlaces(error);
  const problem = toProblem(known, request.id, places);
  if (problem.status >= 500) {
    const fields = { code: problem.code, detail: problem.detail, frames: framesOf(error) };
    if (known?.retry === 'later') request.log.warn(fields, 'request could not be served');
    else request.log.error(fields, 'request failed');
  }
  if (known?.retry === 'later') void reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply.code(problem.status).type('application/problem+json').send(problem);
}

/** A parameter that its schema cannot judge, refused in the shape of schema errors. */
export function parameterInvalid(pointer: string, message: string): PipelineError {
  return new PipelineError('PARAMETER_INVALID', message, { place: pointer });
}

function toPipelineError(error: FastifyError): PipelineError | undefined {
  if (error instanceof PipelineError) return error;
  if (error.validation !== undefined) {
    return new PipelineError(
      'PARAMETER_INVALID',
      `${String(error.validationContext)} does not fit the schema`,
    );
  }
  const code = FRAMEWORK_CODES[error.code];
  if (code === undefined) return undefined;
  return new PipelineError(code, FRAMEWORK_DETAILS[error.code] ?? ERRORS[code].title);
}

/** Pointers start with the part of the request: `/querystring/limit`, `/body/period/from`. */
function validationPlaces(error: FastifyError): ProblemPlace[] {
  const all = (error.validation ?? []).map((one) => ({ keyword: one.keyword, place: toPlace(one, error) }));
  // A union reports each of its members and then itself; only the last says something to a reader.
  const unions = new Set(all.filter(({ keyword }) => keyword === 'anyOf').map(({ place }) => place.pointer));
  return all
    .filter(({ keyword, place }) => keyword === 'anyOf' || !unions.has(place.pointer))
    .map(({ place }) => place);
}

function toPlace(one: FastifySchemaValidationError, error: FastifyError): ProblemPlace {
  const { additionalProperty, missingProperty } = one.params;
  const member = additionalProperty ?? missingProperty;
  const tail = typeof member === 'string' ? `/${pointerToken(member)}` : '';
  return {
    pointer: `/${String(error.validationContext)}${one.instancePath}${tail}`,
    message: messageOf(one),
  };
}

function messageOf(one: FastifySchemaValidationError): string {
  if (one.keyword === 'additionalProperties') return 'is not known here';
  if (one.keyword === 'required') return 'is required';
  if (one.keyword === 'anyOf') return 'is not one of the allowed values';
  return one.message ?? 'is not valid';
}

/** RFC 6901 section 4. */
function pointerToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Stack frames without the message line, causes included: where it broke, never with what. */
function framesOf(error: unknown): string[] {
  const frames: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    frames.push(at.name, ...(at.stack ?? '').split('\n').filter(isFrame).map(trim));
  }
  return frames;
}

function isFrame(line: string): boolean {
  return /^ {4}at /.test(line);
}

function trim(line: string): string {
  return line.trim();
}
