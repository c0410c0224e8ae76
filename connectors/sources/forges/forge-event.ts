import type { Envelope } from '../../../schemas/envelope.ts';
import { toHashable, type JsonObject } from '../../../schemas/json.ts';
import type { StatedFacts } from '../../../schemas/record.ts';
import { digestItem } from '../../drafts/digest.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import { toContent } from '../../drafts/members.ts';

/** One event of a delivery, in the terms that all forges share. */
export interface ForgeEvent {
  readonly type: string;
  /** The forge's own name of the event. */
  readonly event: string;
  readonly facts: Partial<StatedFacts>;
  readonly content: JsonObject;
  /** The forge's own id of the event, if it has one. */
  readonly id?: string;
  /** Distinguishes several records of one delivery. */
  readonly part?: string;
}

/**
 * The records of one delivery. An event that a population of changes counts names its time and its object, so the
 * same event from two webhooks is one record. Other events, for instance an added member or label, may read the same
 * each time they happen. Their key includes the id of the delivery.
 */
export function toForgeDrafts(
  envelope: Envelope,
  forge: string,
  payload: JsonObject,
  events: readonly ForgeEvent[],
): DraftRecord[] {
  const delivery = envelope.idempotency_key ?? '';
  // Computed once, because a push may bring thousands of commits.
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

/** Types whose events are identified by their payload alone. */
const TELLING_TYPES: ReadonlySet<string> = new Set([
  'change.pushed',
  'change.proposed',
  'change.merged',
  'change.closed',
  'change.reviewed',
  'change.checked',
  'change.deployed',
]);

/** A commit's name as all forges write it; undefined for zeros, which mean that there is no commit. */
export function commitIdOf(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{7,64}$/.test(text) && !/^0+$/.test(text) ? text : undefined;
}

/** Whether a conclusion is a success; undefined if it is neither success nor failure, as for a skipped check. */
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
