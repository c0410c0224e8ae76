import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject } from '../../../schemas/json.ts';
import { NativeEvent } from '../../../schemas/native-event.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { compileValidator } from '../../../schemas/validate.ts';
import { digestItem } from '../../drafts/digest.ts';
import { COUNTED_ITEMS } from '../../drafts/answers.ts';
import { expandItems, expandOrQuarantine, readItems } from '../../drafts/decoded-items.ts';
import { decodeReceived } from '../../drafts/item-source.ts';
import { defineSource, type DraftRecord } from '../../drafts/source.ts';
import { ifAny, omitMembers, setFact, toContent } from '../../drafts/members.ts';
import { decodeJsonItems, type JsonItem } from '../../drafts/json-body.ts';

const checkEvent = compileValidator(NativeEvent);

/** Record types that only the system itself writes. */
const RESERVED_TYPES: readonly string[] = ['quarantined'];

/** Records in the system's own shape (schemas/native-event.ts); each item of a body is judged by itself. */
export const native = defineSource({
  name: 'native',
  title: 'Events in the shape of this system',
  route: '/v1/events',
  contentTypes: ['application/json', 'application/x-ndjson'],
  proof: 'bearer',
  answer: COUNTED_ITEMS,
  read: (envelope) =>
    readItems(envelope, decodeReceived(envelope, false, RULES), {
      sessionOf: ({ value }) => sessionOf(value),
    }),
  expand: (envelope) =>
    expandOrQuarantine(envelope, () => {
      const decoded = decodeJsonItems(envelope.content_type, envelope.body, RULES);
      return expandItems(envelope, decoded, (item) => [toDraft(envelope, item)]);
    }),
});

const RULES = { findShapeProblem };

/** The schema guarantees that a session is a string. */
function sessionOf({ session_id }: JsonObject): string | undefined {
  return typeof session_id === 'string' ? session_id : undefined;
}

function findShapeProblem(value: JsonObject): string | undefined {
  const checked = checkEvent(value);
  if (!checked.ok) return checked.problems[0]?.pointer ?? '';
  return RESERVED_TYPES.includes(checked.value.type) ? '/type' : undefined;
}

function toDraft(envelope: Envelope, { value }: JsonItem): DraftRecord {
  const event = value as JsonObject & NativeEvent;
  const { type, session_id, event_id, occurred_at } = event;
  const facts: StatedFacts = { ...event.facts, source_event: type, collector: envelope.principal };
  setFact(facts, 'session_id', session_id);
  setFact(facts, 'occurred_at', occurred_at);
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

/** The sender's content, and under `extensions` the members that no fact carries. */
function toNativeContent(value: JsonObject): JsonObject | null {
  const beside = ifAny(omitMembers(value, CARRIED));
  const content = toHashable(value['content'] ?? {}) as JsonObject;
  if (beside === undefined) return toContent(content);
  const extensions = toHashable(beside);
  const own = content['extensions'];
  return { ...content, extensions: own === undefined ? extensions : { content: own, event: extensions } };
}
