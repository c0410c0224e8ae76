import { createHash } from 'node:crypto';
import { quarantineBody, quarantineItem } from '../connectors/drafts/decoded-items.ts';
import type { DraftRecord, Expanded, QuarantinedItem, Source } from '../connectors/drafts/source.ts';
import type { ItemPlace } from '../connectors/wire/body.ts';
import { createSourceFinder, SOURCES } from '../connectors/sources/index.ts';
import type { Envelope } from '../schemas/envelope.ts';
import type { QuarantineReason } from '../schemas/quarantine.ts';
import type { AuditRecord } from '../schemas/record.ts';
import { isSealable } from '../schemas/sealable.ts';
import { isWithinLimits, MAX_ADDED_LENGTH, plainLengthOf } from './expansion.ts';
import { createLabeller, type LabelRecord, type RecordLabels } from './label.ts';
import { splitPerson } from './person.ts';
import { recordClassOf } from './record-class.ts';
import { sealFacts } from './sealed-facts.ts';
import type { Surrogates } from './surrogates.ts';

export interface NormaliserOptions {
  readonly surrogates: Surrogates;
  /** The outside systems whose envelopes are read; those of any other are kept in quarantine. @default all known ones */
  readonly sources?: readonly Source[];
  /** How records are labelled. @default by the detectors of `connectors/detect` */
  readonly classify?: LabelRecord;
}

/** The records of one envelope, quarantined ones among them, in the order of its body. */
export interface Normalised {
  readonly records: AuditRecord[];
  readonly quarantinedCount: number;
  /** Characters of the records in canonical form, without escapes. */
  readonly plainLength: number;
}

export type Normalise = (envelope: Envelope) => Normalised;

/**
 * Expands envelopes into records. Pure but for the key in `surrogates`: the same item yields the same id in any
 * grouping. Never throws for what a sender wrote: what cannot become the record it claims to be is a record of type
 * `quarantined`, so that nothing acknowledged is lost.
 */
export function createNormaliser({
  surrogates,
  sources = SOURCES,
  classify = createLabeller(),
}: NormaliserOptions): Normalise {
  const sourceOf = createSourceFinder(sources);
  return (envelope) => {
    const { received_at, principal: collector, collector_run: run } = envelope;
    const isRedacted = envelope.redacted !== undefined;
    const principal = surrogates.principal(collector);
    const subjectOf = remember((claimed) => surrogates.subject(claimed));
    const sessionOwnerOf = remember((session) => surrogates.sessionOwner(session));
    const toRecord = (draft: DraftRecord, { content, data_classes }: RecordLabels): AuditRecord => {
      const { type, source, facts, natural_key, claimed_subject } = draft;
      if (data_classes.length > 0) facts.data_classes = [...data_classes];
      else if (facts.data_classes !== undefined) delete facts.data_classes;
      if (run !== undefined) {
        facts.collector_boot_id = run.boot_id;
        facts.collector_sequence = run.sequence;
      }
      const subject = claimed_subject === null ? null : subjectOf(claimed_subject);
      const session = facts.session_id ?? '';
      return {
        id: surrogates.recordId(natural_key),
        type,
        source,
        retention_class: recordClassOf(draft),
        principal,
        subject,
        key_owner: subject ?? (session === '' ? null : sessionOwnerOf(session)),
        received_at,
        ...splitPerson(facts.collector === collector ? facts : { ...facts, collector }),
        content,
      };
    };
    const label = ({ facts, content }: DraftRecord) => classify({ facts, content, isRedacted });
    const composeWith = (labelOf: typeof label) => (draft: DraftRecord) => {
      const sealed = sealFacts(draft);
      return toRecord(sealed, labelOf(sealed));
    };
    const composed = composeSafely(sourceOf(envelope), envelope, composeWith(label));
    if (typeof composed !== 'string') return composed;
    const kept = quarantineWhole(envelope, composed).map(composeWith((draft) => labelSafely(draft, label)));
    return toNormalised(
      kept,
      kept.reduce((sum, record) => sum + plainLengthOf(record), 0),
    );
  };
}

function toNormalised(records: AuditRecord[], plainLength: number): Normalised {
  const quarantinedCount = records.filter(({ type }) => type === 'quarantined').length;
  return { records, quarantinedCount, plainLength };
}

/** The items of one body name the same few people and sessions. */
function remember(surrogateOf: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    const surrogate = known.get(name) ?? surrogateOf(name);
    known.set(name, surrogate);
    return surrogate;
  };
}

/**
 * The records of an envelope, or the reason why it is kept whole. An unknown source, or a defect of a known one, must
 * cost the order of an envelope, never its content. An item of which a record cannot be sealed is quarantined alone,
 * where its source says which item it was.
 */
function composeSafely(
  source: Source | undefined,
  envelope: Envelope,
  toRecord: (draft: DraftRecord) => AuditRecord,
): Normalised | QuarantineReason {
  if (source === undefined) return 'body_undecodable';
  const bodyBytes = envelope.body.length;
  try {
    const judged: Judged[] = [];
    let plainLength = 0;
    for (const expanded of source.expand(envelope)) {
      const record = toRecord(toDraft(envelope, expanded));
      const length = isSealable(record) ? plainLengthOf(record) : NaN;
      const isSound = !Number.isNaN(length);
      if (isSound) plainLength += length;
      // The records of a small body could fill the memory before they are all made.
      if (plainLength > MAX_ADDED_LENGTH + bodyBytes) return 'body_expands_too_large';
      judged.push({ place: placeOf(expanded), record: isSound ? record : undefined });
    }
    if (judged.some(({ place, record }) => place === undefined && record === undefined))
      return 'body_undecodable';
    const records: AuditRecord[] = [];
    let total = 0;
    for (const record of withoutUnsound(judged, (item) => toRecord(toDraft(envelope, item)))) {
      total += plainLengthOf(record);
      if (total > MAX_ADDED_LENGTH + bodyBytes) return 'body_expands_too_large';
      records.push(record);
    }
    return isWithinLimits(records, total, bodyBytes)
      ? toNormalised(records, total)
      : 'body_expands_too_large';
  } catch {
    // The error may quote the body; the record says which envelope it was.
    return 'body_undecodable';
  }
}

function quarantineWhole(envelope: Envelope, reason: QuarantineReason): DraftRecord[] {
  return quarantineBody(envelope, reason).map((expanded) => toDraft(envelope, expanded));
}

/** The place of a draft's item in the body, and the record that it became. */
interface Judged {
  /** Undefined if the source does not say which item of the body it was. */
  readonly place: (() => ItemPlace) | undefined;
  /** Undefined if it cannot be sealed. */
  readonly record: AuditRecord | undefined;
}

function placeOf(expanded: Expanded): Judged['place'] {
  return expanded.kind === 'draft' ? expanded.place : undefined;
}

/** The records that can be sealed, and each item of which a record cannot as one quarantined item. */
function* withoutUnsound(
  judged: readonly Judged[],
  toRecord: (item: Expanded) => AuditRecord,
): Generator<AuditRecord> {
  const unsound = new Set(judged.filter(({ record }) => record === undefined).map(({ place }) => place));
  const done = new Set<unknown>();
  for (const { place, record } of judged) {
    if (place === undefined || !unsound.has(place)) {
      if (record !== undefined) yield record;
    } else if (!done.has(place)) {
      // The drafts of one item follow each other. The first gives its place in the order to the item.
      done.add(place);
      yield toRecord(quarantineItem(place()));
    }
  }
}

/** A body that cannot be labelled is kept without labels. */
function labelSafely(draft: DraftRecord, label: (draft: DraftRecord) => RecordLabels): RecordLabels {
  try {
    return label(draft);
  } catch {
    return { content: draft.content, data_classes: [] };
  }
}

function toDraft(envelope: Envelope, expanded: Expanded): DraftRecord {
  return expanded.kind === 'draft' ? expanded.draft : toQuarantinedDraft(envelope, expanded.item);
}

function toQuarantinedDraft(envelope: Envelope, item: QuarantinedItem): DraftRecord {
  const body_sha256 = createHash('sha256').update(item.bytes).digest('hex');
  const { buffer, byteOffset, byteLength } = item.bytes;
  return {
    type: 'quarantined',
    source: 'affidavit',
    natural_key: ['quarantined', envelope.source, item.pointer, body_sha256],
    claimed_subject: null,
    facts: {
      source_event: envelope.source,
      collector: envelope.principal,
      quarantine_reason: item.reason,
      quarantine_pointer: item.pointer,
      body_sha256,
      input_size_bytes: byteLength,
    },
    content: { body_base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64') },
  };
}
