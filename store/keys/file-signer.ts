import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { PipelineError } from '../../schemas/errors.ts';
import { formatVkey, verifierKey } from '../chain/note.ts';
import type { Signer } from './signer.ts';
import { flushFoundFile, readSecretFile, writeSecretFile } from './secret-file.ts';

/** A raw Ed25519 public key is the last 32 bytes of its SubjectPublicKeyInfo (RFC 8410 section 4). */
const ED25519_PUBLIC_KEY_BYTES = 32;

/** Never another key: the log belongs to this one. */
const RESTORE = 'restore keys/ from the backup';

/** Makes a new Ed25519 key as PKCS #8 PEM, mode 0600. Refuses to replace an existing one. */
export async function createSigningKey(path: string): Promise<void> {
  if ((await readSecretFile(path)) !== undefined) {
    throw new PipelineError('START_REFUSED', `signing key ${path} exists already and is never replaced`);
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeSecretFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/**
 * Makes the key that follows, or leaves the one that an interrupted change made: a log may name it already. Answers whether
 * it was there. When it resolves, the key survives a power loss.
 */
export async function createNextSigningKey(path: string): Promise<boolean> {
  if ((await readSecretFile(path)) === undefined) {
    await createSigningKey(path);
    return false;
  }
  await flushFoundFile(path);
  return true;
}

/** Opens the signer of one log; `name` becomes the key name, which is the log's origin. */
export async function openFileSigner(path: string, name: string): Promise<Signer> {
  const pem = await readSecretFile(path);
  if (pem === undefined)
    throw new PipelineError('START_REFUSED', `signing key ${path} is missing; ${RESTORE}`);
  const privateKey = parsePrivateKey(pem, path);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const vkey = formatVkey(verifierKey(name, spki.subarray(-ED25519_PUBLIC_KEY_BYTES)));
  return { name, vkey, sign: (message) => Promise.resolve(sign(null, message, privateKey)) };
}

function parsePrivateKey(pem: Buffer, path: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new PipelineError('START_REFUSED', `signing key ${path} is not a PKCS #8 PEM; ${RESTORE}`, {
      cause,
    });
  }
  throw new PipelineError('START_REFUSED', `signing key ${path} is not an Ed25519 key; ${RESTORE}`);
}
