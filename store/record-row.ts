import { Compile } from 'typebox/compile';
import type { BundleHeader } from '../schemas/bundle.ts';
import { PipelineError } from '../schemas/errors.ts';
import { Leaf } from '../schemas/leaf.ts';
import { Facts } from '../schemas/record.ts';
import { sha256Hex } from './chain/leaf.ts';
import { chainHash, leafHash } from './chain/merkle.ts';
import type { RecordRow } from './record-store.ts';

/** A bundle with its payload lines, as the writer just built it or as recovery read it back. */
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

/** What a payload line is cut at: the part stands between these, and the salt is 64 hex digits at the end. */
const LINE_HEAD = /^\{"index":(0|[1-9][0-9]{0,15}),"part":/;
const LINE_TAIL = /,"salt":"([0-9a-f]{64})"\}$/;

/**
 * Rows of one bundle in leaf order. Writer and recovery both come through here, so a row does not depend on how the
 * bundle reached it. Throws ARCHIVE_DAMAGED where a payload line is missing or is not the one its leaf commits to.
 *
 * @param previousChain chain value of the leaf before the bundle
 */
export function toRows(bundle: SealedBundle, previousChain: Uint8Array): RecordRow[] {
  let chain = previousChain;
  return bundle.leafTexts.map((leafText, position) => {
    const index = bundle.header.start_index + position;
    const hash = leafHash(Buffer.from(leafText));
    chain = chainHash(chain, hash);
    return toRow(bundle, { index, leafText, hash, chain });
  });
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
  return {
    ...checked(factsShape, facts.partText, index),
    log: bundle.log,
    leaf_index: index,
    leaf_hash: Buffer.from(hash).toString('hex'),
    chain_hash: Buffer.from(chain).toString('hex'),
    leaf: leafText,
    id: leaf.id,
    type: leaf.type,
    source: leaf.source,
    principal: leaf.principal,
    subject: leaf.subject ?? '',
    retention_class: leaf.retention_class,
    received_at: leaf.received_at,
    integrated_at: bundle.header.integrated_at,
    facts: facts.partText,
    facts_salt: facts.salt,
    content: content?.partText ?? '',
    content_salt: content?.salt ?? '',
  };
}

/** Cuts the part's own text out of a payload line, so that what is stored in a row is what was hashed. */
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
