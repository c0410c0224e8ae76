/**
 * Surrogates of subjects by name. In: keyed hashes of people. Out: random surrogates. Invariant: where a name has a
 * surrogate, the way back from the surrogate to the name is durable, so that a destruction finds both.
 */
import { Value } from 'typebox/value';
import { SubjectName, WrappedSurrogate, type WrappedName } from '../../schemas/data-key.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Keyring } from './keyring.ts';
import type { KeyObjects } from './key-objects.ts';
import { nameOfSubject, surrogateName, tombstoneName } from './object-names.ts';
import { createWrapped } from './rewrap.ts';
import { damaged, parseObject, unwrapObject, wrapObject } from './stored-object.ts';
import type { TimedCache } from './timed-cache.ts';

const SUBJECT_BYTES = 16;
/** A new surrogate takes three looks; one that is being destroyed makes room for another one. */
const MAX_ATTEMPTS = 10;

export interface SurrogatesOptions {
  readonly objects: KeyObjects;
  readonly keyring: Keyring;
  readonly cache: TimedCache<string>;
  readonly randomBytes: (count: number) => Buffer;
}

/** A stored surrogate, with the bytes that it was read from. */
interface StoredSurrogate {
  readonly subject: string;
  readonly bytes: Buffer;
}

/**
 * As `KeyStore.subjects`. The surrogate of a name is made first, by the process that comes first; the way back is made for it next, and
 * it is given when both are there. After a crash on the line behind each mark it is true that:
 *  1. the surrogate is there as a whole or not at all, and was given to nobody.
 *  2. the same, with its way back.
 */
export async function obtainSubjects(
  options: SurrogatesOptions,
  names: readonly string[],
): Promise<readonly string[]> {
  if (!names.every((name) => Value.Check(SubjectName, name))) {
    throw new PipelineError('PARAMETER_INVALID', 'a name of a subject is not 64 hex digits');
  }
  const subjects = new Map<string, string>();
  for (const name of new Set(names)) {
    const cached = options.cache.get(name);
    if (cached !== undefined) subjects.set(name, cached);
  }
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const rest = [...new Set(names)].filter((name) => !subjects.has(name));
    if (rest.length === 0) return names.map((name) => subjects.get(name) ?? noSubject());
    const remember = options.cache.begin();
    const found = await readStates(options, rest);
    for (const { name, subject, state } of found) {
      if (state !== 'whole' || subject === undefined) continue;
      subjects.set(name, subject);
      remember(name, subject);
    }
    await drawSubjects(options, found); // 1
    await makeWaysBack(options, found); // 2
    await removeDead(options, found);
  }
  return noSubject();
}

/** The stored surrogate of each name, in the order of the names. */
export async function readSurrogates(
  { objects, keyring }: Pick<SurrogatesOptions, 'objects' | 'keyring'>,
  names: readonly string[],
  { durable = false }: { readonly durable?: boolean } = {},
): Promise<readonly (StoredSurrogate | undefined)[]> {
  const stored = await objects.read(names.map(surrogateName), { durable });
  return Promise.all(
    names.map(async (name, place) => {
      const bytes = stored[place];
      if (bytes === undefined) return undefined;
      const object = surrogateName(name);
      const surrogate = parseObject(WrappedSurrogate, object, bytes);
      if (surrogate.name !== name) throw damaged(object, 'is the surrogate of another name');
      const secret = await unwrapObject(surrogate, object, await keyring.byId(surrogate.master_key));
      if (secret.length !== SUBJECT_BYTES) throw damaged(object, 'does not hold a surrogate');
      return { subject: secret.toString('base64url'), bytes };
    }),
  );
}

/**
 * - `absent`: the name has no surrogate
 * - `one_way`: there is no way back from the surrogate yet
 * - `whole`: it can be given
 * - `dead`: it has a tombstone, and must make room for another one
 */
interface SubjectState {
  readonly name: string;
  readonly state: 'absent' | 'one_way' | 'whole' | 'dead';
  readonly subject: string | undefined;
  readonly bytes: Buffer | undefined;
}

async function readStates(options: SurrogatesOptions, names: readonly string[]): Promise<SubjectState[]> {
  const found = await readSurrogates(options, names, { durable: true });
  const subjects = found.flatMap((each) => (each === undefined ? [] : [each.subject]));
  const [tombstones, backs] = await Promise.all([
    options.objects.read(subjects.map((subject) => tombstoneName({ subject }))),
    options.objects.read(subjects.map(nameOfSubject), { durable: true }),
  ]);
  return names.map((name, place) => {
    const stored = found[place];
    if (stored === undefined) return { name, state: 'absent', subject: undefined, bytes: undefined };
    const at = subjects.indexOf(stored.subject);
    const living = backs[at] === undefined ? 'one_way' : 'whole';
    return { name, ...stored, state: tombstones[at] === undefined ? living : 'dead' };
  });
}

/** Other processes may do the same for the same names: the next look shows whose surrogate is there. */
async function drawSubjects(options: SurrogatesOptions, states: readonly SubjectState[]): Promise<void> {
  const absent = states.filter(({ state }) => state === 'absent');
  if (absent.length === 0) return;
  await createWrapped(options, (masterKey) =>
    Promise.all(
      absent.map(async ({ name }) => ({
        name: surrogateName(name),
        bytes: await wrapObject<WrappedSurrogate>(
          { kind: 'surrogate', name },
          options.randomBytes(SUBJECT_BYTES),
          masterKey,
        ),
      })),
    ),
  );
}

async function makeWaysBack(options: SurrogatesOptions, states: readonly SubjectState[]): Promise<void> {
  const oneWay = states.flatMap(({ name, state, subject }) =>
    state === 'one_way' && subject !== undefined ? [{ name, subject }] : [],
  );
  if (oneWay.length === 0) return;
  await createWrapped(options, (masterKey) =>
    Promise.all(
      oneWay.map(async ({ name, subject }) => ({
        name: nameOfSubject(subject),
        bytes: await wrapObject<WrappedName>({ kind: 'name', subject }, Buffer.from(name, 'hex'), masterKey),
      })),
    ),
  );
}

async function removeDead({ objects }: SurrogatesOptions, states: readonly SubjectState[]): Promise<void> {
  const changes = states.flatMap(({ name, state, subject, bytes }) => {
    if (state !== 'dead' || subject === undefined) return [];
    return [
      { name: surrogateName(name), from: bytes, to: undefined },
      { name: nameOfSubject(subject), from: undefined, to: undefined },
    ];
  });
  await objects.change(changes);
}

function noSubject(): never {
  throw new PipelineError('KEY_STORE_UNAVAILABLE', 'surrogates of these names come and go');
}
