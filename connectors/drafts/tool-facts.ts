import { posix, win32 } from 'node:path';
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import { MAX_FACT_CHARACTERS } from './members.ts';
import { parsedText } from '../wire/json/strict-json.ts';

/** Tools whose input names one file. In other tools a member of that name may mean anything. */
const FILE_TOOLS: ReadonlyMap<string, string> = new Map([
  ['Read', 'file_path'],
  ['Write', 'file_path'],
  ['Edit', 'file_path'],
  ['MultiEdit', 'file_path'],
  ['NotebookEdit', 'notebook_path'],
]);

const WINDOWS_PATH = /^(?:[A-Za-z]:)?[^/]*\\/;

/**
 * The file that a call of one of the file tools names. A path that is too long for a fact is told without its detours
 * (`.`, empty segments, `x/..`): with enough of them any file would have a path that no fact can hold.
 */
export function filePathOf(
  toolName: string | undefined,
  toolInput: JsonValue | undefined,
): string | undefined {
  const member = toolName === undefined ? undefined : FILE_TOOLS.get(toolName);
  if (member === undefined) return undefined;
  const input = asObject(toolInput);
  const path = input?.[member] ?? input?.['file_path'];
  if (typeof path !== 'string' || path === '') return undefined;
  const told = path.length <= MAX_FACT_CHARACTERS ? path : withoutDetours(path);
  return told.length <= MAX_FACT_CHARACTERS ? told : undefined;
}

function withoutDetours(path: string): string {
  return WINDOWS_PATH.test(path) ? win32.normalize(path) : posix.normalize(path);
}

/** The commit that a call made, where the client reports it beside the call's parameters. */
export function gitCommitOf(toolParameters: JsonValue | undefined): string | undefined {
  const id = asObject(toolParameters)?.['git_commit_id'];
  return typeof id === 'string' && /^[0-9a-f]{7,64}$/.test(id) ? id : undefined;
}

/** The MCP server of a tool named `mcp__<server>__<tool>`. */
export function mcpServerOf(toolName: string | undefined): string | undefined {
  if (toolName?.startsWith('mcp__') !== true) return undefined;
  const server = toolName.split('__', 3)[1];
  return server === '' ? undefined : server;
}

/**
 * OTel carries inputs as JSON text, and may cut it. Text that does not parse, or that could not be hashed, has no
 * members.
 */
function asObject(value: JsonValue | undefined): JsonObject | undefined {
  if (isJsonObject(value)) return value;
  if (typeof value !== 'string' || !value.startsWith('{')) return undefined;
  const parsed = parsedText(value);
  return isJsonObject(parsed) ? parsed : undefined;
}
