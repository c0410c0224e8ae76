/** Settings that are valid one by one and wrong together. Pure. */
import type { Config } from './config.ts';
import { RETENTION_CLASSES } from './retention.ts';
import type { ShapeProblem } from './validate.ts';

/** Share of the backlog that one collector may fill, in percent; beyond it receivers answer 429. */
export const MAX_BACKLOG_PER_COLLECTOR_PERCENT = 80;
/** Room for the header and the frame that are stored with a body. */
const ENVELOPE_OVERHEAD_BYTES = 4096;

/** Every contradiction, each at the setting to change. */
export function contradictions(config: Config): ShapeProblem[] {
  return [
    ...backlogTooSmall(config),
    ...enginesMissing(config),
    ...groupsIncomplete(config),
    ...authorityWithoutTls(config),
    ...replicasTooFew(config),
    ...clocksOutOfOrder(config),
  ];
}

/** The share of one collector must hold a body of the largest size. */
function backlogTooSmall({ ingest }: Config): ShapeProblem[] {
  const required = ingest.max_inflated_bytes + ENVELOPE_OVERHEAD_BYTES;
  const share = Math.floor((ingest.max_backlog_bytes * MAX_BACKLOG_PER_COLLECTOR_PERCENT) / 100);
  if (share >= required) return [];
  const message = `allows one collector ${String(share)} bytes, too few for a body of max_inflated_bytes, which takes ${String(required)}`;
  return [{ pointer: '/ingest/max_backlog_bytes', message }];
}

/** Processes with a role share engines, so each engine needs an address. */
function enginesMissing({ role, kafka, clickhouse, s3, key_store }: Config): ShapeProblem[] {
  if (role === undefined) return [];
  const missing: ShapeProblem[] = [];
  const require = (given: unknown, pointer: string) => {
    if (given === undefined) missing.push({ pointer, message: `is needed by a process of role ${role}` });
  };
  if (role === 'ingest' || role === 'sequence') require(kafka.brokers, '/kafka/brokers');
  if (role !== 'ingest') require(clickhouse.url, '/clickhouse/url');
  if (role !== 'ingest') require(s3.bucket, '/s3/bucket');
  // The folder beside the data would hold keys that other machines do not have.
  if (role === 'sequence') require(key_store.bucket ?? key_store.dir, '/key_store/bucket');
  return missing;
}

/** A group of settings of which some are set and some are not. */
function groupsIncomplete({ kafka, s3, ingest }: Config): ShapeProblem[] {
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

/** Without TLS the receivers cannot ask for a certificate. */
function authorityWithoutTls({ ingest }: Config): ShapeProblem[] {
  if (ingest.tls_client_ca === undefined || ingest.tls_cert !== undefined) return [];
  return [{ pointer: '/ingest/tls_cert', message: 'is missing beside tls_client_ca' }];
}

function replicasTooFew({ kafka }: Config): ShapeProblem[] {
  if (kafka.min_insync_replicas <= kafka.replication_factor) return [];
  const message = `wants more brokers than replication_factor, which is ${String(kafka.replication_factor)}`;
  return [{ pointer: '/kafka/min_insync_replicas', message }];
}

/** Nothing can be proven longer than its proofs are kept, and rows are rebuilt from the archive alone. */
function clocksOutOfOrder({ retention }: Config): ShapeProblem[] {
  const proofDays = retention.proof.archive_days;
  return RETENTION_CLASSES.flatMap((name) => {
    const { hot_days, archive_days } = retention[name];
    const problems: ShapeProblem[] = [];
    if (archive_days > proofDays) {
      const message = `is longer than retention.proof.archive_days, which is ${String(proofDays)}: nothing could be proven once its bundle is gone`;
      problems.push({ pointer: `/retention/${name}/archive_days`, message });
    }
    if (hot_days > archive_days) {
      const message = `is longer than archive_days, which is ${String(archive_days)}: the record store is rebuilt from the archive`;
      problems.push({ pointer: `/retention/${name}/hot_days`, message });
    }
    return problems;
  });
}
