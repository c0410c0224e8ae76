import swagger from '@fastify/swagger';
import { Problem } from '../../schemas/problem.ts';
import type { TypedApp } from './typed-app.ts';

/** Version of the HTTP contract, not of the program; rises with each visible change. */
const API_VERSION = '1.0.0';

/** Collects the schemas of all routes registered after this call into one OpenAPI 3.1 document. */
export function registerOpenApi(app: TypedApp): void {
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Affidavit API',
        version: API_VERSION,
        description:
          'Sealed records of AI coding agents, their proofs, and reports made of them. ' +
          'Lists are read page by page with opaque cursors; failures are RFC 9457 problems with a stable code.',
      },
      tags: [
        { name: 'records', description: 'Sealed records of agents' },
        { name: 'log', description: 'Signed heads and proofs of inclusion' },
        { name: 'completeness', description: 'Known holes in the records' },
        { name: 'evidence', description: 'Packages for an auditor' },
        { name: 'operation', description: 'Health, figures and this document' },
      ],
      components: {
        securitySchemes: {
          admin: { type: 'http', scheme: 'bearer', description: 'token with the admin role' },
        },
      },
      security: [{ admin: [] }],
    },
    transform: ({ schema, url }) => nameRest(schema, url),
  });
}

/** OpenAPI has no parameter that takes the rest of a path: the document calls it `path`. */
function nameRest<Schema extends { readonly params?: unknown }>(schema: Schema, url: string) {
  if (!url.endsWith('*')) return { schema, url };
  const { properties } = schema.params as { readonly properties: Readonly<Record<string, unknown>> };
  const { '*': path, ...others } = properties;
  const params = {
    ...(schema.params as object),
    properties: { ...others, path },
    required: [...Object.keys(others), 'path'],
  };
  return { schema: { ...schema, params }, url: `${url.slice(0, -1)}:path` };
}

/** OpenAPI answer object of a failure; `description` names the codes that a client of the route should expect. */
export function problemAnswer(description: string) {
  return { description, content: { 'application/problem+json': { schema: Problem } } };
}

/** Failures of every route that needs a token. */
export const GUARDED_PROBLEMS = {
  400: problemAnswer('PARAMETER_INVALID, CURSOR_INVALID: nothing was read'),
  401: problemAnswer('AUTH_MISSING, AUTH_INVALID'),
  403: problemAnswer('AUTH_FORBIDDEN'),
  422: problemAnswer('QUERY_LIMIT: the question reads or takes too much; narrow it'),
  503: problemAnswer('STORE_UNAVAILABLE: try again after Retry-After'),
};
