/** The frames that a batch will fill, each with its data key. In: records. Out: one frame for each kind, class and owner. */
import { PART_KINDS, type PartKind } from '../../schemas/bundle.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { classOfPart } from '../../schemas/retention.ts';
import { NONCE_BYTES } from '../chain/aes-gcm.ts';
import { frameKeyAddress, frameSecret } from '../chain/frame.ts';
import type { DataKey } from '../chain/data-key.ts';
import type { PartTaker } from '../chain/leaf.ts';
import { LineWriter } from '../../schemas/line-writer.ts';
import type { LedgerOptions } from './options.ts';

type Label = Pick<FrameRef, 'kind' | 'retention_class' | 'subject'>;
/** A label, and the number of parts of the batch that bear it. */
type CountedLabel = Label & { line_count: number };

/** A frame before it is sealed. Its parts are added to `lines`, and are as many as `line_count`. */
export interface OpenFrame extends CountedLabel, PartTaker {
  readonly dataKey: DataKey;
  readonly nonce: Uint8Array;
}

export interface OpenFrames {
  /** In the order of kinds. */
  readonly all: readonly OpenFrame[];
  /** The frame that takes a part of a record. */
  of(record: AuditRecord, kind: PartKind): OpenFrame;
  /** Surrogate of the person of a record. */
  subjectOf(record: AuditRecord): string | null;
}

/** A subject may be destroyed between two questions to the key store; then its name gets another surrogate. */
const MAX_TRIES = 3;

/** Opens the frames of a batch. Surrogates and data keys are durable in the key store when it resolves. */
export async function openFrames(
  options: Pick<LedgerOptions, 'dataKeys' | 'randomBytes'>,
  records: readonly AuditRecord[],
  nowMs: number,
): Promise<OpenFrames> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const { surrogates, labels, keys } = await obtainKeys(options, records, nowMs);
    const frames = labels.flatMap((label, position) => {
      const dataKey = keys[position];
      return dataKey === undefined || dataKey === 'destroyed' ? [] : [openFrame(options, label, dataKey)];
    });
    if (frames.length === labels.length) return framesBy(frames, surrogates);
  }
  throw new PipelineError('KEY_DESTROYED', 'a data key that this month needs was destroyed');
}

/**
 * Makes the surrogates and data keys that a batch of these records will need, so that `openFrames` finds them in memory. It
 * promises nothing: `openFrames` asks again.
 */
export async function makeKeysAhead(
  options: Pick<LedgerOptions, 'dataKeys'>,
  records: readonly AuditRecord[],
  nowMs: number,
): Promise<void> {
  await obtainKeys(options, records, nowMs);
}

/** One label for each frame of the batch, each with its key. */
async function obtainKeys(
  options: Pick<LedgerOptions, 'dataKeys'>,
  records: readonly AuditRecord[],
  nowMs: number,
) {
  const surrogates = await surrogatesOf(options, records);
  const labels = labelsOf(records, surrogates);
  const integrated_at = toInstant(nowMs);
  const addresses = labels.map((label) => frameKeyAddress({ integrated_at }, label));
  return { surrogates, labels, keys: await options.dataKeys.keysFor(addresses) };
}

function openFrame(
  { randomBytes }: Pick<LedgerOptions, 'randomBytes'>,
  label: CountedLabel,
  dataKey: DataKey,
): OpenFrame {
  const nonce = randomBytes(NONCE_BYTES);
  return { ...label, dataKey, nonce, secret: frameSecret(dataKey.key, nonce), lines: new LineWriter() };
}

function framesBy(all: readonly OpenFrame[], surrogates: ReadonlyMap<string, string>): OpenFrames {
  const byName = new Map(all.map((frame) => [nameOf(frame), frame]));
  return {
    all,
    of: (record, kind) => byName.get(nameOf(labelOf(record, kind, surrogates))) ?? never(),
    subjectOf: ({ subject }) => (subject === null ? null : (surrogates.get(subject) ?? never())),
  };
}

/** Surrogates by name, of all persons and key owners of a batch. */
async function surrogatesOf(
  { dataKeys }: Pick<LedgerOptions, 'dataKeys'>,
  records: readonly AuditRecord[],
): Promise<ReadonlyMap<string, string>> {
  const names = new Set(records.flatMap(({ subject, key_owner }) => [subject, key_owner]));
  names.delete(null);
  const asked = [...names].filter((name) => name !== null);
  const surrogates = await dataKeys.subjects(asked);
  return new Map(asked.map((name, position) => [name, surrogates[position] ?? never()]));
}

/** One label for each frame of the batch, in the order of kinds. */
function labelsOf(records: readonly AuditRecord[], surrogates: ReadonlyMap<string, string>): CountedLabel[] {
  const labels = new Map<string, CountedLabel>();
  for (const kind of PART_KINDS) {
    for (const record of records) {
      if (record[kind] === null) continue;
      const label = labelOf(record, kind, surrogates);
      const name = nameOf(label);
      const counted = labels.get(name);
      if (counted === undefined) labels.set(name, { ...label, line_count: 1 });
      else counted.line_count += 1;
    }
  }
  return [...labels.values()];
}

/** Facts name nobody, so the key of their class encrypts them, and they stay when a person is erased. */
function labelOf(
  { retention_class, key_owner }: AuditRecord,
  kind: PartKind,
  surrogates: ReadonlyMap<string, string>,
): Label {
  const isOwned = kind !== 'facts' && key_owner !== null;
  return {
    kind,
    retention_class: classOfPart(kind, retention_class),
    subject: isOwned ? (surrogates.get(key_owner) ?? never()) : null,
  };
}

function nameOf({ kind, retention_class, subject }: Label): string {
  return `${kind} ${retention_class} ${subject ?? ''}`;
}

/** Every name was asked for, and every part has a frame, so a missing one is a defect. */
function never(): never {
  throw new PipelineError('INTERNAL', 'a part of the batch has no frame');
}
