import { Type, type Static } from 'typebox';
import { ArchiveLock } from './archive-lock.ts';
import { DecimalString, HashHex, InstantUtc, SafeCount } from './primitives.ts';
import { ArchiveDays } from './retention.ts';

/** The parts of a record, which are stored, kept and erased separately. */
export const PartKind = Type.Union([Type.Literal('facts'), Type.Literal('person'), Type.Literal('content')]);
export type PartKind = Static<typeof PartKind>;

/** The order in which parts are sealed and stored. */
export const PART_KINDS = ['facts', 'person', 'content'] as const satisfies readonly PartKind[];

/**
 * A payload object as its bundle names it: frames side by side that are kept until one date. `sha256` and `size_bytes` are
 * of all its bytes. The lines of the bundle name each frame (`FrameRef`).
 */
export const PayloadRef = Type.Object(
  {
    key: Type.String(),
    sha256: HashHex,
    size_bytes: SafeCount,
    lock: ArchiveLock,
  },
  { additionalProperties: false },
);
export type PayloadRef = Static<typeof PayloadRef>;

/** The last entry of the event log that was read of one writer. */
export const WriterHead = Type.Object(
  {
    writer: Type.String({
      pattern: '^[0-9a-f]{32}$',
      description: 'random id of one opening of the event log',
    }),
    number: SafeCount,
    mac: HashHex,
    received_at: InstantUtc,
  },
  { additionalProperties: false },
);
export type WriterHead = Static<typeof WriterHead>;

/** Where each writer of the event log stands at `next_offset`, the one that wrote last at the end. */
export const WriterHeads = Type.Object(
  {
    key_sha256: HashHex,
    heads: Type.Array(WriterHead, { minItems: 1 }),
  },
  { additionalProperties: false },
);
export type WriterHeads = Static<typeof WriterHeads>;

/** The compressed lines that follow the header line in the same object: first those of frames, then those of leaves. */
export const LinesRef = Type.Object(
  { sha256: HashHex, size_bytes: SafeCount },
  { additionalProperties: false },
);
export type LinesRef = Static<typeof LinesRef>;

/**
 * First line of a bundle, the unit of commit. `frontier` holds the roots of the perfect subtrees of the tree after
 * this bundle, largest first, so that appending never reads older bundles. `genesis_sha256` is of the genesis object, so
 * that no other genesis of the same key can take its place. `lock` is that of the bundle and of the checkpoint at its end.
 */
export const BundleHeader = Type.Object(
  {
    v: Type.Literal(1),
    origin: Type.String(),
    genesis_sha256: HashHex,
    start_index: SafeCount,
    leaf_count: SafeCount,
    tree_size: SafeCount,
    root_hash: HashHex,
    chain_head: HashHex,
    frontier: Type.Array(HashHex),
    next_offset: DecimalString,
    event_log: Type.Optional(
      Type.String({
        maxLength: 256,
        description: 'id of the event log that `next_offset` counts in; absent where the log gives none',
      }),
    ),
    writers: Type.Optional(WriterHeads),
    integrated_at: InstantUtc,
    duplicate_count: SafeCount,
    lock: ArchiveLock,
    frame_count: SafeCount,
    lines: LinesRef,
    payloads: Type.Array(PayloadRef),
    next_vkey: Type.Optional(
      Type.String({
        description: 'verifier key of every bundle behind this one, which is the last of its key',
      }),
    ),
    next_package_key: Type.Optional(
      Type.String({
        description:
          'beside `next_vkey`: verifier key that signs packages with a checkpoint behind this bundle; absent in the head log',
      }),
    ),
    next_signature: Type.Optional(
      Type.String({
        description:
          'Ed25519 by the key of `next_vkey` over the other members but `signature`, base64 (store/chain/bundle-signature.ts)',
      }),
    ),
    rotated_at: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          '`start_index` of the bundle that names the key of this one; absent for the key of the genesis',
      }),
    ),
    signature: Type.String({
      description:
        'Ed25519 by the key of the log over the other members, base64 (store/chain/bundle-signature.ts)',
    }),
  },
  { additionalProperties: false },
);
export type BundleHeader = Static<typeof BundleHeader>;
export type UnsignedBundleHeader = Omit<BundleHeader, 'signature'>;

/**
 * The promises of a log about all of its objects. `archive_days` are the floors of the locks: the days for which an object
 * must be locked at least, counted from the signed instant of its bundle, by retention class. `proof` is the class of the
 * log's objects besides payloads: genesis, bundles and checkpoints.
 */
export const LogPolicy = Type.Object(
  {
    lock_mode: ArchiveLock.properties.mode,
    archive_days: ArchiveDays,
  },
  { additionalProperties: false },
);
export type LogPolicy = Static<typeof LogPolicy>;

/** How everything that shows a verdict about a synthetic log says so. */
export const SYNTHETIC_NOTICE = 'SYNTHETIC: made for tests or shows, evidence of nothing';

/**
 * The log that a log of records continues under new keys, because somebody else may have the old ones. Its leaves up to
 * the head in `checkpoint` are trusted; whatever lies behind them is not evidence.
 */
export const Continuation = Type.Object(
  {
    generation: Type.Integer({
      minimum: 2,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'the log that continues none is generation 1',
    }),
    origin: Type.String({ pattern: '^[^\\s+]+$' }),
    genesis_sha256: HashHex,
    checkpoint: Type.Optional(
      Type.String({
        description: 'the trusted head, a signed note; absent where no leaf of that log is trusted',
      }),
    ),
  },
  { additionalProperties: false },
);
export type Continuation = Static<typeof Continuation>;

/** First object of a log: its origin and the key that signs it and everything behind it. Written once, by `init`. */
export const LogGenesis = Type.Object(
  {
    v: Type.Literal(1),
    origin: Type.String({ pattern: '^[^\\s+]+$' }),
    vkey: Type.String({ description: 'C2SP signed-note verifier key' }),
    created_at: InstantUtc,
    synthetic: Type.Boolean({
      description: 'whether the log was made for tests or shows: no record in it is evidence of anything',
    }),
    policy: LogPolicy,
    /** SHA-256 of the preset dictionary that compresses the frames of the log. */
    frame_dictionary: HashHex,
    package_key: Type.Optional(
      Type.String({
        description:
          'verifier key that signs evidence packages about the log, until a bundle names the next one; absent in the head log, about which there are none',
      }),
    ),
    head_log: Type.Optional(
      Type.String({ description: 'verifier key of the head log; absent in the head log itself' }),
    ),
    continues: Type.Optional(Continuation),
    lock: ArchiveLock,
    signature: Type.String({
      description: 'Ed25519 by `vkey` over the other members, base64 (store/chain/genesis.ts)',
    }),
  },
  { additionalProperties: false },
);
export type LogGenesis = Static<typeof LogGenesis>;
export type UnsignedLogGenesis = Omit<LogGenesis, 'signature'>;
