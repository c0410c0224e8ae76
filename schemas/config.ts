import { Type, type Static } from 'typebox';
import { ClickHouseConfig, KafkaConfig, S3Config } from './config-engines.ts';
import { KeyStoreConfig } from './config-key-store.ts';
import { RetentionConfig } from './config-retention.ts';

const Port = (description: string, preset: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: preset,
    description: `${description}; 0 takes a free port`,
  });

const Role = Type.Union(
  [Type.Literal('ingest'), Type.Literal('sequence'), Type.Literal('report'), Type.Literal('api')],
  { description: 'the single role of this process: ingest, sequence, report or api; without it all of them' },
);

/** Roles that a process may have. */
export const ROLES: readonly string[] = Role.anyOf.map((role) => role.const);

/**
 * Every configuration key with its type, default and meaning. docs/config.md is generated from it. The environment
 * variable of a key is `AFFIDAVIT_` and the path of the key in upper case, joined by underscores.
 */
export const Config = Type.Object(
  {
    data: Type.String({
      minLength: 1,
      default: './data',
      description: 'folder of the embedded default: keys, event log, record store, archive, packages',
    }),
    keys: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'folder of keys and tokens, shared by all processes of a deployment; without it keys/ in the data folder',
      }),
    ),
    role: Type.Optional(Role),
    host: Type.String({
      minLength: 1,
      default: '127.0.0.1',
      description:
        'address that receivers and API listen on; keep it on loopback unless a proxy in front of it terminates TLS',
    }),
    log_level: Type.Union(
      [
        Type.Literal('trace'),
        Type.Literal('debug'),
        Type.Literal('info'),
        Type.Literal('warn'),
        Type.Literal('error'),
        Type.Literal('fatal'),
        Type.Literal('silent'),
      ],
      { default: 'info', description: 'lowest level that is written to standard error' },
    ),
    origin: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{2,120}$',
        description:
          'name of the log in checkpoints, a URL without its scheme; `affidavit init` takes it, or generates a name if it is unset; where it is set, `serve --init` begins no history',
      }),
    ),
    admin_token: Type.Optional(
      Type.String({
        minLength: 8,
        description: 'token that `affidavit init` takes instead of a generated token',
      }),
    ),
    collector_token: Type.Optional(
      Type.String({
        minLength: 8,
        description: 'token that `affidavit init` takes instead of a generated token',
      }),
    ),
    ingest: Type.Object(
      {
        port: Port('port of the receivers', 4318),
        grpc_port: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 65_535,
            description:
              'port of OTLP/gRPC; 0 takes a free port; without it 4317 if ingest.port is 4318, otherwise OTLP/gRPC is off',
          }),
        ),
        tls_cert: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'PEM file with the TLS certificate of the receivers and its chain',
          }),
        ),
        tls_key: Type.Optional(
          Type.String({ minLength: 1, description: 'PEM file with the key of ingest.tls_cert' }),
        ),
        tls_client_ca: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'PEM file with the authority of client certificates; with it a sender needs a certificate as well as its token',
          }),
        ),
        max_body_bytes: Type.Integer({
          minimum: 1024,
          maximum: 268_435_456,
          default: 33_554_432,
          description: 'largest request body as sent, in bytes',
        }),
        max_inflated_bytes: Type.Integer({
          minimum: 1024,
          maximum: 268_435_456,
          default: 67_108_864,
          description: 'largest request body after inflation, in bytes',
        }),
        max_backlog_bytes: Type.Integer({
          minimum: 1_048_576,
          default: 4_294_967_296,
          description: 'bytes of bodies that are not sealed yet; beyond them receivers answer 503',
        }),
        seal_after_ms: Type.Integer({
          minimum: 0,
          maximum: 10_000,
          default: 2_000,
          description:
            'age at which requests that do not fill a bundle are sealed, in milliseconds; senders do not wait for it; 0 seals at once',
        }),
        gateway_mappings: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'JSON file that describes further gateways by name; receivers and sequencers need the same file',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    store: Type.Object(
      {
        lock_mode: Type.Union([Type.Literal('governance'), Type.Literal('compliance')], {
          default: 'governance',
          description:
            'lock of archive objects: a special right can lift governance; nobody can lift compliance before its date',
        }),
        head_log_every_ms: Type.Integer({
          minimum: 1_000,
          maximum: 3_600_000,
          default: 60_000,
          description:
            'shortest time between two entries of the head log, in milliseconds; an entry is written while records are sealed, and at least every hour',
        }),
        max_query_ms: Type.Integer({
          minimum: 10,
          maximum: 3_600_000,
          default: 30_000,
          description: 'longest run of one query of the record store, in milliseconds',
        }),
        max_clock_ahead_days: Type.Integer({
          minimum: 1,
          maximum: 36_500,
          default: 31,
          description:
            "days that the sealing machine's clock may be ahead of both the newest record to seal and the last bundle; beyond them nothing is sealed (CLOCK_AHEAD). Raise it to seal what waited for longer than that",
        }),
      },
      { additionalProperties: false },
    ),
    retention: RetentionConfig,
    clickhouse: ClickHouseConfig,
    kafka: KafkaConfig,
    s3: S3Config,
    key_store: KeyStoreConfig,
    api: Type.Object({ port: Port('port of the API', 8080) }, { additionalProperties: false }),
  },
  { additionalProperties: false },
);
export type Config = Static<typeof Config>;
