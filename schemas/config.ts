import { Type, type Static } from 'typebox';
import { ClickHouseConfig, KafkaConfig, S3Config } from './config-engines.ts';

const Port = (description: string, preset: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: preset,
    description: `${description}; 0 takes a free one`,
  });

/** `forward` is for destinations to come. */
const Role = Type.Union(
  [
    Type.Literal('ingest'),
    Type.Literal('sequence'),
    Type.Literal('report'),
    Type.Literal('api'),
    Type.Literal('forward'),
  ],
  {
    description:
      'the one thing that this process does: ingest, sequence, report, api; without it all of them',
  },
);

/** What one process of several may do. */
export const ROLES: readonly string[] = Role.anyOf.map((role) => role.const);

/**
 * Every configuration key with its type, default and meaning. docs/config.md is generated from it. The environment
 * variable of a key is `AFFIDAVIT_` and its path in upper case, joined by underscores.
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
      description: 'address both servers listen on; keep it on loopback unless TLS is ended in front of it',
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
      { default: 'info', description: 'least level that is written to standard error' },
    ),
    origin: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{2,120}$',
        description:
          'name of the log in checkpoints, a URL without schema; used by the first start, which else makes one up',
      }),
    ),
    admin_token: Type.Optional(
      Type.String({ minLength: 8, description: 'taken by the first start instead of a generated token' }),
    ),
    collector_token: Type.Optional(
      Type.String({ minLength: 8, description: 'taken by the first start instead of a generated token' }),
    ),
    ingest: Type.Object(
      {
        port: Port('port of the receivers', 4318),
        grpc_port: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 65_535,
            description:
              'port of OTLP/gRPC, 0 takes a free one; without it 4317 where ingest.port is 4318, and none elsewhere',
          }),
        ),
        tls_cert: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'PEM file of the certificate with which the receivers speak TLS, its chain included',
          }),
        ),
        tls_key: Type.Optional(
          Type.String({ minLength: 1, description: 'PEM file of the key of ingest.tls_cert' }),
        ),
        tls_client_ca: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'PEM file of the authority of client certificates; with it a sender must show one beside its token',
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
          description: 'bodies not sealed yet, in bytes; beyond it receivers answer 503',
        }),
        max_backlog_envelopes: Type.Integer({
          minimum: 1,
          default: 5_000_000,
          description: 'requests not sealed yet; beyond it receivers answer 503',
        }),
        max_backlog_per_collector_percent: Type.Integer({
          minimum: 1,
          maximum: 100,
          default: 80,
          description:
            'share of both backlog limits that one collector may fill; beyond it receivers answer 429',
        }),
        max_in_flight_per_collector_bytes: Type.Integer({
          minimum: 1024,
          maximum: 1_073_741_824,
          default: 134_217_728,
          description:
            'inflated body bytes that the unanswered requests of one collector may hold; beyond it receivers answer 429',
        }),
        max_requests_in_flight_per_collector: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          default: 1_024,
          description: 'unanswered requests of one collector; beyond it receivers answer 429',
        }),
        gateway_mappings: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'JSON file that describes gateways which are not known here, by name; the same for receivers and sequencers',
          }),
        ),
        webhook_secrets: Type.Optional(
          Type.String({
            pattern: '^(github|gitlab|anthropic):[^ ]+( (github|gitlab|anthropic):[^ ]+)*$',
            description:
              'secrets of webhooks as `github:SECRET gitlab:TOKEN anthropic:whsec_SECRET`, several of one platform while one replaces another; beside those of webhook-secrets.json in the keys folder',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    sequencer: Type.Object(
      {
        max_batch_envelopes: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          default: 5_000,
          description: 'most requests sealed in one bundle',
        }),
        max_batch_bytes: Type.Integer({
          minimum: 1_048_576,
          maximum: 268_435_456,
          default: 4_194_304,
          description:
            'most request bytes sealed in one bundle; one larger request makes a bundle of its own',
        }),
      },
      { additionalProperties: false },
    ),
    store: Type.Object(
      {
        retention_days: Type.Integer({
          minimum: 1,
          maximum: 36_500,
          default: 2_190,
          description:
            'lock of bundles, checkpoints and facts in the archive (six years, 45 CFR 164.316(b)(2))',
        }),
        lock_mode: Type.Union([Type.Literal('governance'), Type.Literal('compliance')], {
          default: 'governance',
          description:
            'how the archive is locked: governance can be lifted by special rights, compliance by nobody before its date',
        }),
        content_retention_days: Type.Integer({
          minimum: 1,
          maximum: 36_500,
          default: 365,
          description: 'lock of prompts, tool input and output in the archive',
        }),
        max_query_ms: Type.Integer({
          minimum: 10,
          maximum: 3_600_000,
          default: 30_000,
          description: 'longest run of one question to the record store, in milliseconds',
        }),
        max_query_rows: Type.Integer({
          minimum: 1_000,
          default: 1_000_000_000,
          description: 'most rows that one question may read',
        }),
      },
      { additionalProperties: false },
    ),
    clickhouse: ClickHouseConfig,
    kafka: KafkaConfig,
    s3: S3Config,
    api: Type.Object({ port: Port('port of the API', 8080) }, { additionalProperties: false }),
  },
  { additionalProperties: false },
);
export type Config = Static<typeof Config>;
