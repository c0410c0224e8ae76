import { readMessage } from '../../../../connectors/drafts/conversation.ts';
import { countAt, statedFacts, textAt, valueAt } from '../../../../connectors/drafts/nested.ts';
import { toGatewayDrafts } from '../../../../connectors/sources/gateways/gateway-call.ts';
import { gatewaySource } from '../../../../connectors/sources/gateways/gateway-source.ts';
import { isJsonObject } from '../../../../schemas/json.ts';

/** A gateway that does not exist: all that this system has to be told of one. */
export const acme = gatewaySource({
  name: 'acme',
  title: 'Acme, made up',
  findShapeProblem: (value) => (textAt(value, 'model') === undefined ? '/model' : undefined),
  sessionOf: (value) => textAt(value, 'session'),
  toDrafts: (envelope, value) => {
    const message = valueAt(value, 'message');
    return toGatewayDrafts(envelope, 'acme', value, {
      event: 'chat',
      has_failed: false,
      facts: statedFacts({
        session_id: textAt(value, 'session'),
        model: textAt(value, 'model'),
        input_tokens: countAt(value, 'tokens'),
      }),
      messages: isJsonObject(message) ? readMessage(message) : [],
      answer: [],
      tools: undefined,
      rest: {},
    });
  },
});
