import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject } from '../../../schemas/json.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { toContent } from '../../drafts/members.ts';
import { statedFacts, type PossibleFacts } from '../../drafts/nested.ts';

/** An event of a gateway that is not a call of a model. */
export interface GatewayEvent {
  readonly type: string;
  readonly event: string;
  readonly facts: PossibleFacts;
  readonly content: JsonObject;
}

/** One record. `item` identifies the event. Several events of one item each pass their own part of it. */
export function toGatewayEventDraft(
  envelope: Envelope,
  gateway: string,
  item: JsonObject,
  { type, event, facts, content }: GatewayEvent,
): DraftRecord {
  return {
    type,
    source: 'gateway',
    natural_key: ['gateway-event', gateway, facts.request_id ?? '', event, digestItem(item)],
    claimed_subject: facts.claimed_user ?? null,
    facts: { source_event: event, collector: envelope.principal, gateway, ...statedFacts(facts) },
    content: toContent(toHashable(content) as JsonObject),
  };
}

/** An item of an unknown kind, kept whole. */
export function toUnknownDraft(envelope: Envelope, gateway: string, item: JsonObject): DraftRecord {
  return toGatewayEventDraft(envelope, gateway, item, {
    type: 'event.observed',
    event: 'unnamed',
    facts: {},
    content: item,
  });
}
