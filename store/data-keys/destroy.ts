/**
 * Destruction of keys. In: a scope. Out: a tombstone, and nothing else of the scope. The tombstone is durable before the
 * first removal; a creator that did not see it looks for it again after its creation.
 */
import { Value } from 'typebox/value';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { Tombstone, WrappedName, type TombstoneScope } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Keyring } from './keyring.ts';
import type { KeyObjects } from './key-objects.ts';
import type { Destruction, DestroyScope } from './key-store.ts';
import {
  CLASS_KEYS,
  DESTROYED_MONTHS,
  DESTROYED_SUBJECTS,
  isOfMonth,
  keysOfSubject,
  nameOfSubject,
  NAMES,
  SUBJECT_KEYS,
  surrogateName,
  tombstoneName,
} from './object-names.ts';
import { formatObject, parseObject, unwrapObject } from './stored-object.ts';
import { readSurrogates } from './surrogates.ts';

/** Creators that race put keys back at most once each; a store that shows more is not to be trusted. */
const MAX_PASSES = 20;
/** Objects that one call to the store removes. */
const MAX_REMOVALS = 1_000;

export interface DestroyContext {
  readonly objects: KeyObjects;
  readonly keyring: Keyring;
  readonly clock: Clock;
}

/** As `KeyStore.destroy`. Memory is not its concern. */
export async function destroyKeys(context: DestroyContext, scope: DestroyScope): Promise<Destruction> {
  if ('name' in scope) return destroyName(context, scope.name);
  const { objects, clock } = context;
  const name = tombstoneName(scope);
  const tombstone: Tombstone = { v: 1, kind: 'destroyed', scope, destroyed_at: toInstant(clock()) };
  if (!Value.Check(Tombstone, tombstone)) {
    throw new PipelineError('PARAMETER_INVALID', 'scope of a destruction is not valid');
  }
  const [outcome] = await objects.create([{ name, bytes: formatObject(tombstone) }]);
  const key_count = await removeScope(context, scope);
  return {
    outcome: outcome === 'created' ? 'destroyed' : 'destroyed_before',
    subject: 'subject' in scope ? scope.subject : null,
    key_count,
  };
}

/** A name without a surrogate may be one whose destruction was interrupted behind the removal of its surrogate. */
async function destroyName(context: DestroyContext, name: string): Promise<Destruction> {
  if (!/^[0-9a-f]{64}$/.test(name)) {
    throw new PipelineError('PARAMETER_INVALID', 'a name of a subject is not 64 hex digits');
  }
  const [stored] = await readSurrogates(context, [name]);
  if (stored !== undefined) return destroyKeys(context, { subject: stored.subject });
  await finishDestructions(context);
  return { outcome: 'absent', subject: null, key_count: 0 };
}

/**
 * Removes all that a tombstone covers and that is there even so: after an interrupted destruction, and after an older
 * backup of the store was restored. Resolves how many data keys it removed.
 */
export async function finishDestructions(context: DestroyContext): Promise<number> {
  const { objects } = context;
  const [subjects, months] = [new Set<string>(), new Set<string>()];
  for await (const name of objects.list(DESTROYED_SUBJECTS)) subjects.add(lastSegment(name));
  for await (const name of objects.list(DESTROYED_MONTHS)) months.add(lastSegment(name));
  const covered = new Set<string>();
  for await (const name of objects.list(NAMES)) {
    if (subjects.has(lastSegment(name))) covered.add(lastSegment(name));
  }
  const isCovered = (name: string) => {
    const [subject = '', ...rest] = lastSegment(name).split('.');
    const isOfSubject = name.startsWith(SUBJECT_KEYS) && subjects.has(subject);
    return isOfSubject || months.has(name.startsWith(CLASS_KEYS) ? lastSegment(name) : rest.join('.'));
  };
  let removed = 0;
  for (const folder of [SUBJECT_KEYS, CLASS_KEYS])
    removed += await removeListed(objects, () => namesWhere(objects, folder, isCovered));
  for (const subject of covered) await removeScope(context, { subject });
  return removed;
}

/**
 * Removes keys first and the way back last, so that a repeated call finds what is left. After a crash behind each mark:
 *  1. some of the keys are gone, none is given: the tombstone is there.
 *  2. the name has no surrogate any more, or another one.
 */
async function removeScope(context: DestroyContext, scope: TombstoneScope): Promise<number> {
  const removed = await removeKeys(context.objects, scope); // 1
  if (!('subject' in scope)) return removed;
  await removeSurrogate(context, scope.subject); // 2
  const back = { name: nameOfSubject(scope.subject), from: undefined, to: undefined };
  await context.objects.change([back]);
  return removed;
}

async function removeKeys(objects: KeyObjects, scope: TombstoneScope): Promise<number> {
  if ('subject' in scope) return removeListed(objects, () => objects.list(keysOfSubject(scope.subject)));
  let removed = 0;
  for (const folder of [CLASS_KEYS, SUBJECT_KEYS]) {
    const isInScope = (name: string) => isOfMonth(name, scope);
    removed += await removeListed(objects, () => namesWhere(objects, folder, isInScope));
  }
  return removed;
}

/** Removes what is listed until nothing is; resolves how many objects that were. */
async function removeListed(objects: KeyObjects, list: () => AsyncIterable<string>): Promise<number> {
  let removed = 0;
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    let found = 0;
    let batch: string[] = [];
    const removeBatch = async () => {
      const changes = batch.map((name) => ({ name, from: undefined, to: undefined }));
      removed += (await objects.change(changes)).filter(Boolean).length;
      batch = [];
    };
    for await (const name of list()) {
      found += 1;
      batch.push(name);
      if (batch.length >= MAX_REMOVALS) await removeBatch();
    }
    await removeBatch();
    if (found === 0) return removed;
  }
  throw new PipelineError('KEY_STORE_UNAVAILABLE', 'removed keys come back; another process makes them');
}

async function* namesWhere(
  objects: KeyObjects,
  folder: string,
  isWanted: (name: string) => boolean,
): AsyncGenerator<string> {
  for await (const name of objects.list(folder)) if (isWanted(name)) yield name;
}

/** Takes the surrogate from its name, unless the name has another one by now. */
async function removeSurrogate({ objects, keyring }: DestroyContext, subject: string): Promise<void> {
  const back = nameOfSubject(subject);
  const [bytes] = await objects.read([back]);
  if (bytes === undefined) return;
  const stored = parseObject(WrappedName, back, bytes);
  const secret = await unwrapObject(stored, back, await keyring.byId(stored.master_key));
  const name = secret.toString('hex');
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const [found] = await readSurrogates({ objects, keyring }, [name]);
    if (found?.subject !== subject) return;
    // A rotation may change the bytes meanwhile.
    await objects.change([{ name: surrogateName(name), from: found.bytes, to: undefined }]);
  }
  throw new PipelineError('KEY_STORE_UNAVAILABLE', 'the surrogate of a destroyed subject comes back');
}

function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
