/** Configuration of Kafka, S3 and ClickHouse. Each replaces an embedded engine as soon as its address is set. */
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
      description: 'topic of the event log; dead letters go to a topic with the suffix .dead-letters',
    }),
    partitions: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 6,
      description: 'partitions of the topic, each of which is a log; fixed by `affidavit init`',
    }),
    replication_factor: Type.Integer({
      minimum: 1,
      maximum: 32,
      default: 3,
      description: 'number of brokers that hold each partition',
    }),
    min_insync_replicas: Type.Integer({
      minimum: 1,
      maximum: 32,
      default: 2,
      description: 'number of brokers that must have a request before it is acknowledged',
    }),
    tls: Type.Boolean({
      default: false,
      description:
        'whether connections to the brokers are encrypted; NODE_EXTRA_CA_CERTS adds trusted authorities',
    }),
    sasl_mechanism: Type.Optional(
      Type.Union([Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')], {
        description: 'plain, scram-sha-256 or scram-sha-512; needs username and password',
      }),
    ),
    sasl_username: Type.Optional(Type.String({ minLength: 1, description: 'user name at the brokers' })),
    sasl_password: Type.Optional(Type.String({ minLength: 1, description: 'password of that user' })),
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
        description: 'address of an S3 server; without it AWS',
      }),
    ),
    region: Type.String({ minLength: 1, default: 'us-east-1', description: 'region of the bucket' }),
    prefix: Type.String({
      pattern: '^([A-Za-z0-9_][A-Za-z0-9._-]*/)*$',
      default: '',
      description: 'beginning of every key of the archive; empty, or ends in a slash',
    }),
    access_key_id: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'key of the S3 server; without it the usual chain of AWS credentials is used',
      }),
    ),
    secret_access_key: Type.Optional(Type.String({ minLength: 1, description: 'secret of access_key_id' })),
    dangerously_single_sequencer: Type.Boolean({
      default: false,
      description:
        'accepts a store that ignores create-only writes; then only one process may ever seal, or the log forks',
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
    username: Type.Optional(Type.String({ minLength: 1, description: 'user name at that server' })),
    password: Type.Optional(Type.String({ description: 'password of that user' })),
    database: Type.Optional(
      Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description: 'database of that server' }),
    ),
    cluster: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
        description:
          'cluster on whose replicas the replicated tables are made; the URL then names one replica and not a load balancer',
      }),
    ),
  },
  { additionalProperties: false },
);
