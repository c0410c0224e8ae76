/** The turns of a conversation in the spellings that gateways and transcripts carry, as one list of blocks. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import { parsedText } from '../wire/json/strict-json.ts';

/** `system` marks instructions, which no person of the session wrote. */
export type Role = 'user' | 'assistant' | 'system';

export type Block =
  | { readonly kind: 'text'; readonly role: Role; readonly text: string }
  | { readonly kind: 'tool_use'; readonly id: string; readonly name: string; readonly input: JsonValue }
  | {
      readonly kind: 'tool_result';
      readonly id: string;
      readonly response: JsonValue;
      /** Undefined if the spelling has no word for it. */
      readonly isError: boolean | undefined;
    }
  /** Images, thinking, and unknown blocks. */
  | { readonly kind: 'other'; readonly role: Role; readonly value: JsonValue };

/** Blocks of one message: Anthropic's content blocks, or OpenAI's tool calls and tool messages. */
export function readMessage(message: JsonObject): Block[] {
  const role = roleOf(message['role']);
  const { content } = message;
  if (message['role'] === 'tool' || message['role'] === 'function') return [toolMessage(message)];
  return [...readContent(role, content), ...readToolCalls(message['tool_calls'])];
}

function roleOf(role: JsonValue | undefined): Role {
  if (role === 'assistant' || role === 'model') return 'assistant';
  return role === 'system' || role === 'developer' ? 'system' : 'user';
}

function readContent(role: Role, content: JsonValue | undefined): Block[] {
  if (typeof content === 'string') return content === '' ? [] : [{ kind: 'text', role, text: content }];
  if (!Array.isArray(content)) return [];
  return (content as readonly JsonValue[]).map((block) => readBlock(role, block));
}

function readBlock(role: Role, block: JsonValue): Block {
  if (!isJsonObject(block)) return { kind: 'other', role, value: block };
  const { type, text, id, name, tool_use_id, is_error } = block;
  if ((type === 'text' || type === 'input_text' || type === 'output_text') && typeof text === 'string') {
    return { kind: 'text', role, text };
  }
  if (type === 'tool_use' && isId(id)) {
    return { kind: 'tool_use', id, name: textOr(name, ''), input: block['input'] ?? {} };
  }
  if (type === 'tool_result' && isId(tool_use_id)) {
    const response = block['content'] ?? '';
    // The protocol leaves the member out if nothing failed.
    return { kind: 'tool_result', id: tool_use_id, response, isError: is_error === true };
  }
  return { kind: 'other', role, value: block };
}

function toolMessage(message: JsonObject): Block {
  const id = message['tool_call_id'];
  if (!isId(id)) return { kind: 'other', role: 'user', value: message };
  return { kind: 'tool_result', id, response: message['content'] ?? '', isError: undefined };
}

function readToolCalls(calls: JsonValue | undefined): Block[] {
  if (!Array.isArray(calls)) return [];
  return (calls as readonly JsonValue[]).flatMap((call): Block[] => {
    if (!isJsonObject(call) || !isId(call['id'])) return [];
    const called = isJsonObject(call['function']) ? call['function'] : call;
    let input: JsonValue | undefined;
    return [
      {
        kind: 'tool_use',
        id: call['id'],
        name: textOr(called['name'], ''),
        // Parsed on first use, because a receiver only counts the calls.
        get input() {
          return (input ??= parsedText(called['arguments']) ?? {});
        },
      },
    ];
  });
}

/** A longer text is not an identifier. */
const MAX_ID_CHARACTERS = 4_096;

function isId(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_ID_CHARACTERS;
}

function textOr(value: JsonValue | undefined, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
