import { groupPopulation, idsInLogOrder } from './population.ts';

/** First, last, start and end records: enough to find a session again, whatever its length. */
const SESSION_RECORD_IDS = `arrayDistinct(arrayConcat([argMin(id, leaf_index), argMax(id, leaf_index)],
    ${idsInLogOrder(`type IN ('session.started', 'session.ended')`)}))`;

/** Sessions with the people, collectors and sources that their records name. */
export const sessionPopulation = groupPopulation({
  id: 'sessions',
  title: 'Agent sessions',
  definition:
    'Every session id that any source reported in the period. record_ids names the first and last record of the session in the period and its start and end records.',
  where: `session_id != ''`,
  keys: ['session_id'],
  aggregates: {
    first_received_at: 'min(received_at)',
    last_received_at: 'max(received_at)',
    claimed_users: `arraySort(groupUniqArrayIf(claimed_user, claimed_user != ''))`,
    claimed_user_sources: `arraySort(groupUniqArrayIf(toString(claimed_user_source), claimed_user_source != ''))`,
    collectors: 'arraySort(groupUniqArray(toString(collector)))',
    sources: 'arraySort(groupUniqArray(toString(source)))',
    permission_modes: `arraySort(groupUniqArrayIf(toString(permission_mode), permission_mode != ''))`,
    start_seen: `countIf(type = 'session.started') > 0`,
    end_seen: `countIf(type = 'session.ended') > 0`,
    tool_call_count: `uniqExactIf(tool_use_id, tool_use_id != '')`,
    record_count: 'count()',
  },
  recordIds: SESSION_RECORD_IDS,
});
