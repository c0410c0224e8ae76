import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject } from '../../../schemas/json.ts';
import { NativeEvent } from '../../../schemas/native-event.ts';
import type { Facts } from '../../../schemas/record.ts';
import { compileValidator } from '../../../schemas/validate.ts';
import { digestItem } from '../../drafts/digest.ts';
import { expandDecoded, expandOrQuarantine } from '../../drafts/expand.ts';
import type { DraftRecord, SourceConnector } from '../../drafts/source.ts';
import { ifAny, omitMembers, say, toContent } from '../../drafts/members.ts';
import { decodeNative, type NativeItem } from '../../drafts/native-body.ts';

const checkEvent = compileValidator(NativeEvent);

/** Record types that only the system itself writes. */
const RESERVED_TYPES: readonly string[] = ['quarantined'];

/** Records in the system's own shape (schemas/native-event.ts); each item of a body stands or falls by itself. */
export const native: SourceConnector = {
  name: 'native',
  expand: (envelope) =>
    expandOrQuarantine(envelope, () => {
      const decoded = decodeNative(envelope.content_type, envelope.body, findShapeProblem);
      return expandDecoded(envelope, decoded, (item) => toDraft(envelope, item));
    }),
};

function findShapeProblem(value: JsonObject): string | undefined {
  const checked = checkEvent(value);
  if (!checked.ok) return checked.problems[0]?.pointer ?? '';
  return RESERVED_TYPES.includes(checked.value.type) ? '/type' : undefined;
}

function toDraft(envelope: Envelope, { value }: NativeItem): DraftRecord {
  const event = value as JsonObject & NativeEvent;
  const { type, session_id, event_id, occurred_at } = event;
  const facts: Facts = { ...event.facts, source_event: type, collector: envelope.principal };
  say(facts, 'session_id', session_id);
  say(facts, 'occurred_at', occurred_at);
  return {
    type,
    source: 'native',
    natural_key: ['native', session_id ?? '', event_id ?? '', type, digestItem(value)],
    claimed_subject: facts.claimed_user ?? null,
    facts,
    content: toNativeContent(value),
  };
}

const CARRIED: ReadonlySet<string> = new Set(['type', 'session_id', 'occurred_at', 'facts', 'content']);

/** What the sender calls content, and beside it under `extensions` the members that no fact carries. */
function toNativeContent(value: JsonObject): JsonObject | null {
  const beside = ifAny(omitMembers(value, CARRIED));
  const content = toHashable(value['content'] ?? {}) as JsonObject;
  if (beside === undefined) return toContent(content);
  const extensions = toHashable(beside);
  const own = content['extensions'];
  return { ...content, extensions: own === undefined ? extensions : { content: own, event: extensions } };
}
