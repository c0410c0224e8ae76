import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject } from '../../../schemas/json.ts';
import type { Facts } from '../../../schemas/record.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { toContent } from '../../drafts/members.ts';

/** What one delivery of a forge tells of, in the terms that all forges share. */
export interface ForgeEvent {
  readonly type: string;
  /** The forge's own name of it. */
  readonly event: string;
  readonly facts: Partial<Facts>;
  readonly content: JsonObject;
  /** The forge's own id of it, where it has one. */
  readonly id?: string;
  /** Tells apart several records of one delivery. */
  readonly part?: string;
}

/**
 * The records of one delivery. What is counted in a population of changes says when and of what it is, so that the same
 * event delivered by two webhooks is one record. Other events, an added member or label for one, may read the same each
 * time they happen: there the delivery's own id belongs to the key.
 */
export function toForgeDrafts(
  envelope: Envelope,
  forge: string,
  payload: JsonObject,
  events: readonly ForgeEvent[],
): DraftRecord[] {
  const delivery = envelope.idempotency_key ?? '';
  // Once for all: a push may bring thousands of commits.
  const digest = digestItem(payload);
  return events.map(({ type, event, facts, content, id, part = '' }) => ({
    type,
    source: 'forge',
    natural_key: [forge, id ?? (TELLING_TYPES.has(type) ? '' : delivery), event, part, digest],
    claimed_subject: facts.claimed_user ?? null,
    facts: { ...facts, source_event: event, collector: envelope.principal },
    content: toContent(toHashable(content) as JsonObject),
  }));
}

/** Types whose events tell themselves apart. */
const TELLING_TYPES: ReadonlySet<string> = new Set([
  'change.pushed',
  'change.proposed',
  'change.merged',
  'change.closed',
  'change.reviewed',
  'change.checked',
  'change.deployed',
]);

/** A commit's name as all forges write it; undefined for the zeros that stand for none. */
export function commitIdOf(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{7,64}$/.test(text) && !/^0+$/.test(text) ? text : undefined;
}

/** What a conclusion says of success; undefined for what is neither, such as a check that was skipped. */
export function successOf(conclusion: string | undefined): boolean | undefined {
  if (conclusion === 'success') return true;
  return conclusion !== undefined && FAILURES.has(conclusion) ? false : undefined;
}

const FAILURES: ReadonlySet<string> = new Set([
  'failure',
  'failed',
  'error',
  'timed_out',
  'cancelled',
  'canceled',
  'action_required',
  'startup_failure',
  'stale',
]);
