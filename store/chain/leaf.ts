/**
 * From a record to its leaf, which is hashed, and its payload lines, which are stored. A record is split into two salted parts, facts and content;
 * the leaf commits to both and holds neither. Pure: salts come from the caller.
 */
import { hash } from 'node:crypto';
import { canonicalJson } from '../../schemas/canonical.ts';
import type { Leaf } from '../../schemas/leaf.ts';
import type { AuditRecord } from '../../schemas/record.ts';
import { leafHash } from './merkle.ts';
import { hmacSha256Hex } from './sha256.ts';

export const SALT_BYTES = 32;

/** Fresh random salts of one record, hex, 32 bytes each. */
interface LeafSalts {
  readonly facts: string;
  readonly content: string;
}

export interface SealedRecord {
  readonly leaf: Leaf;
  /** Canonical JSON of the leaf: the bytes that are hashed. */
  readonly leaf_text: string;
  /** RFC 6962 leaf hash. */
  readonly leaf_hash: Uint8Array;
  /** Canonical JSON of the facts. */
  readonly facts_text: string;
  /** Canonical JSON of the content, or null where the record has none. */
  readonly content_text: string | null;
  readonly facts_line: string;
  readonly content_line: string | null;
  readonly salts: LeafSalts;
}

/** HMAC-SHA-256 under the salt over the canonical text of the part, hex. Without the salt it reveals nothing. */
export function commitment(saltHex: string, part: string): string {
  return hmacSha256Hex(Buffer.from(saltHex, 'hex'), Buffer.from(part));
}

/** SHA-256 of a text, hex. Over a payload line it reveals nothing, because the line holds the salt. */
export function sha256Hex(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** One line of a payload object, without its newline: canonical JSON of `{index, part, salt}`. */
export function payloadLine(index: number, saltHex: string, partText: string): string {
  return `{"index":${String(index)},"part":${partText},"salt":"${saltHex}"}`;
}

/** Builds the leaf of a record at its index, and the payload lines that the leaf commits to. */
export function sealRecord(record: AuditRecord, index: number, salts: LeafSalts): SealedRecord {
  const facts_text = canonicalJson(record.facts);
  const content_text = record.content === null ? null : canonicalJson(record.content);
  const facts_line = payloadLine(index, salts.facts, facts_text);
  const content_line = content_text === null ? null : payloadLine(index, salts.content, content_text);
  // In the order of the canonical form, so that sorting the members costs nothing.
  const leaf: Leaf = {
    content_commitment: content_text === null ? null : commitment(salts.content, content_text),
    content_digest: content_line === null ? null : sha256Hex(content_line),
    facts_commitment: commitment(salts.facts, facts_text),
    facts_digest: sha256Hex(facts_line),
    id: record.id,
    principal: record.principal,
    received_at: record.received_at,
    retention_class: record.retention_class,
    source: record.source,
    subject: record.subject,
    type: record.type,
    v: 1,
  };
  const leaf_text = canonicalJson(leaf);
  return {
    leaf,
    leaf_text,
    leaf_hash: leafHash(Buffer.from(leaf_text)),
    facts_text,
    content_text,
    facts_line,
    content_line,
    salts,
  };
}
