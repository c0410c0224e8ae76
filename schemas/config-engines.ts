/** Configuration of the engines that take the place of the embedded ones. Each is in use once its address is set. */
import { Type } from 'typebox';

export const KafkaConfig = Type.Object(
  {
    brokers: Type.Optional(
      Type.String({
        pattern: '^[^\\s,]+:[0-9]{1,5}(,[^\\s,]+:[0-9]{1,5})*$',
        description:
          'host:port of Kafka brokers that hold the event log, separated by commas; without it the event log is in the data folder',
      }),
    ),
    topic: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,200}$',
      default: 'affidavit.envelopes',
      description: 'topic of the event log; its dead letters go to the same name and .dead-letters',
    }),
    partitions: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 6,
      description: 'partitions of the topic, each a log of its own; fixed by `affidavit init`',
    }),
    replication_factor: Type.Integer({
      minimum: 1,
      maximum: 32,
      default: 3,
      description: 'brokers that hold each partition',
    }),
    min_insync_replicas: Type.Integer({
      minimum: 1,
      maximum: 32,
      default: 2,
      description: 'brokers that must have a request before it is acknowledged',
    }),
    session_timeout_ms: Type.Integer({
      minimum: 6_000,
      maximum: 300_000,
      default: 30_000,
      description: 'after so long without a sign of life the partitions of a sequencer go to others',
    }),
    tls: Type.Boolean({
      default: false,
      description: 'encrypts connections to the brokers; further authorities to trust by NODE_EXTRA_CA_CERTS',
    }),
    sasl_mechanism: Type.Optional(
      Type.Union([Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')], {
        description: 'plain, scram-sha-256 or scram-sha-512; needs username and password',
      }),
    ),
    sasl_username: Type.Optional(Type.String({ minLength: 1, description: 'user of the brokers' })),
    sasl_password: Type.Optional(Type.String({ minLength: 1, description: 'its password' })),
  },
  { additionalProperties: false },
);

export const S3Config = Type.Object(
  {
    bucket: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
        description:
          'bucket with versioning and object lock that holds the archive; without it the archive is in the data folder',
      }),
    ),
    endpoint: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description: 'address of a server that speaks S3; without it AWS',
      }),
    ),
    region: Type.String({ minLength: 1, default: 'us-east-1', description: 'region of the bucket' }),
    prefix: Type.String({
      pattern: '^([A-Za-z0-9_][A-Za-z0-9._-]*/)*$',
      default: '',
      description: 'before every key of the archive; empty, or ends in a slash',
    }),
    access_key_id: Type.Optional(
      Type.String({ minLength: 1, description: 'without it the usual chain of AWS credentials is asked' }),
    ),
    secret_access_key: Type.Optional(Type.String({ minLength: 1, description: 'belongs to access_key_id' })),
    single_sequencer: Type.Boolean({
      default: false,
      description:
        'takes a store that ignores create-only writes; only one process may then ever seal, or the log can fork',
    }),
  },
  { additionalProperties: false },
);

export const ClickHouseConfig = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description:
          'HTTP address of a ClickHouse server that holds the record store; without it the engine runs in this process',
      }),
    ),
    username: Type.Optional(Type.String({ minLength: 1, description: 'user of that server' })),
    password: Type.Optional(Type.String({ description: 'its password' })),
    database: Type.Optional(
      Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description: 'database of that server' }),
    ),
    cluster: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
        description:
          'cluster on whose replicas the tables are made, replicated; the url then names one replica, not a balancer',
      }),
    ),
  },
  { additionalProperties: false },
);
