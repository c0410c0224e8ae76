/** Which folder may use which folder, SDK and validator. `test/architecture.test.ts` holds the program to it. */

/** Folders of source. */
export const FOLDERS = [
  'app',
  'schemas',
  'connectors',
  'ingest',
  'store',
  'reports',
  'api',
  'commands',
] as const;

/** Folders that only the composition root may import: each holds adapters of ports. */
export const ADAPTERS = [
  'ingest/embedded',
  'ingest/kafka',
  'ingest/pull/local',
  'ingest/pull/s3',
  'ingest/receivers',
  'store/archive/local',
  'store/archive/s3',
  ...['kms', 'local', 's3'].map((name) => `store/data-keys/${name}`),
  'store/keys',
  'store/records/clickhouse',
];

/** Adapters that another adapter builds upon: the S3 client, and files that one user may read. */
export const BUILT_UPON = [
  ['ingest/pull/s3', 'store/archive/s3'],
  ['store/data-keys/s3', 'store/archive/s3'],
  ['store/data-keys/local', 'store/keys/secret-file.ts'],
] as const;

/** Ports that stand in the folder of their adapters. */
export const PORTS_AMONG_ADAPTERS = ['store/keys/signer.ts'];

/** Who may import whom. A prefix allows what lies below it; the first column is matched by longest prefix. */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  schemas: ['schemas'],

  'connectors/wire': ['connectors/wire', 'schemas'],
  'connectors/detect': ['connectors/detect', 'schemas'],
  'connectors/drafts': ['connectors/drafts', 'connectors/wire', 'schemas'],
  'connectors/sources': ['connectors/sources', 'connectors/drafts', 'connectors/wire', 'schemas'],
  'connectors/simulation': ['connectors', 'schemas'],

  'ingest/receivers': ['ingest/receivers', 'ingest/event-log.ts', 'connectors', 'schemas'],
  // Runs on machines that have nothing else of this program.
  'ingest/hook': ['ingest/hook'],
  'ingest/send': ['ingest/send', 'schemas'],
  'ingest/pull': ['ingest/pull', 'ingest/send', 'schemas'],
  'ingest/pull/s3': ['ingest/pull', 'store/archive/s3', 'schemas'],
  'ingest/embedded': [
    'ingest/embedded',
    'ingest/event-log.ts',
    'ingest/framing.ts',
    'ingest/frame-reader.ts',
    'ingest/frame-writer.ts',
    'schemas',
  ],
  ingest: ['ingest', 'connectors', 'schemas', 'store/ledger/ledger.ts', 'store/chain/sha256.ts'],

  // The floors of store: chain, then verify, then archive, keys, data-keys and records, then ledger, then projections and verify/store.
  'store/chain': ['store/chain', 'schemas'],
  'store/verify': ['store/verify', 'store/chain', 'schemas'],
  'store/archive': [
    'store/archive',
    'store/verify/archive-reader.ts',
    'store/verify/lock-file.ts',
    'store/verify/report.ts',
    'store/verify/stored-object.ts',
    'store/chain',
    'schemas',
  ],
  'store/keys': ['store/keys', 'store/chain', 'schemas'],
  // Its adapters alone use the two in the middle, see BUILT_UPON.
  'store/data-keys': ['store/data-keys', 'store/keys', 'store/archive/s3', 'store/chain', 'schemas'],
  'store/records': ['store/records', 'store/chain', 'schemas'],
  'store/records/queries': [
    'store/records/queries',
    'store/records/record-store.ts',
    'store/records/record-columns.ts',
    'schemas',
  ],
  'store/records/clickhouse': [
    'store/records/clickhouse',
    'store/records/record-store.ts',
    'store/records/record-columns.ts',
    'schemas',
  ],
  'store/ledger': [
    'store/ledger',
    'store/archive/archive.ts',
    'store/data-keys/key-store.ts',
    'store/keys/signer.ts',
    'store/records/record-row.ts',
    'store/records/record-store.ts',
    'store/chain',
    'schemas',
  ],
  'store/projections': [
    'store/projections',
    'store/ledger/archived-tree.ts',
    'store/ledger/head.ts',
    'store/ledger/log-tree.ts',
    'store/ledger/numbered-keys.ts',
    'store/ledger/projection.ts',
    'store/ledger/sealed-bundles.ts',
    'store/ledger/sound-bundle.ts',
    'store/archive/archive.ts',
    'store/records/queries/leaves.ts',
    'store/records/queries/seen-ids.ts',
    'store/records/record-store.ts',
    'store/chain',
    'schemas',
  ],
  'store/verify/store': [
    'store/verify/store',
    'store/verify/report.ts',
    'store/ledger/numbered-keys.ts',
    'store/ledger/sealed-bundles.ts',
    'store/ledger/sealed-parts.ts',
    'store/archive/archive.ts',
    'store/records',
    'store/chain',
    'schemas',
  ],

  // What a control is, below all that is drawn for one.
  'reports/controls': ['reports/controls', 'store/records/record-store.ts', 'schemas'],
  'reports/populations': [
    'reports/populations',
    'reports/controls',
    'store/records/queries',
    'store/records/record-store.ts',
    'schemas',
  ],
  'reports/frameworks': ['reports/frameworks', 'reports/populations', 'reports/controls'],
  'reports/completeness': [
    'reports/completeness',
    'reports/controls',
    'store/records/queries',
    'store/records/record-store.ts',
    'schemas',
  ],
  'reports/render': ['reports/render', 'reports/controls', 'store/chain', 'schemas'],
  // Takes a framework as a value and names none.
  'reports/package': [
    'reports/package',
    'reports/render',
    'reports/completeness',
    'reports/controls',
    'store/records',
    'store/ledger/published-log.ts',
    'store/keys/signer.ts',
    'store/chain',
    'schemas',
  ],
  // Requests and answers, below every route.
  'api/http': ['api/http', 'schemas'],
  'api/routes': [
    'api/routes',
    'api/http',
    'reports/completeness',
    'reports/frameworks/index.ts',
    'reports/package/packages.ts',
    'store/records',
    'store/ledger/log-tree.ts',
    'store/ledger/published-log.ts',
    'store/chain',
    'schemas',
  ],
  api: [
    'api',
    'reports/package/packages.ts',
    'store/ledger/log-tree.ts',
    'store/ledger/published-log.ts',
    'store/records/record-store.ts',
    'schemas',
  ],
  commands: [
    'commands',
    'schemas',
    'app',
    'config.ts',
    'connectors/simulation',
    'ingest/pull',
    'ingest/send',
    'reports/package/packages.ts',
    'store/chain',
    'store/keys',
    'store/verify',
  ],
  app: ['app', 'config.ts', ...FOLDERS.filter((folder) => folder !== 'commands')],
  'config.ts': ['schemas'],
  'cli.ts': ['commands', 'config.ts', 'reports/frameworks/index.ts', 'schemas', 'ingest/hook/main.ts'],
  'main.ts': ['cli.ts', 'ingest/hook/main.ts'],
};

/** Each SDK has one home. */
export const SDK_HOMES: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-kms': ['store/data-keys/kms'],
  '@aws-sdk/client-s3': ['store/archive/s3', 'store/data-keys/s3', 'ingest/pull/s3'],
  '@clickhouse/client': ['store/records/clickhouse'],
  '@grpc/grpc-js': ['ingest/receivers/grpc'],
  '@fastify/swagger': ['api'],
  ajv: ['schemas/validate.ts'],
  chdb: ['store/records/clickhouse'],
  commander: ['cli.ts', 'commands'],
  fastify: ['api', 'ingest/receivers'],
  kafkajs: ['ingest/kafka/kafkajs', 'ingest/kafka/gateway-topic.ts'],
  '@platformatic/kafka': ['ingest/kafka/platformatic'],
  lmdb: ['ingest/embedded'],
  pdfkit: ['reports/render'],
  pino: ['app'],
  'prom-client': ['api'],
  protobufjs: ['connectors/wire/otlp'],
  typebox: [''],
  yauzl: ['store/verify'],
  yazl: ['reports'],
};

/** Which validator judges which values; docs/adr/0023 says why. */
export const VALIDATORS: Readonly<Record<string, readonly string[]>> = {
  // Ajv, with every problem and its place: values from outside.
  'schemas/validate.ts': [
    'api/http/problem.ts',
    'config.ts',
    'commands',
    'connectors',
    'ingest',
    'store/keys/webhook-secrets.ts',
  ],
  // TypeBox, yes or no: values that this program wrote.
  'typebox/value': [
    'api/http/cursor.ts',
    'app/deployment-file.ts',
    'app/deployment.ts',
    'app/generation-plan.ts',
    'ingest/pull/cursor.ts',
    'store',
  ],
  // TypeBox, compiled: many values of one shape, in the verifier without any other package.
  'typebox/compile': [
    'store/ledger/sealed-bundles.ts',
    'store/records/record-row.ts',
    'store/verify/shape.ts',
  ],
};
