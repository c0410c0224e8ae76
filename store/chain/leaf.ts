/**
 * From a record to its leaf, which is hashed, and its part lines, which are stored. The leaf names a digest of each part
 * and holds none of them. Pure: secrets come from the caller.
 */
import { hash } from 'node:crypto';
import type { PartKind } from '../../schemas/bundle.ts';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { Leaf, LeafParts } from '../../schemas/leaf.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { leafHash } from './merkle.ts';
import type { LineWriter } from '../../schemas/line-writer.ts';
import { appendPart, partDigest, partLine, saltOf, SECRET_BYTES } from './part.ts';

/** A part of a sealed record: its canonical JSON, and the secret that its salt follows from. */
export interface SealedPart {
  readonly text: string;
  readonly secret: Uint8Array;
}

/** A frame that takes parts: their lines, and the secret that their salts follow from, 32 bytes. */
export interface PartTaker {
  readonly secret: Uint8Array;
  readonly lines: LineWriter;
}

/** The place of a record in its log, and the members that the key store decides. */
export interface SealingPlace {
  readonly index: number;
  /** Surrogate of the person, for the leaf. */
  readonly subject: string | null;
  /** The frame that takes the part of this kind. */
  readonly frameOf: (kind: PartKind) => PartTaker;
  /** Takes the line of the leaf. */
  readonly leaves: LineWriter;
}

export interface SealedRecord {
  readonly leaf: Leaf;
  /** Canonical JSON of the leaf: the bytes that are hashed. */
  readonly leaf_text: string;
  /** RFC 6962 leaf hash. */
  readonly leaf_hash: Uint8Array;
  readonly facts: SealedPart;
  /** Null where the record has no such part. */
  readonly person: SealedPart | null;
  readonly content: SealedPart | null;
}

/** SHA-256 of a text or of bytes, hex. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** Digest that a leaf names for a part; undefined where the record has no such part. */
export function digestIn({ parts }: Pick<Leaf, 'parts'>, kind: PartKind): string | undefined {
  return parts.find(({ name }) => name === kind)?.digest;
}

/** A part as a row keeps it: its canonical JSON, and the secret of its payload object as base64url. */
export interface KeptPart {
  readonly index: number;
  readonly kind: PartKind;
  readonly text: string;
  readonly secret: string;
}

/** The salt that opens a part, base64url; undefined where text and secret do not lead to the digest in the leaf. */
export function saltThatOpens(leafText: string, { index, kind, text, secret }: KeptPart): string | undefined {
  const key = Buffer.from(secret, 'base64url');
  // The decoder passes over padding and foreign characters, and HMAC pads a key with zeros: other texts would open it too.
  if (key.length !== SECRET_BYTES || key.toString('base64url') !== secret) return undefined;
  const salt = saltOf(key, index, kind);
  const digest = partDigest(partLine(index, kind, text), salt);
  return digest === digestIn(JSON.parse(leafText) as Leaf, kind) ? salt : undefined;
}

/** A part that was appended to its frame, and the digest that the leaf names. */
interface AppendedPart extends SealedPart {
  readonly digest: string;
}

/**
 * Seals a record at its index: appends each part to its frame, and the leaf that commits to them to the leaves. Parts and
 * leaf are lines of canonical JSON.
 */
export function sealRecord(
  record: AuditRecord,
  { index, subject, frameOf, leaves }: SealingPlace,
): SealedRecord {
  const append = (name: PartKind, value: JsonObject): AppendedPart => {
    const { secret, lines } = frameOf(name);
    const text = canonicalJson(value);
    const digest = appendPart(lines, { index, name, text, salt: saltOf(secret, index, name) });
    return { text, secret, digest };
  };
  const facts = append('facts', record.facts);
  const person = record.person === null ? null : append('person', record.person);
  const content = record.content === null ? null : append('content', record.content);
  // In the order of the canonical form, so that sorting the members costs nothing.
  const leaf: Leaf = {
    id: record.id,
    parts: [
      ...(content === null ? [] : [{ digest: content.digest, name: 'content' }]),
      { digest: facts.digest, name: 'facts' },
      ...(person === null ? [] : [{ digest: person.digest, name: 'person' }]),
    ] as LeafParts,
    principal: record.principal,
    received_at: record.received_at,
    retention_class: record.retention_class,
    source: record.source,
    subject,
    type: record.type,
    v: 1,
  };
  const leaf_text = canonicalJson(leaf);
  const start = leaves.length;
  leaves.add(leaf_text);
  const leaf_hash = leafHash(leaves.from(start));
  leaves.add('\n');
  return { leaf, leaf_text, leaf_hash, facts, person, content };
}
