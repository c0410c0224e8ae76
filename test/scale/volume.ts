/** Many simulated records from several senders to several receivers; all of them sealed, verified and counted. */
import { untilSealed, type RoleProcess, type ScaleOut } from '../support/scale-out.ts';
import { runAffidavit } from '../support/server.ts';
import type { ScaleArguments } from './arguments.ts';
import { countRows, countType, verifyBucket } from './verdict.ts';

/** As the simulation draws them, on average. */
const RECORDS_PER_USER_AND_DAY = 238;
const DAYS = 2;
const SEAL_DEADLINE_MS = 30 * 60_000;

export interface VolumeResult {
  readonly sent: number;
  readonly own: number;
  readonly rows: number;
  readonly ids: number;
  readonly leaves: number;
  readonly is_verified: boolean;
  readonly logs: number;
  readonly sent_in_s: number;
  readonly sealed_in_s: number;
  readonly verified_in_s: number;
}

export async function runVolume(
  deployment: ScaleOut,
  { records, ingest, sequencers, seed }: ScaleArguments,
  say: (text: string) => void,
): Promise<VolumeResult> {
  const start = (role: 'ingest' | 'sequence', count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => deployment.start(role, `${role}-${String(n)}`)));
  const [receivers, sealers] = await Promise.all([start('ingest', ingest), start('sequence', sequencers)]);
  const startedMs = performance.now();
  const users = Math.max(1, Math.round(records / (ingest * RECORDS_PER_USER_AND_DAY * DAYS)));
  const counts = await Promise.all(
    receivers.map((receiver, n) =>
      simulate(deployment, receiver, { users, seed: `${String(seed)}-${String(n)}` }),
    ),
  );
  const sent = counts.reduce((sum, count) => sum + count, 0);
  const sentMs = performance.now();
  say(`${String(sent)} records acknowledged`);
  await untilSealed(sealers, SEAL_DEADLINE_MS, (envelopes) => {
    say(`${String(envelopes)} requests not sealed yet`);
  });
  const sealedMs = performance.now();
  say('verifying');
  const [report, rows, own] = [
    await verifyBucket(deployment),
    await countRows(deployment),
    await countType(deployment, 'archive.probed'),
  ];
  const sum = (pick: (log: (typeof rows)[number]) => number) =>
    rows.reduce((total, log) => total + pick(log), 0);
  return {
    sent,
    own,
    rows: sum(({ row_count }) => row_count),
    ids: sum(({ id_count }) => id_count),
    leaves: report.tree_size ?? 0,
    is_verified: report.ok,
    logs: rows.length,
    sent_in_s: seconds(sentMs - startedMs),
    sealed_in_s: seconds(sealedMs - startedMs),
    verified_in_s: seconds(performance.now() - sealedMs),
  };
}

/** True if every record that was acknowledged is there once, and nothing besides. */
export function isWhole({ sent, own, rows, ids, leaves, is_verified }: VolumeResult): boolean {
  return is_verified && rows === sent + own && ids === rows && leaves === rows;
}

async function simulate(
  deployment: ScaleOut,
  receiver: RoleProcess,
  { users, seed }: { readonly users: number; readonly seed: string },
): Promise<number> {
  const args = ['--users', String(users), '--days', String(DAYS), '--seed', seed];
  const to = ['--to', receiver.ingestUrl ?? '', '--json'];
  const { code, stdout, stderr } = await runAffidavit(['simulate', ...args, ...to], { ...deployment.env });
  if (code !== 0) throw new Error(`simulate failed: ${stderr}`);
  const { records, refused, finished } = JSON.parse(stdout) as {
    readonly records: number;
    readonly refused: number;
    readonly finished: boolean;
  };
  if (refused > 0 || !finished) throw new Error(`simulate did not deliver all: ${stdout}`);
  return records;
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
