import { createHash } from 'node:crypto';
import { quarantineBody } from '../connectors/drafts/decoded-items.ts';
import type { DraftRecord, Expanded, QuarantinedItem, Source } from '../connectors/drafts/source.ts';
import { createSourceFinder, SOURCES } from '../connectors/sources/index.ts';
import type { Envelope } from '../schemas/envelope.ts';
import type { JsonObject } from '../schemas/json.ts';
import type { AuditRecord } from '../schemas/record.ts';
import { isSealable } from '../schemas/sealable.ts';
import { createLabeller, type LabelRecord } from './label.ts';
import type { Surrogates } from './surrogates.ts';

export interface NormaliserOptions {
  readonly surrogates: Surrogates;
  readonly retentionClass: string;
  /** The outside systems whose envelopes are read; those of any other are kept in quarantine. @default all known ones */
  readonly sources?: readonly Source[];
  /** How records are labelled. @default by the detectors of `connectors/detect` */
  readonly classify?: LabelRecord;
}

/** The records of one envelope, quarantined ones among them, in the order of its body. */
export interface Normalised {
  readonly records: AuditRecord[];
  readonly quarantinedCount: number;
}

export type Normalise = (envelope: Envelope) => Normalised;

/**
 * Expands envelopes into records. Pure but for the key in `surrogates`: the same item yields the same id in any
 * grouping. Never throws for what a sender wrote: what cannot become the record it claims to be is a record of type
 * `quarantined`, so that nothing acknowledged is lost.
 */
export function createNormaliser({
  surrogates,
  retentionClass,
  sources = SOURCES,
  classify = createLabeller(),
}: NormaliserOptions): Normalise {
  const sourceOf = createSourceFinder(sources);
  return (envelope) => {
    const { received_at, principal: collector, collector_run: run } = envelope;
    const isRedacted = envelope.redacted !== undefined;
    const principal = surrogates.principal(collector);
    const subjectOf = rememberSubjects(surrogates);
    const toRecord = (draft: DraftRecord): AuditRecord => {
      const { type, source, facts, natural_key, claimed_subject } = draft;
      const { content, data_classes } = classify({ facts, content: draft.content, isRedacted });
      if (data_classes.length > 0) facts.data_classes = [...data_classes];
      else if (facts.data_classes !== undefined) delete facts.data_classes;
      if (run !== undefined) {
        facts.collector_boot_id = run.boot_id;
        facts.collector_sequence = run.sequence;
      }
      return {
        id: surrogates.recordId(natural_key),
        type,
        source,
        retention_class: retentionClass,
        principal,
        subject: claimed_subject === null ? null : subjectOf(claimed_subject),
        received_at,
        facts: facts.collector === collector ? facts : { ...facts, collector },
        content,
      };
    };
    const expanded = expandSafely(sourceOf(envelope), envelope).map(toRecord);
    const records = expanded.every(isSealable) ? expanded : quarantineWhole(envelope).map(toRecord);
    return { records, quarantinedCount: records.filter(({ type }) => type === 'quarantined').length };
  };
}

/** The items of one body name the same few people. */
function rememberSubjects(surrogates: Surrogates): (claimed: string) => string {
  const known = new Map<string, string>();
  return (claimed) => {
    const surrogate = known.get(claimed) ?? surrogates.subject(claimed);
    known.set(claimed, surrogate);
    return surrogate;
  };
}

/** An unknown source, or a defect of a known one, must cost the order of an envelope, never its content. */
function expandSafely(source: Source | undefined, envelope: Envelope): DraftRecord[] {
  try {
    const drafts = source?.expand(envelope).map((expanded) => toDraft(envelope, expanded)) ?? [];
    const isSound = drafts.every(({ facts, content }) => isHashable(facts) && isHashable(content));
    if (source !== undefined && isSound) return drafts;
  } catch {
    // The error may quote the body; the record says which envelope it was.
  }
  return quarantineWhole(envelope);
}

function quarantineWhole(envelope: Envelope): DraftRecord[] {
  return quarantineBody(envelope, 'body_undecodable').map((expanded) => toDraft(envelope, expanded));
}

/** The ledger hashes both parts; what has no canonical form must show here, where it can still be quarantined. */
function isHashable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.every(isHashable);
  if (typeof value !== 'object' || value === null) return value === null || typeof value === 'boolean';
  for (const name of Object.keys(value)) {
    if (!name.isWellFormed() || !isHashable((value as JsonObject)[name])) return false;
  }
  return true;
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
