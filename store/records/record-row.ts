import { Compile } from 'typebox/compile';
import type { BundleHeader } from '../../schemas/bundle.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { Leaf } from '../../schemas/leaf.ts';
import { Facts } from '../../schemas/record.ts';
import { sha256Hex, type SealedRecord } from '../chain/leaf.ts';
import { chainHash, leafHash } from '../chain/merkle.ts';
import type { RecordRow } from './record-store.ts';

/** A created bundle with its payload lines, read back from the archive. */
export interface SealedBundle {
  readonly log: string;
  readonly header: BundleHeader;
  readonly leafTexts: readonly string[];
  /** Payload lines by leaf index; a record without content has no content line. */
  readonly factsLines: ReadonlyMap<number, string>;
  readonly contentLines: ReadonlyMap<number, string>;
}

/** Compiled once: an interpreted check of every row costs more than hashing it. */
const leafShape = Compile(Leaf);
const factsShape = Compile(Facts);

/** The text before the part of a payload line, and the text behind it with the salt. */
const LINE_HEAD = /^\{"index":(0|[1-9][0-9]{0,15}),"part":/;
const LINE_TAIL = /,"salt":"([0-9a-f]{64})"\}$/;

/**
 * Rows of one bundle in leaf order, equal to those that `toSealedRow` makes when the bundle is written. Throws
 * ARCHIVE_DAMAGED where the leaves are not those that the header names, or a payload line is missing or is not the one
 * its leaf commits to.
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
  const facts = openLine(bundle.factsLines.get(index), leaf.facts_digest, index);
  const content =
    leaf.content_digest === null
      ? undefined
      : openLine(bundle.contentLines.get(index), leaf.content_digest, index);
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
      facts_salt: facts.salt,
      content: content?.partText ?? '',
      content_salt: content?.salt ?? '',
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
      facts_salt: sealed.salts.facts,
      content: sealed.content_text ?? '',
      content_salt: sealed.content_text === null ? '' : sealed.salts.content,
    },
  });
}

type RowTexts = Pick<RecordRow, 'leaf_hash' | 'leaf' | 'facts' | 'facts_salt' | 'content' | 'content_salt'>;

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
    facts_salt: texts.facts_salt,
    content: texts.content,
    content_salt: texts.content_salt,
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

/** Cuts the text of the part out of a payload line, so that the row stores the very text that was hashed. */
function openLine(
  line: string | undefined,
  digest: string,
  index: number,
): { partText: string; salt: string } {
  const head = line === undefined ? null : LINE_HEAD.exec(line);
  const tail = line === undefined ? null : LINE_TAIL.exec(line);
  if (line === undefined || head === null || tail?.[1] === undefined || sha256Hex(line) !== digest) {
    throw new PipelineError(
      'ARCHIVE_DAMAGED',
      `payload of leaf ${String(index)} is not the one its leaf commits to`,
    );
  }
  return { partText: line.slice(head[0].length, tail.index), salt: tail[1] };
}

interface Shape<T> {
  Check(value: unknown): value is T;
}

function checked<T>(shape: Shape<T>, text: string, index: number): T {
  const value: unknown = JSON.parse(text);
  if (shape.Check(value)) return value;
  throw new PipelineError('ARCHIVE_DAMAGED', `leaf ${String(index)} or its facts are not of their schema`);
}
