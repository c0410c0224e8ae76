import type { FastifyReply, FastifyRequest } from 'fastify';
import { PipelineError } from '../../schemas/errors.ts';
import { toProblem } from '../../schemas/problem.ts';
import { statusMessage, textForSender } from './rpc-status.ts';

const PROTOBUF = 'application/x-protobuf';

/** Seconds that a client waits before it sends a refused request again. */
export const RETRY_AFTER_S = 5;

/** Any failure as an error of the table. A refusal by the framework gets the code with the same meaning. */
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

/**
 * Answers with a failure as an RFC 9457 problem. On OTLP routes it also carries `message`, the one member of
 * google.rpc.Status that exporters show, and a client that asks for protobuf gets that message itself.
 */
export function answerFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  error: PipelineError,
  isOtlp: boolean,
): FastifyReply {
  void reply.code(error.status);
  if (error.status === 401) void reply.header('www-authenticate', 'Bearer realm="affidavit"');
  if (error.retry === 'later') void reply.header('retry-after', String(RETRY_AFTER_S));
  if (isOtlp && request.headers.accept?.includes(PROTOBUF) === true) {
    return reply.header('content-type', PROTOBUF).send(statusMessage(error));
  }
  const problem = toProblem(error, request.id);
  const document = isOtlp ? { ...problem, message: textForSender(error) } : problem;
  // As bytes, because the framework adds a charset to text, and this media type has none.
  return reply.header('content-type', 'application/problem+json').send(Buffer.from(JSON.stringify(document)));
}
