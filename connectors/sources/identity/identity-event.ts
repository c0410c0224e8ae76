import { Type, type Static } from 'typebox';
import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { compileValidator } from '../../../schemas/validate.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { toUtcInstant } from '../../drafts/instants.ts';
import { omitMembers, toContent } from '../../drafts/members.ts';
import { statedFacts } from '../../drafts/nested.ts';

const Name = Type.String({ minLength: 1, maxLength: 1024 });

const About = {
  by: Type.Optional(Name),
  occurred_at: Type.String({ description: 'RFC 3339 with its offset from UTC' }),
  source: Name,
  id: Type.Optional(Name),
};

const Expectation = Type.Union([Type.Literal('expected'), Type.Literal('excused')]);

/**
 * One event in the life of a person or a key, in the shape of this system. `user` is the person it is about and `by`
 * the person who did it. `key` is the name or hash of a key, never the key itself. `id` is the same in every resend.
 * A person who is `expected` to work with agents, or everybody with a role, is on the roster until `excused`. Other
 * members are kept.
 */
export const IdentityEvent = Type.Union([
  Type.Object({ ...About, user: Name, event: Type.Union([Type.Literal('joined'), Type.Literal('left')]) }),
  Type.Object({
    ...About,
    event: Type.Union([Type.Literal('role_granted'), Type.Literal('role_revoked')]),
    user: Name,
    role: Name,
  }),
  Type.Object({
    ...About,
    event: Type.Union([Type.Literal('key_created'), Type.Literal('key_revoked')]),
    user: Name,
    key: Name,
  }),
  Type.Object({ ...About, user: Name, event: Expectation, role: Type.Optional(Type.Never()) }),
  Type.Object({ ...About, role: Name, event: Expectation, user: Type.Optional(Type.Never()) }),
]);
export type IdentityEvent = Static<typeof IdentityEvent>;

const checkEvent = compileValidator(IdentityEvent);

/** The place at which an object is not an event of this shape. A misspelt leaver must not pass for another event. */
export function findEventProblem(value: JsonObject): string | undefined {
  const checked = checkEvent(value);
  if (checked.ok) return toUtcInstant(value['occurred_at']) === undefined ? '/occurred_at' : undefined;
  const missing = ['event', 'occurred_at', 'source'].find((name) => typeof value[name] !== 'string');
  if (missing !== undefined) return `/${missing}`;
  const isOfNobody = typeof value['user'] !== 'string' && typeof value['role'] !== 'string';
  return isOfNobody ? '/user' : '/event';
}

const CARRIED: ReadonlySet<string> = new Set(['event', 'user', 'by', 'role', 'key', 'id']);

/** The draft of an object in which `findEventProblem` found no problem. */
export function toIdentityDraft(envelope: Envelope, value: JsonObject): DraftRecord {
  const read = value as unknown as IdentityEvent;
  const { event, by, occurred_at, source, id } = read;
  const instant = toUtcInstant(occurred_at);
  const facts: StatedFacts = {
    source_event: event,
    collector: envelope.principal,
    ...statedFacts({
      occurred_at: instant,
      claimed_user: by,
      claimed_user_source: by === undefined ? undefined : 'by',
      target_user: 'user' in read ? read.user : undefined,
      reason: 'role' in read ? read.role : undefined,
      virtual_key: 'key' in read ? read.key : undefined,
      request_id: id,
    }),
  };
  const carried = instant === occurred_at ? new Set([...CARRIED, 'occurred_at']) : CARRIED;
  return {
    type: `identity.${event}`,
    source: 'identity',
    natural_key: ['identity', source, id ?? '', digestItem(value)],
    claimed_subject: by ?? null,
    facts,
    content: toContent(toHashable(omitMembers(value, carried)) as JsonObject),
  };
}
