import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { PipelineError } from '../../schemas/errors.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import { chooseLog } from './chosen-log.ts';
import { GUARDED_PROBLEMS, problemAnswer } from '../http/openapi.ts';
import type { TypedApp } from '../http/typed-app.ts';

const LogQuery = Type.Object(
  {
    log: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'short name of the log, e.g. p0; needed where there are several',
      }),
    ),
  },
  { additionalProperties: false },
);

export const IfNoneMatch = Type.Object({ 'if-none-match': Type.Optional(Type.String()) });

/** Answers of every route that gives a checkpoint. */
export const CHECKPOINT_ANSWERS = {
  200: { description: 'signed note', content: { 'text/plain': { schema: Type.String() } } },
  304: Type.Null({ description: 'the newest checkpoint is the one that If-None-Match names' }),
  404: problemAnswer('NOT_FOUND: no checkpoint is published yet, or no log has this name'),
};

/** The newest published checkpoint. */
export function checkpointRoute(app: TypedApp, published: readonly PublishedLog[]): void {
  app.get(
    '/v1/log/checkpoint',
    {
      schema: {
        tags: ['log'],
        summary: 'Newest published checkpoint (C2SP tlog-checkpoint, a signed note)',
        querystring: LogQuery,
        headers: IfNoneMatch,
        response: {
          ...GUARDED_PROBLEMS,
          ...CHECKPOINT_ANSWERS,
          400: problemAnswer(
            'PARAMETER_INVALID: there are several logs and none is named, or the name is unknown',
          ),
        },
      },
    },
    async (request, reply) => {
      const log = chooseLog(published, request.query.log, '/querystring/log');
      return sendCheckpoint(await log.checkpoint(), request, reply);
    },
  );
}

/** The signed note, byte for byte; the ETag names size and root. Throws NOT_FOUND before the first one. */
export function sendCheckpoint(
  checkpoint: PublishedCheckpoint | undefined,
  { headers }: { readonly headers: { readonly 'if-none-match'?: string | undefined } },
  reply: FastifyReply,
): FastifyReply {
  if (checkpoint === undefined) throw new PipelineError('NOT_FOUND', 'no checkpoint is published yet');
  const etag = `"${String(checkpoint.tree_size)}-${checkpoint.root_hash}"`;
  void reply.header('etag', etag);
  if (namesEtag(headers['if-none-match'], etag)) return reply.code(304).send();
  return reply.type('text/plain; charset=utf-8').send(checkpoint.note);
}

/** RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`. */
function namesEtag(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}
