/** Data keys and the objects of the key store. Every object is one line of canonical JSON. */
import { Type, type Static } from 'typebox';
import { HashBase64Url, HashHex, InstantUtc } from './primitives.ts';
import { PartClass } from './retention.ts';

/** Surrogate of a subject: 16 random bytes as base64url without padding. */
export const Subject = Type.String({ pattern: '^[A-Za-z0-9_-]{21}[AQgw]$' });
/** Keyed hash of the person whom a source claims. */
export const SubjectName = HashHex;
/** A month in UTC. */
export const Month = Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])$' });
/** Id of a master key: it follows from the key, see `masterKeyOf`. */
export const MasterKeyId = Type.String({ pattern: '^[0-9a-f]{32}$' });

const closed = { additionalProperties: false } as const;

/** Which records a data key encrypts: those of one subject, or of nobody, in one retention class and month. */
export const KeyAddress = Type.Object(
  { subject: Type.Union([Subject, Type.Null()]), retention_class: PartClass, month: Month },
  closed,
);
export type KeyAddress = Static<typeof KeyAddress>;

/**
 * `nonce` has 12 bytes. `wrapped` is the AES-256-GCM ciphertext of a secret with its tag of 16 bytes behind it. All other
 * members of the object are the associated data.
 */
const Wrapping = {
  v: Type.Literal(1),
  master_key: MasterKeyId,
  nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{16}$' }),
  wrapped: Type.String({ pattern: '^[A-Za-z0-9_-]{43,64}$' }),
};

export const WrappedDataKey = Type.Object(
  { ...Wrapping, kind: Type.Literal('data_key'), address: KeyAddress, commitment: HashBase64Url },
  closed,
);
export type WrappedDataKey = Static<typeof WrappedDataKey>;

/** The surrogate of a name. */
export const WrappedSurrogate = Type.Object(
  { ...Wrapping, kind: Type.Literal('surrogate'), name: SubjectName },
  closed,
);
export type WrappedSurrogate = Static<typeof WrappedSurrogate>;

/** The name of a surrogate: the way back, by which the surrogate is found when its subject is destroyed. */
export const WrappedName = Type.Object({ ...Wrapping, kind: Type.Literal('name'), subject: Subject }, closed);
export type WrappedName = Static<typeof WrappedName>;

export type WrappedObject = WrappedDataKey | WrappedSurrogate | WrappedName;

/** Everything of one subject. */
const SubjectScope = Type.Object({ subject: Subject }, closed);
/** Every data key of one class and month: of all subjects, and of nobody. */
const ClassMonthScope = Type.Object({ retention_class: PartClass, month: Month }, closed);

/** Says for good that the keys of a scope were destroyed. It holds no personal data: a surrogate without its name. */
export const Tombstone = Type.Object(
  {
    v: Type.Literal(1),
    kind: Type.Literal('destroyed'),
    scope: Type.Union([SubjectScope, ClassMonthScope]),
    destroyed_at: InstantUtc,
  },
  closed,
);
export type Tombstone = Static<typeof Tombstone>;
export type TombstoneScope = Tombstone['scope'];

/** Which master key wraps new objects; `retiring` names the one before it until no object is left under that. */
export const MasterKeyState = Type.Object(
  {
    v: Type.Literal(1),
    kind: Type.Literal('master_key'),
    current: MasterKeyId,
    retiring: Type.Union([MasterKeyId, Type.Null()]),
  },
  closed,
);
export type MasterKeyState = Static<typeof MasterKeyState>;

/** A master key, encrypted by a key that stays in AWS KMS. */
export const MasterKeyEnvelope = Type.Object(
  {
    v: Type.Literal(1),
    kind: Type.Literal('master_key_envelope'),
    id: MasterKeyId,
    /** ARN of the key in AWS KMS. */
    kms_key: Type.String({ minLength: 1 }),
    /** Base64url. */
    ciphertext: Type.String({ pattern: '^[A-Za-z0-9_-]+$' }),
  },
  closed,
);
export type MasterKeyEnvelope = Static<typeof MasterKeyEnvelope>;
