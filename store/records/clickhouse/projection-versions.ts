import type { ClickHouseClient } from '@clickhouse/client';
import { toInstant, type Clock } from '../../../schemas/clock.ts';
import type { ProjectionVersions } from '../record-store.ts';
import type { Statements } from './statements.ts';

/** Notes are added and never changed; the highest is in force. Clearing the store drops them. */
export function createProjectionVersions(
  client: ClickHouseClient,
  statements: Statements,
  clock: Clock,
): ProjectionVersions {
  return {
    noted: (name) =>
      statements.run('read', `read the version of ${name}`, async () => {
        const result = await client.query({
          query:
            'SELECT version FROM projection_versions WHERE name = {name: String} ORDER BY version DESC LIMIT 1',
          query_params: { name },
          format: 'JSONEachRow',
        });
        return (await result.json<{ version: number }>())[0]?.version;
      }),
    note: (name, version) =>
      statements.inTurn(`note the version of ${name}`, async () => {
        await client.insert({
          table: 'projection_versions',
          format: 'JSONEachRow',
          values: [{ name, version, noted_at: toInstant(clock()) }],
        });
      }),
  };
}
