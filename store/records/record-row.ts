import { Compile } from 'typebox/compile';
import type { BundleHeader, PartKind } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { Facts, Person } from '../../schemas/record.ts';
import { digestIn, type SealedRecord } from '../chain/leaf.ts';
import { chainHash, leafHash } from '../chain/merkle.ts';
import { partDigest, partPrefix, saltOf } from '../chain/part.ts';
import type { RecordRow } from './record-store.ts';

/** A created bundle with its stored parts, read back from the archive. */
export interface SealedBundle {
  readonly log: string;
  readonly header: BundleHeader;
  readonly leafTexts: readonly string[];
  /** Stored parts by leaf index. */
  readonly facts: ReadonlyMap<number, StoredPart>;
  readonly person: ReadonlyMap<number, StoredPart>;
  readonly content: ReadonlyMap<number, StoredPart>;
  /** How many lines of each kind no key opens any more: the key store holds a tombstone. */
  readonly erased: Readonly<Record<PartKind, number>>;
}

/** A line of a frame, and the secret of that frame. */
export interface StoredPart {
  readonly line: string;
  readonly secret: Uint8Array;
}

/** Compiled once: an interpreted check of every row costs more than hashing it. */
const leafShape = Compile(Leaf);
const factsShape = Compile(Facts);
const personShape = Compile(Person);

/**
 * Rows of one bundle in leaf order, equal to those that `toSealedRow` makes when the bundle is written. Throws
 * ARCHIVE_DAMAGED where the leaves are not those that the header names, or a part is missing or is not the one that its
 * leaf commits to.
 *
 * @param previousChain chain value of the leaf before the bundle
 */
export function toRows(bundle: SealedBundle, previousChain: Uint8Array): RecordRow[] {
  let chain = previousChain;
  const erased = { ...bundle.erased };
  const rows = bundle.leafTexts.map((leafText, position) => {
    const index = bundle.header.start_index + position;
    const hash = leafHash(Buffer.from(leafText));
    chain = chainHash(chain, hash);
    return toRow(bundle, { index, leafText, hash, chain }, erased);
  });
  if (Buffer.from(chain).toString('hex') === bundle.header.chain_head) return rows;
  const start = String(bundle.header.start_index);
  throw new PipelineError(
    'ARCHIVE_DAMAGED',
    `the leaves of the bundle at ${start} are not those of its header`,
  );
}

interface PlacedLeaf {
  readonly index: number;
  readonly leafText: string;
  readonly hash: Uint8Array;
  readonly chain: Uint8Array;
}

/** `erased` is counted down for each part that a leaf names and no frame yields any more. */
function toRow(
  bundle: SealedBundle,
  { index, leafText, hash, chain }: PlacedLeaf,
  erased: Record<PartKind, number>,
): RecordRow {
  const leaf = checked(leafShape, leafText, index);
  const open = (kind: PartKind) => openPart(bundle[kind].get(index), leaf, { index, kind });
  const openNamed = (kind: PartKind) => {
    if (digestIn(leaf, kind) === undefined) return NO_PART;
    if (bundle[kind].has(index) || erased[kind] === 0) return open(kind);
    erased[kind] -= 1;
    return NO_PART;
  };
  if (erased.facts > 0)
    throw new PipelineError('KEY_DESTROYED', `no key opens the facts of the bundle of leaf ${String(index)}`);
  const facts = open('facts');
  const person = openNamed('person');
  const content = openNamed('content');
  return composeRow(leaf, {
    log: bundle.log,
    leaf_index: index,
    chain_hash: Buffer.from(chain).toString('hex'),
    integrated_at: bundle.header.integrated_at,
    record: {
      facts: checked(factsShape, facts.text, index),
      person: person.text === '' ? null : checked(personShape, person.text, index),
    },
    texts: {
      leaf_hash: Buffer.from(hash).toString('hex'),
      leaf: leafText,
      facts: facts.text,
      facts_secret: facts.secret,
      person: person.text,
      person_secret: person.secret,
      content: content.text,
      content_secret: content.secret,
      ...digestsOf(leaf),
    },
  });
}

/** Position of a sealed record in its log, and its members that are columns. */
interface RowPosition extends Pick<RecordRow, 'log' | 'leaf_index' | 'chain_hash' | 'integrated_at'> {
  readonly record: { readonly facts: Facts; readonly person: Person | null };
}

/** The row of a record that was just sealed, equal to the one that recovery makes of its bundle. */
export function toSealedRow(sealed: SealedRecord, position: RowPosition): RecordRow {
  return composeRow(sealed.leaf, {
    ...position,
    texts: {
      leaf_hash: Buffer.from(sealed.leaf_hash).toString('hex'),
      leaf: sealed.leaf_text,
      facts: sealed.facts.text,
      facts_secret: toBase64Url(sealed.facts.secret),
      person: sealed.person?.text ?? '',
      person_secret: sealed.person === null ? '' : toBase64Url(sealed.person.secret),
      content: sealed.content?.text ?? '',
      content_secret: sealed.content === null ? '' : toBase64Url(sealed.content.secret),
      ...digestsOf(sealed.leaf),
    },
  });
}

type RowTexts = Pick<
  RecordRow,
  'leaf_hash' | 'leaf' | PartKind | `${PartKind}_secret` | `${PartKind}_digest`
>;

/** '' for a part that the record does not have. */
function digestsOf(leaf: Leaf): Pick<RecordRow, `${PartKind}_digest`> {
  return {
    facts_digest: digestIn(leaf, 'facts') ?? '',
    person_digest: digestIn(leaf, 'person') ?? '',
    content_digest: digestIn(leaf, 'content') ?? '',
  };
}

/** Facts and person come last: with members behind the spread, building the object takes sixty times as long. */
function composeRow(leaf: Leaf, position: RowPosition & { readonly texts: RowTexts }): RecordRow {
  const { texts } = position;
  return {
    log: position.log,
    leaf_index: position.leaf_index,
    chain_hash: position.chain_hash,
    integrated_at: position.integrated_at,
    leaf_hash: texts.leaf_hash,
    leaf: texts.leaf,
    facts: texts.facts,
    facts_secret: texts.facts_secret,
    facts_digest: texts.facts_digest,
    person: texts.person,
    person_secret: texts.person_secret,
    person_digest: texts.person_digest,
    content: texts.content,
    content_secret: texts.content_secret,
    content_digest: texts.content_digest,
    id: leaf.id,
    type: leaf.type,
    source: leaf.source,
    principal: leaf.principal,
    subject: leaf.subject ?? '',
    retention_class: leaf.retention_class,
    received_at: leaf.received_at,
    ...position.record.facts,
    ...position.record.person,
  };
}

/** A part as a row holds it: its canonical JSON, and the secret as base64url. */
interface OpenPart {
  readonly text: string;
  readonly secret: string;
}

const NO_PART: OpenPart = { text: '', secret: '' };

/** Cuts the text of the part out of its line, so that the row stores the very text that was hashed. */
function openPart(
  part: StoredPart | undefined,
  leaf: Leaf,
  { index, kind }: { readonly index: number; readonly kind: PartKind },
): OpenPart {
  const prefix = partPrefix(index, kind);
  if (
    part?.line.startsWith(prefix) !== true ||
    partDigest(part.line, saltOf(part.secret, index, kind)) !== digestIn(leaf, kind)
  ) {
    throw new PipelineError(
      'ARCHIVE_DAMAGED',
      `${kind} of leaf ${String(index)} are not what its leaf commits to`,
    );
  }
  return { text: part.line.slice(prefix.length, -1), secret: toBase64Url(part.secret) };
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

interface Shape<T> {
  Check(value: unknown): value is T;
}

function checked<T>(shape: Shape<T>, text: string, index: number): T {
  const value: unknown = JSON.parse(text);
  if (shape.Check(value)) return value;
  throw new PipelineError('ARCHIVE_DAMAGED', `leaf ${String(index)} or its facts are not of their schema`);
}
