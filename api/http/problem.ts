import { ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { ERRORS, PipelineError, type ErrorCode } from '../../schemas/errors.ts';
import { escapePointer } from '../../schemas/json-pointer.ts';
import { toProblem } from '../../schemas/problem.ts';
import type { ShapeProblem } from '../../schemas/validate.ts';

const RETRY_AFTER_SECONDS = '5';
/** A client whose bytes were refused reads the answer within this time. Then its connection ends, even while it still sends. */
const REFUSED_GRACE_MS = 500;

/** Codes of fastify's own refusals, translated into ours. A code that is not listed becomes INTERNAL. */
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
  FST_ERR_MAX_PARAM_LENGTH: 'no id is this long',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body is empty',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as Content-Length says',
  FST_ERR_CTP_BODY_TOO_LARGE: 'this route takes small JSON bodies only',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'this route takes application/json',
};

/**
 * Answers any failure as an RFC 9457 problem, and logs those that need an operator, once. Answer and log line give only
 * the kind of an unexpected error, because messages of parsers and engines quote their input.
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

/**
 * Answers bytes that node does not take as an HTTP request with a problem document, and closes the connection. A
 * connection with a begun answer is only closed: a second answer inside the first would read as a part of it.
 */
export function refuseClient(error: { readonly code?: string }, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasBegunAnswer(socket)) {
    socket.destroy();
    return;
  }
  const problem = toProblem(clientRefusal(error.code), requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  const timer = setTimeout(() => socket.destroy(), REFUSED_GRACE_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Node ties the answer in hand to its socket under this name, and its default handler reads it in the same way. */
function hasBegunAnswer(socket: Socket & { readonly _httpMessage?: unknown }): boolean {
  const answer = socket._httpMessage;
  return answer instanceof ServerResponse && answer.headersSent;
}

function clientRefusal(code: string | undefined): PipelineError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new PipelineError('HEADERS_TOO_LARGE', 'the headers are larger than this server reads');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new PipelineError('REQUEST_TIMEOUT', 'the request was not complete in time');
    default:
      return new PipelineError('BODY_MALFORMED', 'this is not an HTTP request');
  }
}

/** Refusal of a parameter that a schema cannot judge, in the shape of a schema's refusal. */
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

/** Pointers begin with the part of the request: `/querystring/limit`, `/body/period/from`. */
function validationPlaces(error: FastifyError): ShapeProblem[] {
  const all = (error.validation ?? []).map((one) => ({ keyword: one.keyword, place: toPlace(one, error) }));
  // A union reports each of its members and then itself; only the report on itself helps a reader.
  const unions = new Set(all.filter(({ keyword }) => keyword === 'anyOf').map(({ place }) => place.pointer));
  return all
    .filter(({ keyword, place }) => keyword === 'anyOf' || !unions.has(place.pointer))
    .map(({ place }) => place);
}

function toPlace(one: FastifySchemaValidationError, error: FastifyError): ShapeProblem {
  const { additionalProperty, missingProperty } = one.params;
  const member = additionalProperty ?? missingProperty;
  const tail = typeof member === 'string' ? `/${escapePointer(member)}` : '';
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

/** Stack frames of an error and its causes, without messages: the place of a failure, never its input. */
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
