import type { JsonObject } from '../../../schemas/json.ts';
import { readTurns } from '../gateways/exchange.ts';
import { toGatewayDrafts, type GatewayCall } from '../gateways/gateway-call.ts';
import { ALLOW } from '../../drafts/answers.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { omitMembers } from '../../drafts/members.ts';
import { statedFacts, textAt, valueAt, wordAt } from '../../drafts/nested.ts';
import {
  DELIVERY_ID,
  headerOf,
  requireHeader,
  signatureInvalid,
  unsigned,
  type WebhookProof,
} from '../../wire/webhook-proof.ts';
import { fitsStandardWebhook } from '../../wire/webhook-signatures.ts';

const GATEWAY = 'inference-hook';
/** The application that Anthropic names when an administrator tests the connection. */
const TEST_APPLICATION = 'config-test';

/** The largest difference between the sender's clock and ours. An older delivery may be a replay. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000;

/** Standard Webhooks as Anthropic's inference hooks use it: the signature covers id, time and body. */
const ANTHROPIC_PROOF: WebhookProof = {
  platform: 'anthropic',
  description: '`webhook-signature`',
  // Anthropic does not send larger conversations.
  maxBytes: 10 * 1024 * 1024,
  open(headers, secrets, nowMs) {
    const signatures = headerOf(headers, 'webhook-signature');
    if (signatures === undefined) throw unsigned('webhook-signature');
    const id = requireHeader(headers, 'webhook-id', DELIVERY_ID);
    const seconds = requireHeader(headers, 'webhook-timestamp', /^[0-9]{1,12}$/);
    if (Math.abs(Number(seconds) * 1000 - nowMs) > MAX_CLOCK_DIFFERENCE_MS) {
      throw signatureInvalid('webhook-timestamp is more than five minutes from the time here');
    }
    return {
      id,
      eventName: undefined,
      requireGenuine(body) {
        if (fitsStandardWebhook(signatures, { id, seconds, body }, secrets)) return;
        throw signatureInvalid('webhook-signature fits the body under no secret');
      },
    };
  },
};

/**
 * Inference hooks of Claude Enterprise (platform.claude.com, "Develop an Inference hooks integration"): the whole
 * conversation before each request to a model, from the apps, Claude Code and Cowork. The hook sees the same as a
 * gateway except the answer, so it yields the same parts as a gateway. It does not know whether the request reached
 * the model, so its record is not a `model.called`. Written from the documents; none was recorded.
 */
export const inferenceHook = itemSource({
  name: 'anthropic-inference-hook',
  title: 'Claude Enterprise, inference hooks',
  route: '/v1/webhooks/anthropic',
  contentTypes: ['application/json'],
  proof: ANTHROPIC_PROOF,
  answer: ALLOW,
  isSingle: true,
  sessionOf: (value) => textAt(value, 'session_id'),
  toDrafts: (envelope, value) => {
    const drafts = toGatewayDrafts(envelope, GATEWAY, value, toCall(value));
    return drafts.map((draft) =>
      draft.type === 'model.called' ? { ...draft, type: 'event.observed' } : draft,
    );
  },
});

const ACTOR_MEMBERS = ['email_address', 'id'] as const;

function toCall(value: JsonObject): GatewayCall {
  const actor = ACTOR_MEMBERS.find((name) => textAt(value, 'actor', name) !== undefined);
  const application = wordAt(value, 'source', 'application') ?? wordAt(value, 'application');
  const event = wordAt(value, 'type') ?? 'unnamed';
  return {
    event: application === undefined ? event : `${event}.${application}`,
    has_failed: false,
    facts: statedFacts({
      session_id: textAt(value, 'session_id'),
      request_id: textAt(value, 'request_id'),
      organization_id: textAt(value, 'tenant_id'),
      claimed_user: actor === undefined ? undefined : textAt(value, 'actor', actor),
      claimed_user_source: actor === undefined ? undefined : `actor.${actor}`,
      model: textAt(value, 'model'),
      provider: 'anthropic',
      synthetic: application === TEST_APPLICATION ? true : undefined,
    }),
    messages: readTurns(valueAt(value, 'messages')),
    answer: [],
    tools: valueAt(value, 'tools'),
    rest: omitMembers(value, Array.isArray(value['messages']) ? CARRIED : CARRIED_BUT_MESSAGES),
  };
}

const CARRIED_BUT_MESSAGES: ReadonlySet<string> = new Set(['tools']);
const CARRIED: ReadonlySet<string> = new Set(['messages', ...CARRIED_BUT_MESSAGES]);
