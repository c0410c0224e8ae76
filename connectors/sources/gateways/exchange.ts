/** Bodies of requests and answers as gateways log them: JSON, or JSON as text, in the spellings of several providers. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { readMessage, type Block, type Role } from '../../drafts/conversation.ts';
import { omitMembers, copyWithout, type ContentParts } from '../../drafts/members.ts';
import { objectAt, textAt, valueAt } from '../../drafts/nested.ts';
import type { GatewayCall } from './gateway-call.ts';

/** A request: its turns, the tools that it offers, and its other members. */
export interface ReadRequest {
  readonly messages: readonly Block[];
  readonly tools: JsonValue | undefined;
  readonly rest: JsonObject;
}

/** An answer: its turns, its model, and its other members. */
export interface ReadAnswer {
  readonly answer: readonly Block[];
  readonly model: string | undefined;
  readonly rest: JsonObject;
}

/** Undefined if the shape of the body is not known. The caller then keeps the body as it is. */
export function readRequest(body: JsonValue | undefined): ReadRequest | undefined {
  const request = parsedText(body);
  if (Array.isArray(request)) return { messages: readTurns(request), tools: undefined, rest: {} };
  if (!isJsonObject(request)) return undefined;
  const member = ['messages', 'input'].find((name) => Array.isArray(request[name]) || isText(request[name]));
  if (member === undefined) return undefined;
  const turns = request[member];
  const system = request['system'] === undefined ? [] : [{ role: 'system', content: request['system'] }];
  return {
    messages: [
      ...readTurns(system),
      ...readTurns(isText(turns) ? [{ role: 'user', content: turns }] : turns),
    ],
    tools: request['tools'],
    rest: omitMembers(request, new Set([member, 'system', 'tools'])),
  };
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string';
}

const ANSWER_PARTS: ReadonlySet<string> = new Set(['choices', 'content', 'output']);

export function readAnswer(body: JsonValue | undefined): ReadAnswer | undefined {
  const response = parsedText(body);
  if (!isJsonObject(response)) return undefined;
  const { choices, output, content } = response;
  const besideAnswer = omitMembers(response, ANSWER_PARTS);
  const model = textAt(response, 'model');
  if (Array.isArray(choices)) {
    const list = choices as readonly JsonValue[];
    const answer = list.flatMap((choice) =>
      readMessage({ role: 'assistant', ...objectAt(choice, 'message') }),
    );
    const kept = list.map((choice) =>
      isJsonObject(choice) && isJsonObject(choice['message'])
        ? omitMembers(choice, new Set(['message']))
        : choice,
    );
    return { answer, model, rest: { ...besideAnswer, choices: kept } };
  }
  if (Array.isArray(output)) return { answer: readTurns(output, 'assistant'), model, rest: besideAnswer };
  if (content === undefined) return undefined;
  return { answer: readMessage({ role: 'assistant', content }), model, rest: besideAnswer };
}

/** A request and its answer, from two members of an item. */
export interface Exchange extends Pick<GatewayCall, 'messages' | 'answer' | 'tools'> {
  readonly model: string | undefined;
  /**
   * The item without the bodies that were read, and the members of these bodies that are not conversation. An unread
   * body stays.
   */
  readonly rest: JsonObject;
}

/** Reads the first request member and the first answer member that are present. */
export function readExchange(
  value: JsonObject,
  names: { readonly sent: readonly string[]; readonly got: readonly string[] },
): Exchange {
  const request = readAt(value, names.sent, readRequest);
  const answer = readAt(value, names.got, readAnswer);
  const rest: ContentParts = copyWithout(value, new Set());
  for (const found of [request, answer]) {
    if (found !== undefined) rest[found.name] = around(value, found.name, found.read.rest);
  }
  return {
    messages: request?.read.messages ?? [],
    answer: answer?.read.answer ?? [],
    tools: request?.read.tools,
    model: answer?.read.model,
    rest,
  };
}

function readAt<Read>(
  value: JsonObject,
  names: readonly string[],
  read: (body: JsonValue | undefined) => Read | undefined,
): { readonly name: string; readonly read: Read } | undefined {
  const name = names.find((one) => (valueAt(value, one) ?? null) !== null);
  const found = name === undefined ? undefined : read(bodyOf(value, name));
  return name === undefined || found === undefined ? undefined : { name, read: found };
}

/** Some gateways put the body beside headers and a status. */
function bodyOf(value: JsonObject, name: string): JsonValue | undefined {
  return valueAt(value, name, 'body') ?? valueAt(value, name);
}

function around(value: JsonObject, name: string, rest: JsonObject): JsonObject {
  return valueAt(value, name, 'body') === undefined ? rest : { ...objectAt(value, name), body: rest };
}

/**
 * Turns of a conversation. OpenAI's Responses API lists calls and outputs of functions among them. An unknown turn
 * becomes a separate block.
 */
export function readTurns(turns: JsonValue | undefined, role: Role = 'user'): Block[] {
  if (!Array.isArray(turns)) return [];
  return (turns as readonly JsonValue[]).flatMap((turn): Block[] => {
    if (!isJsonObject(turn)) return [{ kind: 'other', role, value: turn }];
    const called = readFunctionItem(turn);
    if (called !== undefined) return [called];
    const blocks = readMessage('role' in turn ? turn : { ...turn, role });
    const isEmpty = (turn['content'] ?? '') === '' && Object.keys(turn).length > 0;
    return blocks.length > 0 || isEmpty ? blocks : [{ kind: 'other', role, value: turn }];
  });
}

function readFunctionItem(turn: JsonObject): Block | undefined {
  const id = textAt(turn, 'call_id');
  if (id === undefined) return undefined;
  if (turn['type'] === 'function_call') {
    const input = parsedText(valueAt(turn, 'arguments')) ?? {};
    return { kind: 'tool_use', id, name: textAt(turn, 'name') ?? '', input };
  }
  if (turn['type'] !== 'function_call_output') return undefined;
  return { kind: 'tool_result', id, response: turn['output'] ?? '', isError: undefined };
}

/**
 * Those of the named members that hold objects or lists. They are read as a conversation; the others are kept as they
 * are.
 */
export function structuredOf(value: JsonObject, names: readonly string[]): ReadonlySet<string> {
  return new Set(
    names.filter((name) => {
      const parsed = parsedText(valueAt(value, name));
      return Array.isArray(parsed) || isJsonObject(parsed);
    }),
  );
}
