/** Calls of models as spans with the attributes of OpenTelemetry's conventions for generative AI. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { parsedText } from '../../json/parsed-text.ts';
import type { Block } from '../conversation.ts';
import { readMessage } from '../conversation.ts';
import { omitMembers } from '../members.ts';
import { countAt, statedFacts, textAt, valueAt } from '../nested.ts';
import { structuredOf } from './exchange.ts';
import type { GatewayCall } from './gateway-call.ts';

/** Names with dots stand as they are, each the name of one attribute. */
export function isGenAiSpan(attributes: JsonObject): boolean {
  return ['gen_ai.request.model', 'gen_ai.response.model'].some(
    (name) => valueAt(attributes, name) !== undefined,
  );
}

const CONVERSATION: readonly string[] = [
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.definitions',
];

/** What the attributes say; who called and when is for the gateway to add. */
export function readGenAiSpan(event: string, attributes: JsonObject): GatewayCall {
  const at = (name: string) => parsedText(valueAt(attributes, name));
  const error = textAt(attributes, 'error.type');
  return {
    event,
    has_failed: error !== undefined,
    facts: statedFacts({
      session_id: textAt(attributes, 'session.id') ?? textAt(attributes, 'gen_ai.conversation.id'),
      provider: textAt(attributes, 'gen_ai.provider.name') ?? textAt(attributes, 'gen_ai.system'),
      model: textAt(attributes, 'gen_ai.response.model') ?? textAt(attributes, 'gen_ai.request.model'),
      message_id: textAt(attributes, 'gen_ai.response.id'),
      input_tokens:
        countAt(attributes, 'gen_ai.usage.input_tokens') ?? countAt(attributes, 'gen_ai.usage.prompt_tokens'),
      output_tokens:
        countAt(attributes, 'gen_ai.usage.output_tokens') ??
        countAt(attributes, 'gen_ai.usage.completion_tokens'),
      success: error === undefined ? undefined : false,
      error_type: error,
    }),
    messages: [
      ...readParts([{ role: 'system', parts: at('gen_ai.system_instructions') ?? [] }]),
      ...readParts(at('gen_ai.input.messages')),
    ],
    answer: readParts(at('gen_ai.output.messages')),
    tools: at('gen_ai.tool.definitions'),
    rest: omitMembers(attributes, structuredOf(attributes, CONVERSATION)),
  };
}

function readParts(messages: JsonValue | undefined): Block[] {
  if (!Array.isArray(messages)) return [];
  return (messages as readonly JsonValue[]).flatMap((message): Block[] => {
    if (!isJsonObject(message)) return [];
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
