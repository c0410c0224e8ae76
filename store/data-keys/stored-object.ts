/** The objects of a key store as bytes: each is one line of canonical JSON, and nothing else reads as one. */
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { canonicalJson } from '../../schemas/canonical.ts';
import { WrappedDataKey, WrappedName, WrappedSurrogate, type WrappedObject } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { MasterKey } from './master-key.ts';

/** The members of a wrapped object beside those that the master key gives it. */
export type Wrappable<T extends WrappedObject> = T extends unknown
  ? Omit<T, 'v' | 'master_key' | 'nonce' | 'wrapped'>
  : never;

export function formatObject(object: JsonObject): Buffer {
  return Buffer.from(`${canonicalJson(object)}\n`);
}

/** Throws KEY_STORE_DAMAGED for bytes that are not exactly the line of an object of this shape. */
export function parseObject<S extends TSchema>(schema: S, name: string, bytes: Uint8Array): Static<S> {
  const text = Buffer.from(bytes).toString('utf8');
  const value = parseJson(text);
  if (value !== undefined && Value.Check(schema, value) && `${canonicalJson(value)}\n` === text) return value;
  throw damaged(name, 'does not read as written');
}

const WRAPPED = { data_key: WrappedDataKey, surrogate: WrappedSurrogate, name: WrappedName } as const;

/** An object of any kind that a master key wraps. */
export function parseWrapped(name: string, bytes: Uint8Array): WrappedObject {
  const kind = (parseJson(Buffer.from(bytes).toString('utf8')) as { kind?: unknown } | null)?.kind;
  if (kind === 'data_key' || kind === 'surrogate' || kind === 'name')
    return parseObject<TSchema>(WRAPPED[kind], name, bytes) as WrappedObject;
  throw damaged(name, 'is not an object that a master key wraps');
}

/** Wraps a secret under a master key and binds it to all other members of the object. */
export async function wrapObject<T extends WrappedObject>(
  members: Wrappable<T>,
  secret: Uint8Array,
  masterKey: MasterKey,
): Promise<Buffer> {
  const bound = { ...members, v: 1, master_key: masterKey.id };
  const { nonce, wrapped } = await masterKey.wrap(secret, canonicalJson(bound));
  return formatObject({
    ...bound,
    nonce: nonce.toString('base64url'),
    wrapped: wrapped.toString('base64url'),
  });
}

/** The secret of an object. Throws KEY_STORE_DAMAGED where the object was changed after it was wrapped. */
export async function unwrapObject(
  { nonce, wrapped, ...bound }: WrappedObject,
  name: string,
  masterKey: MasterKey,
): Promise<Buffer> {
  const bytes = { nonce: Buffer.from(nonce, 'base64url'), wrapped: Buffer.from(wrapped, 'base64url') };
  const secret = await masterKey.unwrap(bytes, canonicalJson(bound));
  if (secret !== undefined) return secret;
  throw damaged(name, `does not open under the master key ${bound.master_key}`);
}

export function damaged(name: string, detail: string): PipelineError {
  return new PipelineError('KEY_STORE_DAMAGED', `${name} ${detail}`, { place: name });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
