/** Calls of models and tools as spans with the attributes of OpenTelemetry's conventions for generative AI. */
import type { JsonObject, JsonValue } from '../../../schemas/json.ts';
import { openMembers } from '../../drafts/members.ts';
import { statedFacts, textAt, valueAt } from '../../drafts/nested.ts';
import type { GatewayCall } from './gateway-call.ts';
import { readConversation } from './genai-conversation.ts';
import { toMicros } from './units.ts';

const MODELS = ['gen_ai.response.model', 'gen_ai.request.model', 'tfy.model.name', 'llm.model_name'] as const;

/** Whether the attributes name a model. A name with dots is the name of one attribute, not a path. */
export function isGenAiSpan(attributes: JsonObject): boolean {
  return MODELS.some((name) => textAt(attributes, name) !== undefined);
}

/** Reads a call from its attributes. The gateway adds the caller and the time. */
export function readGenAiSpan(event: string, attributes: JsonObject): GatewayCall {
  const members = openMembers(attributes);
  const error = members.text('error.type', 'tfy.error_type');
  const read = members.count('gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens');
  const created = members.count(
    'gen_ai.usage.cache_creation.input_tokens',
    'gen_ai.usage.cache_creation_input_tokens',
  );
  const input = members.count(
    'gen_ai.usage.input_tokens',
    'gen_ai.usage.prompt_tokens',
    'tfy.model.metric.input_tokens',
    'llm.token_count.prompt',
  );
  return {
    event,
    has_failed: error !== undefined,
    facts: statedFacts({
      session_id: members.text('session.id', 'gen_ai.conversation.id'),
      provider: members.text(
        'gen_ai.provider.name',
        'gen_ai.system',
        'gen_ai.model.provider',
        'llm.provider',
      ),
      model: members.text(...MODELS),
      message_id: members.text('gen_ai.response.id'),
      // The conventions count cached tokens among those of the input; the facts count them separately.
      input_tokens: input === undefined ? undefined : Math.max(input - (read ?? 0) - (created ?? 0), 0),
      output_tokens: members.count(
        'gen_ai.usage.output_tokens',
        'gen_ai.usage.completion_tokens',
        'tfy.model.metric.output_tokens',
        'llm.token_count.completion',
      ),
      cache_read_tokens: read,
      cache_creation_tokens: created,
      cost_usd_micros: costOf(attributes),
      success: error === undefined ? undefined : false,
      error_type: error,
    }),
    ...readConversation(attributes),
  };
}

const COSTS = [
  'gen_ai.cost.total_cost',
  'gen_ai.usage.cost',
  'tfy.model.metric.cost_in_usd',
  'llm.cost.total',
];

/** The cost, which attributes give in dollars. The normal form of OTLP writes numbers with a fraction as text. */
function costOf(attributes: JsonObject): number | undefined {
  for (const name of COSTS) {
    const micros = toMicros(numberOf(valueAt(attributes, name)));
    if (micros !== undefined) return micros;
  }
  return undefined;
}

function numberOf(value: JsonValue | undefined): JsonValue | undefined {
  const isNumeral =
    typeof value === 'string' && /^[0-9]{1,15}(?:\.[0-9]{1,40})?(?:e-?[0-9]{1,3})?$/i.test(value);
  return isNumeral ? Number(value) : value;
}
