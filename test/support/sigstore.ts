import { createPublicKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { parseVkey } from '../../store/chain/note.ts';

interface TransparencyEntry {
  readonly canonicalizedBody: Buffer;
  readonly inclusionProof: {
    readonly logIndex: string;
    readonly hashes: readonly Buffer[];
    readonly checkpoint: { readonly envelope: string };
  };
}

interface SigstoreCheckpoint {
  readonly origin: string;
  readonly logSize: bigint;
  readonly logHash: Buffer;
}

interface SigstoreTlog {
  readonly verifyCheckpoint: (entry: TransparencyEntry, tlogs: readonly object[]) => SigstoreCheckpoint;
  readonly verifyMerkleInclusion: (entry: TransparencyEntry, checkpoint: SigstoreCheckpoint) => void;
}

// The package has no exports for these two modules; they are its whole log verification.
const require = createRequire(import.meta.url);
const { verifyCheckpoint } = require('@sigstore/verify/dist/tlog/checkpoint.js') as SigstoreTlog;
const { verifyMerkleInclusion } = require('@sigstore/verify/dist/tlog/merkle.js') as SigstoreTlog;

const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Verifies signature and inclusion with the code of @sigstore/verify alone; throws its error where it refuses. */
export function verifyWithSigstore(proof: {
  readonly vkey: string;
  readonly note: string;
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly path: readonly Uint8Array[];
}): SigstoreCheckpoint {
  const key = parseVkey(proof.vkey);
  if (key === undefined) throw new Error('not a verifier key');
  const publicKey = createPublicKey({
    key: Buffer.concat([ED25519_SPKI_PREFIX, key.publicKey]),
    format: 'der',
    type: 'spki',
  });
  const entry: TransparencyEntry = {
    canonicalizedBody: Buffer.from(proof.leaf),
    inclusionProof: {
      logIndex: String(proof.index),
      hashes: proof.path.map((hash) => Buffer.from(hash)),
      checkpoint: { envelope: proof.note },
    },
  };
  const checkpoint = verifyCheckpoint(entry, [
    { logID: Buffer.from(key.keyId, 'hex'), baseURL: key.name, publicKey },
  ]);
  verifyMerkleInclusion(entry, checkpoint);
  return checkpoint;
}
