import { Compile } from 'typebox/compile';
import type { BundleHeader, PartKind } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { Facts } from '../../schemas/record.ts';
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
  readonly content: ReadonlyMap<number, StoredPart>;
}

/** A line of a payload object, and the secret of that object. */
export interface StoredPart {
  readonly line: string;
  readonly secret: Uint8Array;
}

/** Compiled once: an interpreted check of every row costs more than hashing it. */
const leafShape = Compile(Leaf);
const factsShape = Compile(Facts);

/**
 * Rows of one bundle in leaf order, equal to those that `toSealedRow` makes when the bundle is written. Throws
 * ARCHIVE_DAMAGED where the leaves are not those that the header names, or a part is missing or is not the one that its
 * leaf commits to.
 *
 * @param previousChain chain value of the leaf before the bundle
 */
export function toRows(bundle: SealedBundle, previousChain: Uint8Array): RecordRow[] {
  let chain = previousChain;
  const rows = bundle.leafTexts.map((leafText, position) => {
    const index = bundle.header.start_index + position;
    const hash = leafHash(Buffer.from(leafText));
    chain = chainHash(chain, hash);
    return toRow(bundle, { index, leafText, hash, chain });
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

function toRow(bundle: SealedBundle, { index, leafText, hash, chain }: PlacedLeaf): RecordRow {
  const leaf = checked(leafShape, leafText, index);
  const facts = openPart(bundle.facts.get(index), leaf, { index, kind: 'facts' });
  const hasContent = digestIn(leaf, 'content') !== undefined;
  const content = hasContent
    ? openPart(bundle.content.get(index), leaf, { index, kind: 'content' })
    : undefined;
  return composeRow(leaf, {
    log: bundle.log,
    leaf_index: index,
    chain_hash: Buffer.from(chain).toString('hex'),
    integrated_at: bundle.header.integrated_at,
    facts: checked(factsShape, facts.partText, index),
    texts: {
      leaf_hash: Buffer.from(hash).toString('hex'),
      leaf: leafText,
      facts: facts.partText,
      facts_secret: facts.secret,
      content: content?.partText ?? '',
      content_secret: content?.secret ?? '',
    },
  });
}

/** Position of a sealed record in its log, and its facts as an object. */
interface RowPosition extends Pick<RecordRow, 'log' | 'leaf_index' | 'chain_hash' | 'integrated_at'> {
  readonly facts: Facts;
}

/** The row of a record that was just sealed, equal to the one that recovery makes of its bundle. */
export function toSealedRow(sealed: SealedRecord, position: RowPosition): RecordRow {
  return composeRow(sealed.leaf, {
    ...position,
    texts: {
      leaf_hash: Buffer.from(sealed.leaf_hash).toString('hex'),
      leaf: sealed.leaf_text,
      facts: sealed.facts_text,
      facts_secret: toBase64Url(sealed.secrets.facts),
      content: sealed.content_text ?? '',
      content_secret: sealed.content_text === null ? '' : toBase64Url(sealed.secrets.content),
    },
  });
}

type RowTexts = Pick<
  RecordRow,
  'leaf_hash' | 'leaf' | 'facts' | 'facts_secret' | 'content' | 'content_secret'
>;

/** The facts come last: with members behind the spread, building the object takes sixty times as long. */
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
    content: texts.content,
    content_secret: texts.content_secret,
    id: leaf.id,
    type: leaf.type,
    source: leaf.source,
    principal: leaf.principal,
    subject: leaf.subject ?? '',
    retention_class: leaf.retention_class,
    received_at: leaf.received_at,
    ...position.facts,
  };
}

/** Cuts the text of the part out of its line, so that the row stores the very text that was hashed. */
function openPart(
  part: StoredPart | undefined,
  leaf: Leaf,
  { index, kind }: { readonly index: number; readonly kind: PartKind },
): { partText: string; secret: string } {
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
  return { partText: part.line.slice(prefix.length, -1), secret: toBase64Url(part.secret) };
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
