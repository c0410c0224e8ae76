import type { Query } from '../record-store.ts';
import { equals, given, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { MILLISECONDS, NANOSECONDS, OBSERVED_AT, receivedWithin, type Interval } from './instants.ts';
import { coveredBy, type Covered } from './records.ts';
import { STARTUP_TYPES, typeList } from './record-types.ts';
import { PROVISIONAL_SESSION } from './sessions.ts';
import { named } from './tuples.ts';

/** The event numbers of one session of telemetry, in the order of the source's clock. */
export interface SessionCounter {
  readonly session_id: string;
  /** The machine; '' where telemetry names none. */
  readonly install_id: string;
  /** Only start-up records of telemetry carry this session id. */
  readonly is_provisional: boolean;
  /** The query asks for the holes of this session. Other sessions are answered to explain its numbers. */
  readonly is_asked: boolean;
  readonly stretches: readonly Stretch[];
}

/** Events of which each carries the number after the one before it. Instants are fixed-width text, so they compare as text. */
export interface Stretch {
  readonly first: number;
  readonly last: number;
  /** When the events `first` and `last` occurred, by the source's clock. */
  readonly first_at: string;
  readonly last_at: string;
  /** When the event `first` was received. */
  readonly received_at: string;
}

/**
 * The numbers that the rule `sequence-gaps` judges, one row per session, by machine and session. The period and the
 * session id select the sessions that have a record there. Their counters are followed over the whole log.
 *
 * The engine answers only the machines on which an event does not carry the number after the one before it. For such a
 * machine it answers the sessions with such an event, and the provisional sessions. A session is a list of stretches,
 * and a stretch is one entry however many events it has. If a session has several runs and one of them begins above 0,
 * its numbers may have to be counted; its stretches then also end where the instant of receipt changes. At worst an
 * answer has one entry per event: of a session to which two processes write in turns.
 */
export function sessionCounters(
  params: Interval & Covered & { readonly session_id?: string | undefined },
): Query<SessionCounter> {
  const scope = [...coveredOrStart(params), ...inScope(params)];
  const asked = [
    ...equals('session_id', params.session_id),
    ...given(params.log, (log) => ({
      sql: 'session_id IN (SELECT session_id FROM records WHERE log = {log: String})',
      params: { log },
    })),
  ];
  return {
    name: 'session_counters',
    sql: tidy(`
SELECT session_id, install_id, toBool(is_provisional) AS is_provisional,
    toBool(${asked.length === 0 ? 'true' : asked.map(({ sql }) => sql).join(' AND ')}) AS is_asked, stretches
FROM
(
    SELECT *, max(has_jump) OVER (PARTITION BY install_id) AS machine_has_jump
    FROM
    (
        SELECT *, arrayExists(stretch -> stretch.first > 0, stretches) AS has_jump
        FROM
        (${stretchesOf(scope)}
        )
    )
)
WHERE machine_has_jump AND (has_jump OR is_provisional)
ORDER BY install_id, session_id`),
    params: paramsOf(scope, asked),
  };
}

/** The records that a checkpoint covers, and the starts in other logs: a session of this log may continue one of them. */
function coveredOrStart({ log, below }: Covered): Condition[] {
  const covered = coveredBy({ log, below });
  if (log === undefined) return covered;
  const elsewhere = `(log != {log: String} AND source = 'otel' AND type IN (${typeList(STARTUP_TYPES)}))`;
  const sql = `(${covered.map((condition) => condition.sql).join(' AND ')} OR ${elsewhere})`;
  return [{ sql, params: paramsOf(covered) }];
}

/** The sessions asked for, and every provisional one, because it may be the start of one of them. */
function inScope(params: Interval & { readonly session_id?: string | undefined }): Condition[] {
  const asked = [...equals('session_id', params.session_id), ...receivedWithin(params)];
  if (asked.length === 0) return [];
  const startup = `source = 'otel' AND type IN (${typeList(STARTUP_TYPES)})`;
  return [
    {
      sql: `(
                session_id IN (SELECT session_id FROM records ${where(asked)})
                OR session_id NOT IN (SELECT session_id FROM records WHERE NOT (${startup}))
            )`,
      params: paramsOf(asked),
    },
  ];
}

const EVENT = named({
  at: [OBSERVED_AT, NANOSECONDS],
  number: ['assumeNotNull(event_sequence)', 'Int64'],
  log: ['log', 'String'],
  leaf_index: ['leaf_index', 'UInt64'],
  received_at: ['received_at', MILLISECONDS],
});

const STRETCH = named({
  first: ['part[1].number', 'Int64'],
  last: ['part[-1].number', 'Int64'],
  first_at: ['part[1].at', NANOSECONDS],
  last_at: ['part[-1].at', NANOSECONDS],
  received_at: ['part[1].received_at', MILLISECONDS],
});

/**
 * One row per session with its stretches. Each event gets its neighbour from a shifted copy of the array. A lambda that
 * reads `events[place - 1]` instead would copy the whole array for each of its elements.
 */
function stretchesOf(scope: readonly Condition[]): string {
  const neighbours = 'arrayPopFront(events), arrayPopBack(events)';
  return `
        SELECT session_id, install_id, is_provisional,
            arrayMap(
                part -> ${STRETCH},
                arraySplit(
                    (event, before) -> event.number != before.number + 1 OR (may_be_counted AND event.received_at != before.received_at),
                    events, arrayRotateRight(events, 1)
                )
            ) AS stretches
        FROM
        (
            SELECT *,
                arrayExists((event, before) -> event.number <= before.number, ${neighbours})
                AND (
                    events[1].number > 0
                    OR arrayExists((event, before) -> event.number > 0 AND event.number <= before.number, ${neighbours})
                ) AS may_be_counted
            FROM
            (
                SELECT
                    session_id,
                    maxIf(records.install_id, source = 'otel') AS install_id,
                    ${PROVISIONAL_SESSION} AS is_provisional,
                    arraySort(groupArrayIf(${EVENT}, source = 'otel' AND event_sequence IS NOT NULL)) AS events
                FROM records
                ${where([{ sql: `session_id != ''`, params: {} }, ...scope])}
                GROUP BY session_id
                HAVING notEmpty(events)
            )
        )`;
}
