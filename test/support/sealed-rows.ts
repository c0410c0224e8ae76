import { generateKeyPairSync, sign } from 'node:crypto';
import { splitPerson } from '../../ingest/person.ts';
import type { AuditRecord, StatedFacts } from '../../schemas/record.ts';
import { checkpointText } from '../../store/chain/checkpoint.ts';
import { digestIn, sha256Hex } from '../../store/chain/leaf.ts';
import { chainHash, chainStart, inclusionProof, rootOf } from '../../store/chain/merkle.ts';
import { formatNote, formatVkey, verifierKey } from '../../store/chain/note.ts';
import type { LogTree } from '../../store/ledger/log-tree.ts';
import type { PublishedCheckpoint, PublishedLog } from '../../store/ledger/published-log.ts';
import type { RecordRow } from '../../store/records/record-store.ts';
import { FRAME_SECRETS, sealAlone } from './seal-alone.ts';

/** A record of a test: what is not said is filled in; `name` gives the id. Facts may hold members of the person. */
export function auditRecord(
  name: string,
  record: Partial<Omit<AuditRecord, 'id' | 'facts'>> & { facts?: Partial<StatedFacts> } = {},
): AuditRecord {
  return {
    type: 'event.observed',
    source: 'hook',
    retention_class: 'content',
    principal: 'c-0001',
    subject: null,
    key_owner: null,
    received_at: '2026-03-01T10:00:00.000Z',
    content: null,
    ...record,
    id: sha256Hex(name),
    ...splitPerson({ source_event: 'Test', collector: 'laptop-1', ...record.facts, ...record.person }),
  };
}

/** A surrogate for a name, the same in each run. */
const surrogateOf = (name: string) => Buffer.from(sha256Hex(name), 'hex').toString('base64url', 0, 16);

/** Rows as the ledger would insert them, from the start of log `p0`; secrets are the same in each run. */
export function sealedRows(records: readonly AuditRecord[], log = 'p0'): RecordRow[] {
  let chain: Uint8Array = chainStart();
  return records.map((record, leaf_index) => {
    const subject = record.subject === null ? null : surrogateOf(record.subject);
    const sealed = sealAlone(record, leaf_index, subject);
    chain = chainHash(chain, sealed.leaf_hash);
    return {
      ...record.facts,
      ...record.person,
      log,
      leaf_index,
      leaf_hash: Buffer.from(sealed.leaf_hash).toString('hex'),
      chain_hash: Buffer.from(chain).toString('hex'),
      leaf: sealed.leaf_text,
      id: record.id,
      type: record.type,
      source: record.source,
      principal: record.principal,
      subject: subject ?? '',
      retention_class: record.retention_class,
      received_at: record.received_at,
      integrated_at: '2026-03-02T00:00:00.000Z',
      facts: sealed.facts.text,
      facts_secret: FRAME_SECRETS.facts.toString('base64url'),
      facts_digest: digestIn(sealed.leaf, 'facts') ?? '',
      person: sealed.person?.text ?? '',
      person_secret: sealed.person === null ? '' : FRAME_SECRETS.person.toString('base64url'),
      person_digest: digestIn(sealed.leaf, 'person') ?? '',
      content: sealed.content?.text ?? '',
      content_secret: sealed.content === null ? '' : FRAME_SECRETS.content.toString('base64url'),
      content_digest: digestIn(sealed.leaf, 'content') ?? '',
    };
  });
}

export interface TestPublishedLog extends PublishedLog {
  publish(leafHashes: readonly string[]): PublishedCheckpoint;
  /** The tree of the leaves that were published last. `leaves` are their texts; change both to damage it. */
  readonly tree: LogTree & { hashes: Uint8Array[]; leaves: readonly string[] };
}

/** A published log with a real key; `publish` signs the head over the given leaf hashes (hex). */
export function testPublishedLog(): TestPublishedLog {
  const origin = 'log.test.example/p0';
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = verifierKey(origin, publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  let latest: PublishedCheckpoint | undefined;
  const tree: LogTree & { hashes: Uint8Array[]; leaves: readonly string[] } = {
    hashes: [],
    leaves: [],
    path: (index, size) => Promise.resolve(inclusionProof(index, tree.hashes.slice(0, size))),
    tile: ({ index }) => Promise.resolve(tree.hashes.slice(index * 256, index * 256 + 256)),
    entries: (index, count) => Promise.resolve(tree.leaves.slice(index * 256, index * 256 + count)),
    reset: () => undefined,
  };
  return {
    tree,
    log: 'p0',
    origin,
    vkey: formatVkey(key),
    checkpoint: () => Promise.resolve(latest),
    publish(leafHashes) {
      tree.hashes = leafHashes.map((hash) => Buffer.from(hash, 'hex'));
      const root_hash = Buffer.from(rootOf(leafHashes.map((hash) => Buffer.from(hash, 'hex')))).toString(
        'hex',
      );
      const tree_size = leafHashes.length;
      const text = checkpointText({ origin, tree_size, root_hash });
      const signature = sign(null, Buffer.from(text), privateKey);
      latest = {
        note: formatNote(text, [{ name: origin, keyId: key.keyId, signature }]),
        tree_size,
        root_hash,
      };
      return latest;
    },
  };
}
