/**
 * Master keys under AWS KMS, as envelopes: a master key is 32 random bytes, which a key in KMS encrypts once. The envelope
 * lies in the key store. So KMS is asked once for each master key and process, and never for a data key.
 */
import { DecryptCommand, EncryptCommand, KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import { MasterKeyEnvelope } from '../../../schemas/data-key.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import type { KeyObjects } from '../key-objects.ts';
import { MASTER_KEY_BYTES, masterKeyOf, type MasterKey, type MasterKeys } from '../master-key.ts';
import { envelopeName } from '../object-names.ts';
import { damaged, formatObject, parseObject } from '../stored-object.ts';

export interface KmsMasterKeysOptions {
  /** Key, ARN or alias that encrypts new master keys. */
  readonly kmsKey: string;
  /** URL of a server that speaks KMS. @default AWS itself */
  readonly endpoint?: string | undefined;
  readonly region: string;
  /** @default the SDK's chain (environment, profile, web identity, instance) */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** A request without an answer by then is tried again. @default 10000 */
  readonly requestTimeoutMs?: number | undefined;
  /** The objects of the key store, which hold the envelopes. */
  readonly objects: KeyObjects;
  readonly randomBytes: (count: number) => Buffer;
}

/** How long KMS may take to accept a connection. */
const CONNECT_TIMEOUT_MS = 3_000;
/** How long KMS may take for an answer, unless the options say otherwise. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Attempts at one request, the first included. Both requests may be repeated. */
const MAX_ATTEMPTS = 4;
/** KMS binds it to the ciphertext, and shows it in its log of requests. */
const PURPOSE = 'affidavit/master-key/v1';

/** As MasterKeys. */
export function openKmsMasterKeys(options: KmsMasterKeysOptions): MasterKeys {
  const { kmsKey, objects, randomBytes } = options;
  const client = openClient(options);
  const known = new Map<string, MasterKey>();
  return {
    async create() {
      const bytes = randomBytes(MASTER_KEY_BYTES);
      const key = masterKeyOf(bytes, randomBytes);
      const command = new EncryptCommand({
        KeyId: kmsKey,
        Plaintext: bytes,
        EncryptionContext: contextOf(key.id),
      });
      const { CiphertextBlob, KeyId } = await asked('encrypting a master key', () => client.send(command));
      bytes.fill(0);
      if (CiphertextBlob === undefined || KeyId === undefined) throw emptyAnswer();
      const envelope: MasterKeyEnvelope = {
        v: 1,
        kind: 'master_key_envelope',
        id: key.id,
        kms_key: KeyId,
        ciphertext: Buffer.from(CiphertextBlob).toString('base64url'),
      };
      await objects.create([{ name: envelopeName(key.id), bytes: formatObject(envelope) }]);
      known.set(key.id, key);
      return key;
    },
    async find(id) {
      const before = known.get(id);
      if (before !== undefined) return before;
      const name = envelopeName(id);
      const [stored] = await objects.read([name]);
      if (stored === undefined) return undefined;
      const { kms_key, ciphertext } = parseObject(MasterKeyEnvelope, name, stored);
      const command = new DecryptCommand({
        KeyId: kms_key,
        CiphertextBlob: Buffer.from(ciphertext, 'base64url'),
        EncryptionContext: contextOf(id),
      });
      const { Plaintext } = await asked(`decrypting the master key ${id}`, () => client.send(command));
      if (Plaintext === undefined) throw emptyAnswer();
      const key = Plaintext.length === MASTER_KEY_BYTES ? masterKeyOf(Plaintext, randomBytes) : undefined;
      Plaintext.fill(0);
      if (key?.id !== id) throw damaged(name, 'holds another master key than the one of its name');
      known.set(id, key);
      return key;
    },
  };
}

function openClient({
  endpoint,
  region,
  credentials,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
}: KmsMasterKeysOptions) {
  return new KMSClient({
    region,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
}

function contextOf(id: string): Record<string, string> {
  return { purpose: PURPOSE, master_key: id };
}

/** Every refusal may be mended by an operator while the caller goes on trying, but for a ciphertext that is not whole. */
async function asked<T>(attempt: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    // A cause may quote the request, which holds the key in clear: its name is enough.
    const name = nameOf(error);
    if (/^(InvalidCiphertext|IncorrectKey)Exception$/.test(name)) {
      throw new PipelineError('KEY_STORE_DAMAGED', `${attempt}: AWS KMS says ${name}`);
    }
    throw new PipelineError('KEY_STORE_UNAVAILABLE', `${attempt}: AWS KMS says ${name}`);
  }
}

function nameOf(error: unknown): string {
  if (error instanceof KMSServiceException) return error.name;
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function emptyAnswer(): PipelineError {
  return new PipelineError('KEY_STORE_UNAVAILABLE', 'AWS KMS gave an answer without a key');
}
