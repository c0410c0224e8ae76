/** Where configuration comes from: defaults, then a file, then the environment. The only reader of process.env. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contradictions } from './schemas/config-contradictions.ts';
import { REMOVED_KEYS } from './schemas/config-removed.ts';
import { Config } from './schemas/config.ts';
import { PipelineError } from './schemas/errors.ts';
import { isJsonObject, type JsonValue } from './schemas/json.ts';
import { compileValidator, type ShapeProblem } from './schemas/validate.ts';

export type { Config } from './schemas/config.ts';

const PREFIX = 'AFFIDAVIT_';
/** Names the configuration file. */
const FILE_VARIABLE = 'AFFIDAVIT_CONFIG';

/** Variables that do not set keys: the one of the file, and the one of the hook client, which does not load this file. */
const OTHER_VARIABLES = new Set([FILE_VARIABLE, 'AFFIDAVIT_HOOK_URL']);

type Environment = Readonly<Record<string, string | undefined>>;

/** The part of a JSON schema that is needed to list keys and to read them from text. */
interface SchemaNode {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

export interface ConfigKey {
  readonly path: readonly string[];
  readonly variable: string;
  readonly type: string;
  readonly preset: unknown;
  readonly description: string;
}

/** The schema as plain JSON, without the types that TypeBox adds to it. */
const CONFIG_SCHEMA = JSON.parse(JSON.stringify(Config)) as SchemaNode;

/** Every leaf of the configuration, in schema order. */
export function configKeys(node: SchemaNode = CONFIG_SCHEMA, path: readonly string[] = []): ConfigKey[] {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([name, child]) => configKeys(child, [...path, name]));
  }
  const variable = variableOf(path);
  const description = node.description ?? '';
  return [{ path, variable, type: node.type ?? 'string', preset: node.default, description }];
}

/** The environment variable of a key. */
function variableOf(path: readonly string[]): string {
  return PREFIX + path.join('_').toUpperCase();
}

const removedVariables = new Map(
  Object.entries(REMOVED_KEYS).map(([key, message]) => [variableOf(key.split('.')), message]),
);

/** One error for every problem, each with its path or variable. */
export function configError(problems: readonly ShapeProblem[]): PipelineError {
  const lines = problems.map(({ pointer, message }) => `  ${pointer === '' ? '/' : pointer} ${message}`);
  return new PipelineError('CONFIG_INVALID', `${String(problems.length)} problem(s)\n${lines.join('\n')}`);
}

const validate = compileValidator(Config, { fillDefaults: true });

/**
 * Loads and checks the configuration. Throws CONFIG_INVALID with every problem: unknown and removed keys and variables,
 * wrong types, values out of bounds, settings that contradict each other, an unreadable file.
 *
 * @param given variables that command line options set; they outrank the environment
 */
export function loadConfig(
  file?: string,
  environment: Environment = process.env,
  given: Environment = {},
): Config {
  const problems: ShapeProblem[] = [];
  const value = readConfigFile(file ?? environment[FILE_VARIABLE], problems);
  applyEnvironment(value, { ...environment, ...given }, problems);
  takeRemoved(value, problems);
  addSections(value, CONFIG_SCHEMA);
  const checked = validate(value);
  problems.push(...(checked.ok ? contradictions(checked.value) : checked.problems));
  if (!checked.ok || problems.length > 0) throw configError(problems);
  const { data, keys, ...rest } = checked.value;
  return { ...rest, data: resolve(data), ...(keys === undefined ? {} : { keys: resolve(keys) }) };
}

function readConfigFile(path: string | undefined, problems: ShapeProblem[]): Record<string, JsonValue> {
  if (path === undefined) return {};
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as JsonValue;
    if (isJsonObject(value)) return structuredClone(value);
    problems.push({ pointer: path, message: 'is not a JSON object' });
  } catch (error) {
    problems.push({ pointer: path, message: `cannot be read: ${(error as Error).message}` });
  }
  return {};
}

/** Takes removed keys out of a configuration file, so that each is reported once, with what holds now. */
function takeRemoved(value: Record<string, JsonValue>, problems: ShapeProblem[]): void {
  for (const [key, message] of Object.entries(REMOVED_KEYS)) {
    const [section = '', name = ''] = key.split('.');
    const members = value[section];
    if (!isJsonObject(members) || !(name in members)) continue;
    problems.push({ pointer: `/${section}/${name}`, message });
    const left = Object.entries(members).filter(([member]) => member !== name);
    if (left.length > 0 || section in (CONFIG_SCHEMA.properties ?? {}))
      value[section] = Object.fromEntries(left);
    else Reflect.deleteProperty(value, section);
  }
}

function applyEnvironment(
  value: Record<string, JsonValue>,
  environment: Environment,
  problems: ShapeProblem[],
): void {
  const keys = new Map(configKeys().map((key) => [key.variable, key]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.has(variable) || text === undefined) continue;
    const key = keys.get(variable);
    const removed = removedVariables.get(variable);
    if (removed !== undefined) problems.push({ pointer: variable, message: removed });
    else if (key === undefined) problems.push({ pointer: variable, message: 'is not a known variable' });
    else setPath(value, key, text);
  }
}

/** Text that cannot be read as the type of the key is kept as text, so that validation reports it. */
function setPath(value: Record<string, JsonValue>, { path, type }: ConfigKey, text: string): void {
  let section = value;
  for (const name of path.slice(0, -1)) {
    const held = section[name];
    const inner: Record<string, JsonValue> = isJsonObject(held) ? { ...held } : {};
    section[name] = inner;
    section = inner;
  }
  const last = path.at(-1);
  if (last !== undefined) section[last] = readText(type, text);
}

/** Adds the sections that nothing names, so that their keys get defaults. */
function addSections(value: Record<string, JsonValue>, { properties = {} }: SchemaNode): void {
  for (const [name, node] of Object.entries(properties)) {
    if (node.properties === undefined) continue;
    const held = value[name] ?? {};
    if (!isJsonObject(held)) continue;
    const section = { ...held };
    addSections(section, node);
    value[name] = section;
  }
}

function readText(type: string, text: string): JsonValue {
  if (type === 'integer' && /^-?[0-9]{1,15}$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** The folder that holds package.json, from the sources as well as from the build. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new PipelineError('START_REFUSED', 'package.json of affidavit is missing');
    folder = parent;
  }
  return folder;
}
