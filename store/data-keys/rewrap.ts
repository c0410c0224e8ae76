/** Makes wrapped objects under the current master key, and moves them under another one, each in one step. */
import type { Keyring } from './keyring.ts';
import type { KeyObjects, NewKeyObject } from './key-objects.ts';
import type { MasterKey } from './master-key.ts';
import { damaged, parseWrapped, unwrapObject, wrapObject, type Wrappable } from './stored-object.ts';
import type { WrappedObject } from '../../schemas/data-key.ts';

export interface RewrapContext {
  readonly objects: KeyObjects;
  readonly keyring: Keyring;
}

/**
 * Creates objects under the current master key. A rotation that begins meanwhile may have passed their names before they were
 * there: then they are rewrapped here. Resolves as `KeyObjects.create`.
 */
export async function createWrapped(
  context: RewrapContext,
  build: (masterKey: MasterKey) => Promise<readonly NewKeyObject[]>,
): Promise<readonly ('created' | 'exists')[]> {
  const { objects, keyring } = context;
  const masterKey = await keyring.current();
  const fresh = await build(masterKey);
  const outcomes = await objects.create(fresh);
  const after = await keyring.current();
  if (after.id !== masterKey.id) {
    const ours = fresh.filter((_, place) => outcomes[place] === 'created');
    await rewrapObjects(
      context,
      ours.map(({ name }) => name),
      after,
    );
  }
  return outcomes;
}

/**
 * Rewraps those of the objects that are under another master key than the target. Resolves how many it changed; an object
 * that somebody else changed or removed meanwhile does not count. If the process dies, each object is under one of the two
 * keys. New bytes are opened before they replace the old ones.
 */
export async function rewrapObjects(
  { objects, keyring }: RewrapContext,
  names: readonly string[],
  target: MasterKey,
): Promise<number> {
  const stored = await objects.read(names);
  const changes = [];
  for (const [place, name] of names.entries()) {
    const from = stored[place];
    if (from === undefined) continue;
    const object = parseWrapped(name, from);
    if (object.master_key === target.id) continue;
    const secret = await unwrapObject(object, name, await keyring.byId(object.master_key));
    changes.push({ name, from, to: await rewrap(object, name, secret, target) });
  }
  return (await objects.change(changes)).filter(Boolean).length;
}

async function rewrap(
  object: WrappedObject,
  name: string,
  secret: Buffer,
  target: MasterKey,
): Promise<Buffer> {
  const to = await wrapObject(wrappable(object), secret, target);
  const back = await unwrapObject(parseWrapped(name, to), name, target);
  if (!back.equals(secret)) throw damaged(name, 'does not open after it was wrapped again');
  back.fill(0);
  secret.fill(0);
  return to;
}

function wrappable(object: WrappedObject): Wrappable<WrappedObject> {
  const { kind } = object;
  if (kind === 'data_key') return { kind, address: object.address, commitment: object.commitment };
  return kind === 'surrogate' ? { kind, name: object.name } : { kind, subject: object.subject };
}
