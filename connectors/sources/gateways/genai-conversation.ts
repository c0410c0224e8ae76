/** The conversation of a call as spans carry it: parts, numbered attributes, or the bodies as JSON text. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import { readMessage, type Block } from '../../drafts/conversation.ts';
import { omitMembers, copyWithout } from '../../drafts/members.ts';
import { textAt, valueAt } from '../../drafts/nested.ts';
import { readAnswer, readRequest } from './exchange.ts';

export interface GenAiConversation {
  readonly messages: readonly Block[];
  readonly answer: readonly Block[];
  /** Tools that were offered. */
  readonly tools: JsonValue | undefined;
  /** The attributes that were not read, and the members of bodies that are not conversation. */
  readonly rest: JsonObject;
}

/** Reads the first of these forms that is present. Any other form beside it stays among the attributes. */
export function readConversation(attributes: JsonObject): GenAiConversation {
  return readPartsOf(attributes) ?? readNumbered(attributes) ?? readBodies(attributes);
}

const SYSTEM = 'gen_ai.system_instructions';
const SENT = 'gen_ai.input.messages';
const GOT = 'gen_ai.output.messages';
const OFFERED = 'gen_ai.tool.definitions';

/** The form of the conventions since version 1.37. */
function readPartsOf(attributes: JsonObject): GenAiConversation | undefined {
  const at = (name: string) => parsedText(valueAt(attributes, name));
  const [system, sent, got, tools] = [at(SYSTEM), at(SENT), at(GOT), at(OFFERED)];
  if (!Array.isArray(sent) && !Array.isArray(got)) return undefined;
  // Instructions are the vendor's text even if they are not a list.
  const parts = typeof system === 'string' ? [{ type: 'text', content: system }] : (system ?? []);
  const read = new Set(
    [SENT, GOT, OFFERED]
      .filter((name) => typeof at(name) === 'object')
      .concat(system === undefined ? [] : SYSTEM),
  );
  return {
    messages: [...readParts([{ role: 'system', parts }]), ...readParts(sent)],
    answer: readParts(got),
    tools: typeof tools === 'object' ? tools : undefined,
    rest: omitMembers(attributes, read),
  };
}

function readParts(messages: JsonValue | undefined): Block[] {
  if (!Array.isArray(messages)) return [];
  return (messages as readonly JsonValue[]).flatMap((message): Block[] => {
    if (!isJsonObject(message)) return [{ kind: 'other', role: 'user', value: message }];
    const { parts, role = 'user' } = message;
    if (!Array.isArray(parts)) return readMessage(message);
    return (parts as readonly JsonValue[]).flatMap((part) => readPart(role, part));
  });
}

function readPart(role: JsonValue, part: JsonValue): Block[] {
  const id = textAt(part, 'id');
  const type = valueAt(part, 'type');
  if (type === 'tool_call' && id !== undefined) {
    const input = parsedText(valueAt(part, 'arguments')) ?? {};
    return [{ kind: 'tool_use', id, name: textAt(part, 'name') ?? '', input }];
  }
  if (type === 'tool_call_response' && id !== undefined) {
    const response = valueAt(part, 'response') ?? valueAt(part, 'result') ?? '';
    return [{ kind: 'tool_result', id, response, isError: undefined }];
  }
  const content = type === 'text' ? (valueAt(part, 'content') ?? '') : [part];
  return readMessage({ role, content });
}

/** Prefixes of lists that older instrumentations and OpenInference write as one attribute per member. */
const NUMBERED = [
  { sent: 'gen_ai.prompt.', got: 'gen_ai.completion.', tools: 'llm.request.functions.' },
  { sent: 'llm.input_messages.', got: 'llm.output_messages.', tools: 'llm.tools.' },
] as const;

function readNumbered(attributes: JsonObject): GenAiConversation | undefined {
  for (const { sent, got, tools } of NUMBERED) {
    const [asked, answered, offered] = [sent, got, tools].map((prefix) => listAt(attributes, prefix));
    if (asked === undefined && answered === undefined) continue;
    const isRead = (name: string) => [sent, got, tools].some((prefix) => placeIn(name, prefix) !== undefined);
    return {
      messages: (asked ?? []).flatMap((message) => readNumberedMessage(message, 'user')),
      answer: (answered ?? []).flatMap((message) => readNumberedMessage(message, 'assistant')),
      tools: offered,
      rest: omitMembers(attributes, new Set(Object.keys(attributes).filter(isRead))),
    };
  }
  return undefined;
}

/** The number behind `prefix` in an attribute's name, and the path behind the number. */
function placeIn(
  name: string,
  prefix: string,
): { readonly index: number; readonly path: string } | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const [, index = '', path = ''] = /^(\d{1,6})\.(.{1,200})$/.exec(name.slice(prefix.length)) ?? [];
  return path === '' ? undefined : { index: Number(index), path };
}

/** Objects in the order of their numbers. The paths behind a number name the members of its object. */
function listAt(attributes: JsonObject, prefix: string): JsonObject[] | undefined {
  const found = new Map<number, Record<string, JsonValue>>();
  for (const [name, value] of Object.entries(attributes)) {
    const place = placeIn(name, prefix);
    if (place === undefined) continue;
    const held = found.get(place.index) ?? copyWithout({}, new Set());
    held[place.path.replace(/^message\./, '')] = value;
    found.set(place.index, held);
  }
  if (found.size === 0) return undefined;
  return [...found].sort(([a], [b]) => a - b).map(([, object]) => object);
}

const CALL_PATHS = {
  id: ['id', 'tool_call.id'],
  name: ['name', 'tool_call.function.name'],
  arguments: ['arguments', 'tool_call.function.arguments'],
} as const;

function readNumberedMessage(message: JsonObject, otherwise: 'user' | 'assistant'): Block[] {
  const calls = (listAt(message, 'tool_calls.') ?? []).map((call): JsonObject => {
    const at = (paths: readonly string[]) =>
      paths.map((path) => valueAt(call, path)).find((one) => one !== undefined) ?? null;
    return { id: at(CALL_PATHS.id), name: at(CALL_PATHS.name), arguments: at(CALL_PATHS.arguments) };
  });
  const texts = (listAt(message, 'contents.') ?? []).map((content): JsonObject => {
    const text = valueAt(content, 'message_content.text');
    return text === undefined ? content : { type: 'text', text };
  });
  const content = parsedText(valueAt(message, 'content')) ?? texts;
  const role = valueAt(message, 'role') ?? otherwise;
  const tool_call_id = valueAt(message, 'tool_call_id');
  return readMessage({
    role,
    content: isJsonObject(content) ? [content] : content,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(tool_call_id === undefined ? {} : { tool_call_id }),
  });
}

/** Whole bodies: Cloudflare's, TrueFoundry's, OpenInference's, and the oldest names. */
const BODIES = {
  sent: ['gen_ai.prompt_json', 'tfy.input', 'gen_ai.prompt', 'input.value'],
  got: ['gen_ai.completion_json', 'tfy.output', 'gen_ai.completion', 'output.value'],
} as const;

function readBodies(attributes: JsonObject): GenAiConversation {
  const rest = copyWithout(attributes, new Set());
  const read = <Body extends { readonly rest: JsonObject }>(
    names: readonly string[],
    readBody: (body: JsonValue | undefined) => Body | undefined,
  ): Body | undefined => {
    const name = names.find((one) => valueAt(attributes, one) !== undefined);
    const body = name === undefined ? undefined : readBody(valueAt(attributes, name));
    if (name !== undefined && body !== undefined) rest[name] = body.rest;
    return body;
  };
  const request = read(BODIES.sent, readRequest);
  const answer = read(BODIES.got, (body) => readAnswer(toAnswer(body)));
  return {
    messages: request?.messages ?? [],
    answer: answer?.answer ?? [],
    tools: request?.tools,
    rest,
  };
}

/** Some gateways write only the list of choices or messages, without the object around it. */
function toAnswer(body: JsonValue | undefined): JsonValue | undefined {
  const parsed = parsedText(body);
  if (!Array.isArray(parsed)) return parsed;
  const isChoices = (parsed as readonly JsonValue[]).some((one) => valueAt(one, 'message') !== undefined);
  return isChoices ? { choices: parsed } : { output: parsed };
}
