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
/** A surrogate that another process makes at the same time takes a second look, as one that is being destroyed does. */
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
 *  2. the same, with its way back. A destruction that met the surrogate meanwhile left a tombstone before it removed anything.
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
    const drawn = await drawSubjects(options, found); // 1
    await makeWaysBack(options, [...found, ...drawn]); // 2
    const known = await markDead(options, [...found, ...drawn]);
    for (const { name, subject, state } of known) {
      if (state === 'dead') continue;
      subjects.set(name, subject);
      remember(name, subject);
    }
    await removeDead(options, known);
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
 * - `whole`: it can be given, unless it has a tombstone
 * - `dead`: it has a tombstone, and must make room for another one
 */
interface SubjectState {
  readonly name: string;
  readonly state: 'absent' | 'one_way' | 'whole' | 'dead';
  readonly subject: string | undefined;
  readonly bytes: Buffer | undefined;
}

/** A name that has a surrogate. `bytes` is undefined for one that this call made. */
type KnownSubject = SubjectState & Pick<StoredSurrogate, 'subject'>;

async function readStates(options: SurrogatesOptions, names: readonly string[]): Promise<SubjectState[]> {
  const found = await readSurrogates(options, names, { durable: true });
  const subjects = found.flatMap((each) => (each === undefined ? [] : [each.subject]));
  const backs = await options.objects.read(subjects.map(nameOfSubject), { durable: true });
  const hasBack = new Map(subjects.map((subject, place) => [subject, backs[place] !== undefined]));
  return names.map((name, place) => {
    const stored = found[place];
    if (stored === undefined) return { name, state: 'absent', subject: undefined, bytes: undefined };
    return { name, ...stored, state: hasBack.get(stored.subject) === true ? 'whole' : 'one_way' };
  });
}

/** The surrogates that this call made. Other processes may do the same for the same names: the next look shows theirs. */
async function drawSubjects(
  options: SurrogatesOptions,
  states: readonly SubjectState[],
): Promise<KnownSubject[]> {
  const absent = states.filter(({ state }) => state === 'absent');
  if (absent.length === 0) return [];
  const drawn = absent.map(({ name }) => ({ name, secret: options.randomBytes(SUBJECT_BYTES) }));
  const outcomes = await createWrapped(options, (masterKey) =>
    Promise.all(
      drawn.map(async ({ name, secret }) => ({
        name: surrogateName(name),
        bytes: await wrapObject<WrappedSurrogate>({ kind: 'surrogate', name }, secret, masterKey),
      })),
    ),
  );
  const made = drawn.filter((_, place) => outcomes[place] === 'created');
  // Its bytes may have been rewrapped since.
  return made.map(({ name, secret }) => ({
    name,
    state: 'one_way',
    subject: secret.toString('base64url'),
    bytes: undefined,
  }));
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

/** Those of the names that have a surrogate, with a look at its tombstone. */
async function markDead(
  { objects }: SurrogatesOptions,
  states: readonly SubjectState[],
): Promise<KnownSubject[]> {
  const known = states.filter((each): each is KnownSubject => each.subject !== undefined);
  const tombstones = await objects.read(known.map(({ subject }) => tombstoneName({ subject })));
  return known.map((each, place) => (tombstones[place] === undefined ? each : { ...each, state: 'dead' }));
}

/** Another surrogate may lie under the name of one that this call made by now, so only what was read is removed. */
async function removeDead({ objects }: SurrogatesOptions, states: readonly KnownSubject[]): Promise<void> {
  const changes = states.flatMap(({ name, state, subject, bytes }) => {
    if (state !== 'dead' || bytes === undefined) return [];
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
