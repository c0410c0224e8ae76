/** Configuration of the key store and of the master key above it. */
import { Type } from 'typebox';

export const KeyStoreConfig = Type.Object(
  {
    dir: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'folder of the key store; without it key-store/ in the data folder',
      }),
    ),
    bucket: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
        description:
          'bucket that never had versions or object lock and holds the key store and nothing else, instead of a folder; endpoint, region and keys are those of s3',
      }),
    ),
    master_keys: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'folder of the master keys; without it master-keys/ in the folder of keys',
      }),
    ),
    kms_key: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'key, ARN or alias in AWS KMS that encrypts new master keys; without it master keys are files in master_keys',
      }),
    ),
    cache_ms: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 30_000,
      description:
        'time for which a process remembers data keys and surrogates, in milliseconds; for so long it may give a key that another process has destroyed',
    }),
  },
  { additionalProperties: false },
);
