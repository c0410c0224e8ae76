/** The shape of a mapping, which describes a gateway without a source, and the check of mappings. */
import { Type, type Static } from 'typebox';
import { PipelineError } from '../../../schemas/errors.ts';
import { isJsonObject, type JsonValue } from '../../../schemas/json.ts';
import { compileValidator, type ShapeProblem } from '../../../schemas/validate.ts';
import { digestItem } from '../../drafts/digest.ts';

const Path = Type.String({
  pattern: '^(?:[^.\\\\]|\\\\.)+(?:\\.(?:[^.\\\\]|\\\\.)+)*$',
  maxLength: 512,
  description: 'names of members from the outside in, with dots between; a dot in a name is written \\.',
});
/** The first path with a value counts. */
const Paths = Type.Union([Path, Type.Array(Path, { minItems: 1, maxItems: 16 })]);
const OptionalPaths = Type.Optional(Paths);

export const TEXT_FACTS = [
  'session_id',
  'request_id',
  'trace_id',
  'span_id',
  'message_id',
  'prompt_id',
  'claimed_user',
  'install_id',
  'organization_id',
  'department',
  'team_id',
  'agent_id',
  'provider',
  'model',
  'virtual_key',
  'error_type',
  'reason',
  'app_version',
] as const;
export const COUNT_FACTS = [
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_creation_tokens',
] as const;

const FactPaths = Type.Object(
  {
    occurred_at: OptionalPaths,
    duration_ms: OptionalPaths,
    cost_usd_micros: OptionalPaths,
    success: OptionalPaths,
    ...(Object.fromEntries([...TEXT_FACTS, ...COUNT_FACTS].map((name) => [name, OptionalPaths])) as Record<
      (typeof TEXT_FACTS)[number] | (typeof COUNT_FACTS)[number],
      typeof OptionalPaths
    >),
  },
  { additionalProperties: false },
);

const TimeUnit = Type.Union([
  Type.Literal('rfc3339'),
  Type.Literal('seconds'),
  Type.Literal('milliseconds'),
  Type.Literal('nanoseconds'),
]);
const Words = Type.Array(Type.Union([Type.String(), Type.Integer(), Type.Boolean()]), { minItems: 1 });

const Outcome = Type.Union([
  Type.Literal('allow'),
  Type.Literal('warn'),
  Type.Literal('redact'),
  Type.Literal('block'),
  Type.Literal('failed_open'),
]);

/**
 * The members of an item that become facts, and their units. Members that a mapping does not name are kept as they
 * are.
 */
export const GatewayMapping = Type.Object(
  {
    event: Type.Optional(Paths),
    facts: FactPaths,
    units: Type.Optional(
      Type.Object(
        {
          time: Type.Optional(TimeUnit),
          duration: Type.Optional(
            Type.Union([Type.Literal('seconds'), Type.Literal('milliseconds'), Type.Literal('nanoseconds')]),
          ),
          cost: Type.Optional(
            Type.Union([Type.Literal('usd'), Type.Literal('usd_cents'), Type.Literal('usd_micros')]),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    failed: Type.Optional(Type.Object({ path: Paths, values: Words }, { additionalProperties: false })),
    policy: Type.Optional(
      Type.Object(
        { path: Paths, values: Type.Record(Type.String(), Outcome) },
        { additionalProperties: false },
      ),
    ),
    messages: OptionalPaths,
    answer: OptionalPaths,
    tools: OptionalPaths,
  },
  { additionalProperties: false },
);
export type GatewayMapping = Static<typeof GatewayMapping>;

/** Mappings by the last part of their route, `/v1/gateways/<name>`. */
export type GatewayMappings = Readonly<Record<string, GatewayMapping>>;

const checkMapping = compileValidator(GatewayMapping);
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** Throws CONFIG_INVALID with every problem, each with its place in the file. */
export function parseMappings(value: JsonValue, file: string, taken: readonly string[]): GatewayMappings {
  if (!isJsonObject(value))
    throw invalid(file, [{ pointer: '', message: 'is not an object of mappings by name' }]);
  const problems = Object.entries(value).flatMap(([name, mapping]): ShapeProblem[] => {
    const pointer = `/${name}`;
    if (!NAME.test(name)) return [{ pointer, message: 'is not a name of a-z, 0-9 and "-"' }];
    if (taken.includes(name)) return [{ pointer, message: 'is a gateway that is known without a mapping' }];
    const checked = checkMapping(mapping);
    return checked.ok ? [] : checked.problems.map((one) => ({ ...one, pointer: `${pointer}${one.pointer}` }));
  });
  if (problems.length > 0) throw invalid(file, problems);
  return value as unknown as GatewayMappings;
}

function invalid(file: string, problems: readonly ShapeProblem[]): PipelineError {
  const lines = problems.map(({ pointer, message }) => `  ${pointer === '' ? '/' : pointer} ${message}`);
  return new PipelineError(
    'CONFIG_INVALID',
    `${file}: ${String(problems.length)} problem(s)\n${lines.join('\n')}`,
  );
}

/** Identifies the mapping that made a record: SHA-256 of the mapping's canonical JSON, in hex. */
export function digestMapping(mapping: GatewayMapping): string {
  return digestItem(mapping);
}
