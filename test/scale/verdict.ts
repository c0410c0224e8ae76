/** What the deployment holds, told by its own verifier and by the database itself. */
import { createClient } from '@clickhouse/client';
import type { VerificationReport } from '../../schemas/verification.ts';
import type { ScaleOut } from '../support/scale-out.ts';
import { runAffidavit } from '../support/server.ts';

export interface StoredLog {
  readonly log: string;
  readonly row_count: number;
  readonly id_count: number;
  readonly next_index: number;
}

/** Verifies all logs in the bucket with read requests alone. */
export async function verifyBucket({ env }: ScaleOut): Promise<VerificationReport> {
  const { stdout, stderr } = await runAffidavit(['verify', '--s3', '--json'], { ...env });
  if (stdout === '') throw new Error(`verify gave no report: ${stderr}`);
  return JSON.parse(stdout) as VerificationReport;
}

/** Rows of each log, by its name. */
export async function countRows({ clickhouseUrl }: ScaleOut): Promise<readonly StoredLog[]> {
  const client = createClient({ url: clickhouseUrl });
  try {
    const answer = await client.query({
      query: `SELECT log, toUInt32(count()) AS row_count, toUInt32(uniqExact(id)) AS id_count,
    toUInt32(max(leaf_index) + 1) AS next_index
FROM records GROUP BY log ORDER BY log`,
      format: 'JSONEachRow',
    });
    return await answer.json<StoredLog>();
  } finally {
    await client.close();
  }
}

/** How many records of a type there are. */
export async function countType({ clickhouseUrl }: ScaleOut, type: string): Promise<number> {
  const client = createClient({ url: clickhouseUrl });
  try {
    const answer = await client.query({
      query: 'SELECT toUInt32(count()) AS record_count FROM records WHERE type = {type: String}',
      query_params: { type },
      format: 'JSONEachRow',
    });
    return (await answer.json<{ record_count: number }>())[0]?.record_count ?? 0;
  } finally {
    await client.close();
  }
}
