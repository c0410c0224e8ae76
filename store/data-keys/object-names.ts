/** Names of the objects of a key store: the same in a folder and in a bucket. Pure. */
import type { KeyAddress, TombstoneScope } from '../../schemas/data-key.ts';

/** The state: which master key is the current one. */
export const STATE_NAME = 'master-key';
/** Folders of data keys: of subjects, and of nobody. */
export const SUBJECT_KEYS = 'subject-keys/';
export const CLASS_KEYS = 'class-keys/';
export const SURROGATES = 'surrogates/';
export const NAMES = 'names/';
export const DESTROYED_SUBJECTS = 'destroyed-subjects/';
export const DESTROYED_MONTHS = 'destroyed-months/';

/** Folders whose objects a master key wraps. */
export const WRAPPED_FOLDERS = [SUBJECT_KEYS, CLASS_KEYS, SURROGATES, NAMES] as const;

/** A folder is flushed as a whole, so a batch must not spread over too many of them: 64 for subjects, 16 for names. */
function below(folder: string, name: string): string {
  return `${folder}${name.slice(0, 1)}/${name}`;
}

export function keyName({ subject, retention_class, month }: KeyAddress): string {
  if (subject === null) return `${CLASS_KEYS}${retention_class}.${month}`;
  return below(SUBJECT_KEYS, `${subject}.${retention_class}.${month}`);
}

/** Prefix of every data key of a subject, and of nothing else. */
export function keysOfSubject(subject: string): string {
  return below(SUBJECT_KEYS, `${subject}.`);
}

/** Whether the object is a data key of this class and month. */
export function isOfMonth(
  name: string,
  { retention_class, month }: { retention_class: string; month: string },
): boolean {
  const ending = `${retention_class}.${month}`;
  return name === `${CLASS_KEYS}${ending}` || (name.startsWith(SUBJECT_KEYS) && name.endsWith(`.${ending}`));
}

/** The surrogate of a name. */
export function surrogateName(name: string): string {
  return below(SURROGATES, name);
}

/** The name of a surrogate. */
export function nameOfSubject(subject: string): string {
  return below(NAMES, subject);
}

export function tombstoneName(scope: TombstoneScope): string {
  if ('subject' in scope) return below(DESTROYED_SUBJECTS, scope.subject);
  return `${DESTROYED_MONTHS}${scope.retention_class}.${scope.month}`;
}

/** Tombstones that end the key of an address. */
export function tombstonesOf({ subject, retention_class, month }: KeyAddress): string[] {
  const ofMonth = tombstoneName({ retention_class, month });
  return subject === null ? [ofMonth] : [tombstoneName({ subject }), ofMonth];
}

/** The envelope of a master key, where AWS KMS keeps the key above it. */
export function envelopeName(id: string): string {
  return `master-keys/${id}`;
}
