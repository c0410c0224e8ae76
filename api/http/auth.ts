import type { FastifyReply, FastifyRequest } from 'fastify';
import { PipelineError } from '../../schemas/errors.ts';
import type { Principal, VerifyToken } from '../../schemas/principal.ts';
import type { TypedApp } from './typed-app.ts';

const REALM = 'Bearer realm="affidavit"';
const PRINCIPAL = 'principal';

/** Adds the member for the principal to every request of the app; call before any scope asks for a token. */
export function declarePrincipal(app: TypedApp): void {
  app.decorateRequest(PRINCIPAL, null);
}

/**
 * Every route of this scope asks for an admin token (RFC 6750, header only). Refusals carry AUTH_MISSING,
 * AUTH_INVALID or AUTH_FORBIDDEN and the challenge that goes with each.
 */
export function requireAdmin(app: TypedApp, verifyToken: VerifyToken): void {
  app.addHook('onRequest', (request, reply, done) => {
    request.setDecorator(PRINCIPAL, authenticate(request, reply, verifyToken));
    done();
  });
}

/** The principal of a request; null on routes without a token and on refused requests. */
export function principalOf(request: Pick<FastifyRequest, 'getDecorator'>): Principal | null {
  return request.getDecorator<Principal | null>(PRINCIPAL);
}

function authenticate(request: FastifyRequest, reply: FastifyReply, verifyToken: VerifyToken): Principal {
  const header = request.headers.authorization;
  if (header === undefined) {
    void reply.header('www-authenticate', REALM);
    throw new PipelineError('AUTH_MISSING', 'this route needs a bearer token');
  }
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  const principal = token === undefined ? undefined : verifyToken(token);
  if (principal === undefined) {
    void reply.header('www-authenticate', `${REALM}, error="invalid_token"`);
    throw new PipelineError('AUTH_INVALID', 'the bearer token is not known');
  }
  if (principal.role !== 'admin') {
    void reply.header('www-authenticate', `${REALM}, error="insufficient_scope"`);
    throw new PipelineError('AUTH_FORBIDDEN', 'reading evidence needs the admin role');
  }
  return principal;
}
