/**
 * Data keys by address. In: addresses. Out: keys, which are durable before they are given for sealing. Invariant: an address
 * with a tombstone has no key, whatever lies in the store.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { Value } from 'typebox/value';
import { KeyAddress, Tombstone, WrappedDataKey } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { addressText, DATA_KEY_BYTES, fitsCommitment, keyCommitment } from '../chain/data-key.ts';
import type { Keyring } from './keyring.ts';
import type { KeyObjects } from './key-objects.ts';
import type { DataKey } from '../chain/data-key.ts';
import { keyName, tombstoneName, tombstonesOf } from './object-names.ts';
import { createWrapped } from './rewrap.ts';
import { damaged, parseObject, unwrapObject, wrapObject } from './stored-object.ts';
import type { TimedCache } from './timed-cache.ts';

/**
 * - `cached`, `read`: the key was given, from memory or from the store
 * - `created`: the key was made
 * - `destroyed`, `absent`: there is no key to give
 */
export type KeyReadOutcome = 'cached' | 'read' | 'created' | 'destroyed' | 'absent';

export interface DataKeysOptions {
  readonly objects: KeyObjects;
  readonly keyring: Keyring;
  readonly cache: TimedCache<DataKey>;
  readonly randomBytes: (count: number) => Buffer;
  /** Called once for each different address of a question. */
  readonly onKeyRead: (outcome: KeyReadOutcome, address: KeyAddress) => void;
}

type Found = DataKey | 'destroyed' | 'absent';

/** As `KeyStore.find`. */
export async function findKeys(
  options: DataKeysOptions,
  addresses: readonly KeyAddress[],
): Promise<readonly Found[]> {
  const unique = byText(addresses);
  const found = new Map<string, Found>(takeCached(options, unique));
  const rest = takeValid(unique, found);
  const remember = options.cache.begin();
  for (const [text, result] of await look(options, rest, false)) {
    if (typeof result !== 'string') remember(text, result);
    options.onKeyRead(typeof result === 'string' ? result : 'read', unique.get(text) ?? noAddress());
    found.set(text, result);
  }
  return addresses.map((address) => found.get(addressText(address)) ?? 'absent');
}

/**
 * As `KeyStore.keysFor`. After a crash on the line behind each mark it is true that:
 *  1. nothing is stored under these addresses by this call.
 *  2. each key is stored as a whole and durably, or not at all, and was given to nobody: the next call finds it.
 *  3. the same; a key beside a tombstone is never given, and the next `destroy` or rotation removes it.
 */
export async function obtainKeys(
  options: DataKeysOptions,
  addresses: readonly KeyAddress[],
): Promise<readonly (DataKey | 'destroyed')[]> {
  const unique = byText(addresses);
  const found = takeCached(options, unique);
  const rest = takeValid(unique, found);
  const remember = options.cache.begin();
  const looked = await look(options, rest, true); // 1
  const missing = rest.filter((address) => looked.get(addressText(address)) === 'absent');
  for (const [text, result] of [...looked, ...(await makeKeys(options, missing))]) {
    if (result !== 'absent') found.set(text, result);
  }
  const made = new Set(missing.map(addressText));
  for (const address of rest) {
    const text = addressText(address);
    const result = found.get(text) ?? noAddress();
    if (typeof result !== 'string') remember(text, result);
    const outcome = made.has(text) ? 'created' : 'read';
    options.onKeyRead(typeof result === 'string' ? 'destroyed' : outcome, address);
  }
  return addresses.map((address) => found.get(addressText(address)) ?? noAddress());
}

/** The cached keys by the text of their address. */
function takeCached(
  { cache, onKeyRead }: DataKeysOptions,
  unique: ReadonlyMap<string, KeyAddress>,
): Map<string, DataKey | 'destroyed'> {
  const found = new Map<string, DataKey | 'destroyed'>();
  for (const [text, address] of unique) {
    const key = cache.get(text);
    if (key === undefined) continue;
    found.set(text, key);
    onKeyRead('cached', address);
  }
  return found;
}

async function look(
  options: DataKeysOptions,
  addresses: readonly KeyAddress[],
  durable: boolean,
): Promise<Map<string, Found>> {
  const names = addresses.map(keyName);
  const [stored, isDestroyed] = await Promise.all([
    options.objects.read(names, { durable }),
    findTombstones(options.objects, addresses),
  ]);
  const found = new Map<string, Found>();
  for (const [place, address] of addresses.entries()) {
    const bytes = stored[place];
    const key =
      isDestroyed(address) || bytes === undefined ? undefined : await openKey(options, address, bytes);
    found.set(addressText(address), key ?? (isDestroyed(address) ? 'destroyed' : 'absent'));
  }
  return found;
}

async function findTombstones(
  objects: KeyObjects,
  addresses: readonly KeyAddress[],
): Promise<(address: KeyAddress) => boolean> {
  const names = [...new Set(addresses.flatMap(tombstonesOf))];
  const stored = await objects.read(names);
  const present = new Set<string>();
  for (const [place, name] of names.entries()) {
    const bytes = stored[place];
    if (bytes === undefined) continue;
    const { scope } = parseObject(Tombstone, name, bytes);
    if (tombstoneName(scope) !== name) throw damaged(name, 'is the tombstone of another scope');
    present.add(name);
  }
  return (address) => tombstonesOf(address).some((name) => present.has(name));
}

async function openKey({ keyring }: DataKeysOptions, address: KeyAddress, bytes: Buffer): Promise<DataKey> {
  const name = keyName(address);
  const stored = parseObject(WrappedDataKey, name, bytes);
  if (addressText(stored.address) !== addressText(address))
    throw damaged(name, 'is the key of another address');
  const key = secretKey(await unwrapObject(stored, name, await keyring.byId(stored.master_key)));
  const commitment = Buffer.from(stored.commitment, 'base64url');
  if (!fitsCommitment(key, address, commitment))
    throw damaged(name, 'holds a key that its commitment is not of');
  return { address, key, commitment };
}

/** A key that a destruction met is `destroyed`: its tombstone was there before the destroyer looked for keys. */
async function makeKeys(
  options: DataKeysOptions,
  addresses: readonly KeyAddress[],
): Promise<Map<string, DataKey | 'destroyed'>> {
  const results = new Map<string, DataKey | 'destroyed'>();
  if (addresses.length === 0) return results;
  const { objects } = options;
  const drawn = addresses.map((address) => drawKey(options, address));
  const outcomes = await createWrapped(options, (masterKey) =>
    Promise.all(
      drawn.map(async ({ key, secret }) => ({
        name: keyName(key.address),
        bytes: await wrapObject<WrappedDataKey>(membersOf(key), secret, masterKey),
      })),
    ),
  ); // 2
  const [others, isDestroyed] = await Promise.all([
    look(
      options,
      addresses.filter((_, place) => outcomes[place] === 'exists'),
      true,
    ),
    findTombstones(objects, addresses),
  ]);
  const dead = [];
  for (const [place, { key, secret }] of drawn.entries()) {
    secret.fill(0);
    const text = addressText(key.address);
    const isOurs = outcomes[place] === 'created';
    const found = isOurs ? key : others.get(text);
    const name = keyName(key.address);
    if (isOurs && isDestroyed(key.address)) dead.push({ name, from: undefined, to: undefined });
    if (isDestroyed(key.address)) results.set(text, 'destroyed');
    else if (found === undefined || found === 'absent') throw vanished(name);
    else results.set(text, found);
  }
  await objects.change(dead); // 3
  return results;
}

function drawKey({ randomBytes }: DataKeysOptions, address: KeyAddress) {
  const secret = randomBytes(DATA_KEY_BYTES);
  const key = createSecretKey(secret);
  return { secret, key: { address, key, commitment: keyCommitment(key, address) } };
}

function membersOf({ address, commitment }: DataKey) {
  return { kind: 'data_key', address, commitment: commitment.toString('base64url') } as const;
}

function secretKey(bytes: Buffer): KeyObject {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function byText(addresses: readonly KeyAddress[]): Map<string, KeyAddress> {
  return new Map(addresses.map((address) => [addressText(address), address]));
}

/** The addresses that were not found yet. Throws PARAMETER_INVALID for one that would name another object. */
function takeValid(
  unique: ReadonlyMap<string, KeyAddress>,
  found: ReadonlyMap<string, unknown>,
): KeyAddress[] {
  const rest = [...unique].filter(([text]) => !found.has(text)).map(([, address]) => address);
  if (rest.every((address) => Value.Check(KeyAddress, address))) return rest;
  throw new PipelineError('PARAMETER_INVALID', 'address of a data key is not valid');
}

function vanished(name: string): PipelineError {
  return new PipelineError('KEY_STORE_UNAVAILABLE', `${name} came and went while it was made`);
}

function noAddress(): never {
  throw new RangeError('every address was looked up');
}
