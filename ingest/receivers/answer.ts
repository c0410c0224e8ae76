import type { FastifyReply, FastifyRequest } from 'fastify';
import { PipelineError } from '../../schemas/errors.ts';
import { toProblem } from '../../schemas/problem.ts';
import { mediaTypeOf } from './body.ts';
import { otlpEncodingOf } from './otlp.ts';
import { statusResponse } from './otlp-response.ts';

/** Seconds a client shall wait after a refusal that asks it to come again. */
const RETRY_AFTER_S = 5;

/** Any failure as an error of the table; what the framework refuses by itself gets the code that says the same. */
export function toPipelineError(error: unknown): PipelineError {
  if (error instanceof PipelineError) return error;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new PipelineError('CONTENT_TYPE_UNSUPPORTED', 'the content type does not parse', {
        cause: error,
      });
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new PipelineError('BODY_TOO_LARGE', 'the body is too large', { cause: error });
    case 'FST_ERR_BAD_URL':
      return new PipelineError('NOT_FOUND', 'the path does not decode', { cause: error });
    default:
      return new PipelineError('INTERNAL', 'the receiver could not complete this request', { cause: error });
  }
}

/** Answers with a failure: as google.rpc.Status on OTLP routes, as RFC 9457 problem elsewhere. */
export function answerFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  error: PipelineError,
  isOtlp: boolean,
): FastifyReply {
  void reply.code(error.status);
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer realm="affidavit"');
  if (error.retry === 'later') void reply.header('retry-after', String(RETRY_AFTER_S));
  if (isOtlp) {
    const { contentType, body } = statusResponse(otlpEncodingOf(safeMediaType(request)), error);
    return reply.header('content-type', contentType).send(body);
  }
  // As bytes, because the framework adds a charset to text, and this media type has none.
  const problem = Buffer.from(JSON.stringify(toProblem(error, request.id)));
  return reply.header('content-type', 'application/problem+json').send(problem);
}

function safeMediaType(request: FastifyRequest): string {
  try {
    return mediaTypeOf(request.headers);
  } catch {
    return 'application/json';
  }
}
