/** A fastify server that reads a body and answers: what receiving costs before anything is done with it. */
import fastify from 'fastify';

const app = fastify({ logger: false, bodyLimit: 64 * 1024 * 1024 });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
for (const url of ['/v1/logs', '/v1/hooks/claude-code']) {
  app.post(url, (_request, reply) => reply.header('content-type', 'application/json').send('{}'));
}
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
