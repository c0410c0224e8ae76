import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import type { FastifyInstance } from 'fastify';
import { expect } from 'vitest';

interface Answer {
  readonly content?: Readonly<Record<string, { readonly schema: AnySchema }>>;
}

export interface Operation {
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: AnySchema }[];
  readonly requestBody?: Answer;
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Checks real answers against the document that the server itself publishes. */
export async function openApiJudge(app: FastifyInstance) {
  const document = (await app.inject('/openapi.json')).json<OpenApiDocument>();
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  return {
    document,
    compile: (schema: AnySchema) => ajv.compile(schema),
    /** `path` as the document spells it, e.g. `/v1/records/{id}`. */
    expectAnswer(
      method: string,
      path: string,
      answer: { statusCode: number; headers: object; body: string },
    ) {
      const responses = document.paths[path]?.[method]?.responses ?? {};
      const described = responses[String(answer.statusCode)];
      expect(described, `${method} ${path} ${answer.statusCode} is not described`).toBeDefined();
      const mediaType = String((answer.headers as Record<string, unknown>)['content-type']).split(';')[0]!;
      const schema = described?.content?.[mediaType]?.schema;
      expect(schema, `${mediaType} of ${method} ${path} is not described`).toBeDefined();
      const check = ajv.compile(schema!);
      const value: unknown = mediaType.endsWith('json') ? JSON.parse(answer.body) : answer.body;
      expect(check(value), JSON.stringify(check.errors)).toBe(true);
    },
  };
}
