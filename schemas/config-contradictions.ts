/** Settings that are valid each by itself and wrong together. Pure. */
import type { Config } from './config.ts';
import type { ShapeProblem } from './validate.ts';

/** Room for what is stored beside a body: its header and the frame around it. */
const ENVELOPE_OVERHEAD_BYTES = 4096;

/** All of them, each at the setting to change. */
export function contradictions(config: Config): ShapeProblem[] {
  return [
    ...limitsTooSmall(config),
    ...enginesMissing(config),
    ...halfGiven(config),
    ...authorityWithoutTls(config),
    ...replicasTooFew(config),
  ];
}

/** A body within one limit that another never lets in. */
function limitsTooSmall({ ingest }: Config): ShapeProblem[] {
  const least = ingest.max_inflated_bytes + ENVELOPE_OVERHEAD_BYTES;
  const share = Math.floor((ingest.max_backlog_bytes * ingest.max_backlog_per_collector_percent) / 100);
  const bounds: readonly (readonly [name: string, bytes: number, least: number])[] = [
    ['max_backlog_bytes', ingest.max_backlog_bytes, least],
    ['max_backlog_per_collector_percent', share, least],
    [
      'max_in_flight_per_collector_bytes',
      ingest.max_in_flight_per_collector_bytes,
      ingest.max_inflated_bytes,
    ],
  ];
  return bounds.flatMap(([name, bytes, needed]) =>
    bytes >= needed
      ? []
      : [
          {
            pointer: `/ingest/${name}`,
            message: `allows ${String(bytes)} bytes, too few for one body of max_inflated_bytes, which takes ${String(needed)}`,
          },
        ],
  );
}

/** Processes of one role meet in engines that all of them reach. */
function enginesMissing({ role, kafka, clickhouse, s3 }: Config): ShapeProblem[] {
  if (role === undefined) return [];
  const needed: ShapeProblem[] = [];
  const need = (given: unknown, pointer: string) => {
    if (given === undefined) needed.push({ pointer, message: `is needed by a process of role ${role}` });
  };
  if (role === 'ingest' || role === 'sequence') need(kafka.brokers, '/kafka/brokers');
  if (role !== 'ingest') need(clickhouse.url, '/clickhouse/url');
  if (role !== 'ingest') need(s3.bucket, '/s3/bucket');
  return needed;
}

/** Credentials of which a part is missing. */
function halfGiven({ kafka, s3, ingest }: Config): ShapeProblem[] {
  const groups: readonly (readonly [section: string, members: Readonly<Record<string, unknown>>])[] = [
    [
      'kafka',
      {
        sasl_mechanism: kafka.sasl_mechanism,
        sasl_username: kafka.sasl_username,
        sasl_password: kafka.sasl_password,
      },
    ],
    ['ingest', { tls_cert: ingest.tls_cert, tls_key: ingest.tls_key }],
    ['s3', { access_key_id: s3.access_key_id, secret_access_key: s3.secret_access_key }],
  ];
  return groups.flatMap(([section, members]) => {
    const missing = Object.keys(members).filter((name) => members[name] === undefined);
    if (missing.length === 0 || missing.length === Object.keys(members).length) return [];
    const given = Object.keys(members).filter((name) => members[name] !== undefined);
    return missing.map((name) => ({
      pointer: `/${section}/${name}`,
      message: `is missing beside ${given.join(' and ')}`,
    }));
  });
}

/** Without TLS nobody would be asked for a certificate. */
function authorityWithoutTls({ ingest }: Config): ShapeProblem[] {
  if (ingest.tls_client_ca === undefined || ingest.tls_cert !== undefined) return [];
  return [{ pointer: '/ingest/tls_cert', message: 'is missing beside tls_client_ca' }];
}

function replicasTooFew({ kafka }: Config): ShapeProblem[] {
  if (kafka.min_insync_replicas <= kafka.replication_factor) return [];
  const message = `wants more brokers than replication_factor, which is ${String(kafka.replication_factor)}`;
  return [{ pointer: '/kafka/min_insync_replicas', message }];
}
