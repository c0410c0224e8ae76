import type { Query } from '../record-store.ts';
import { equals, given, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { receivedWithin, within, type Interval } from './instants.ts';
import { coveredBy, type Covered } from './records.ts';
import { STARTUP_TYPES, typeList } from './record-types.ts';
import { PROVISIONAL_SESSION } from './sessions.ts';

/** Numbers [missing_from, missing_to] that a telemetry process gave out and that no record carries. */
export interface SequenceGap {
  readonly session_id: string;
  readonly install_id: string;
  readonly missing_from: number;
  readonly missing_to: number;
  /** When the first record behind the hole was received. */
  readonly noticed_at: string;
}

/**
 * Holes in the event counters of OpenTelemetry. The counter belongs to a process, not to a session: it begins at 0
 * with each process, and a process that continues an older session spends its first numbers under a provisional id.
 * docs/formats/completeness.md states the rules in words.
 *
 * Records lost at the end of a process leave no hole, because no number follows them. A hole belongs to the period in
 * which the record behind it was received; a session's counters are followed over the whole log.
 */
export function sequenceGaps(
  params: Interval & Covered & { readonly session_id?: string | undefined },
): Query<SequenceGap> {
  const scope = [...coveredOrStart(params), ...inScope(params)];
  const asked = [
    ...within('noticed_at', params, { prefix: '', digits: 3 }),
    ...equals('session_id', params.session_id),
    ...given(params.log, (log) => ({
      sql: 'session_id IN (SELECT session_id FROM records WHERE log = {log: String})',
      params: { log },
    })),
  ];
  return {
    name: 'sequence_gaps',
    sql: tidy(`
SELECT session_id, install_id, missing_from, missing_to, noticed_at
FROM
(${joined(tallied(judged(placed(walked(scope)))))}
)
${where(asked)}
ORDER BY session_id, noticed_at, missing_from`),
    params: paramsOf(scope, asked),
  };
}

/** What a checkpoint covers; in the other logs, starts that a session of this one may have been continued from. */
function coveredOrStart({ log, below }: Covered): Condition[] {
  const covered = coveredBy({ log, below });
  if (log === undefined) return covered;
  const elsewhere = `(log != {log: String} AND source = 'otel' AND type IN (${typeList(STARTUP_TYPES)}))`;
  const sql = `(${covered.map((condition) => condition.sql).join(' AND ')} OR ${elsewhere})`;
  return [{ sql, params: paramsOf(covered) }];
}

/** Sessions of the question, and every provisional one: it may hold the beginning of one of them. */
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

/**
 * One row per session: its counted events by the source's clock, and its jumps, the events that do not carry the
 * number after the one before them. A number that is not larger than the one before begins a run.
 */
function walked(scope: readonly Condition[]): string {
  return `
    SELECT
        session_id,
        install_id,
        is_provisional,
        events,
        arrayMap(event -> event.number, events) AS numbers,
        arrayMap((event, place) -> place = 1 OR event.number <= events[place - 1].number, events, arrayEnumerate(events)) AS begins,
        arrayFilter(
            jump -> jump.number > jump.expected,
            arrayMap(
                (event, begins_run, place) -> CAST(
                    (
                        event.at,
                        event.number,
                        if(begins_run, 0, events[place - 1].number + 1),
                        begins_run,
                        if(place = 1, toDateTime64('1900-01-01', 9, 'UTC'), events[place - 1].at),
                        event.received_at
                    ),
                    'Tuple(at DateTime64(9, \\'UTC\\'), number Int64, expected Int64, begins_run Bool, before DateTime64(9, \\'UTC\\'), received_at DateTime64(3, \\'UTC\\'))'
                ),
                events, begins, arrayEnumerate(events)
            )
        ) AS jumps
    FROM
    (
        SELECT
            session_id,
            maxIf(records.install_id, source = 'otel') AS install_id,
            ${PROVISIONAL_SESSION} AS is_provisional,
            arraySort(groupArrayIf(
                CAST(
                    (coalesce(occurred_at, toDateTime64(received_at, 9, 'UTC')), assumeNotNull(event_sequence), log, leaf_index, received_at),
                    'Tuple(at DateTime64(9, \\'UTC\\'), number Int64, log String, leaf_index UInt64, received_at DateTime64(3, \\'UTC\\'))'
                ),
                source = 'otel' AND event_sequence IS NOT NULL
            )) AS events
        FROM records
        ${where([{ sql: `session_id != ''`, params: {} }, ...scope])}
        GROUP BY session_id
        HAVING notEmpty(events)
    )`;
}

/**
 * Adds what the other sessions of the same machine know: its starts (how far each provisional session counted, and
 * when) and all its jumps.
 */
function placed(inner: string): string {
  return `
    SELECT
        *,
        groupArrayIf(
            (arrayMax(numbers) AS reached, events[1].at AS started_at, events[-1].at AS reached_at, session_id AS start_id),
            is_provisional
        ) OVER (PARTITION BY install_id) AS starts,
        groupArrayArray(arrayMap(jump -> (jump.number, jump.at, session_id), jumps)) OVER (PARTITION BY install_id) AS machine_jumps
    FROM
    (${inner}
    )`;
}

/**
 * Splits jumps into begun ones, which a start explains, and holes. A start explains the jump that carries the number
 * after its last, later on the same machine. Two processes may start at once, so either no such jump lies between the
 * two, or there are as many such starts before the jump as jumps.
 *
 * Where a start's last records are lost, no jump follows it exactly. If it lies between a jump and the event before,
 * the hole begins behind it.
 *
 * A session is disordered if it has several runs of which one begins neither at 0 nor behind a start: two processes
 * wrote at once, or a clock stepped back. Order says nothing then.
 */
function judged(inner: string): string {
  return `
    SELECT
        session_id,
        install_id,
        numbers,
        events,
        arrayFilter(jump -> ${BEGUN}, jumps) AS begun,
        arrayMap(
            jump -> (jump, arrayMax(arrayPushFront(arrayMap(start -> start.1, arrayFilter(start -> ${CAME_CLOSE}, starts)), -1))),
            arrayFilter(jump -> NOT (${BEGUN}), jumps)
        ) AS holes,
        arrayCount(begins) > 1 AND arrayExists(hole -> hole.1.begins_run AND hole.2 = -1, holes) AS disordered
    FROM
    (${inner}
    )`;
}

const MATCHES = 'start.1 = jump.number - 1 AND start.3 <= jump.at AND start.4 != session_id';

const BEGUN = `arrayExists(
            start -> ${MATCHES} AND NOT arrayExists(
                other -> other.1 = jump.number AND other.2 >= start.3 AND (other.2, other.3) < (jump.at, session_id),
                machine_jumps
            ),
            starts
        ) OR arrayCount(start -> ${MATCHES}, starts) >= arrayCount(
            other -> other.1 = jump.number AND (other.2, other.3) <= (jump.at, session_id),
            machine_jumps
        )`;

const CAME_CLOSE = `start.1 < jump.number - 1 AND start.2 >= jump.before AND start.3 <= jump.at AND start.4 != session_id
                AND NOT arrayExists(other -> other.1 = start.1 + 1 AND other.2 >= start.3, machine_jumps)`;

/**
 * One row per hole of an ordered session, or per number of a disordered one with how often it is carried. A process
 * gives out every number from 0 to its last, once; what it spent under a provisional id is counted for it.
 */
function tallied(inner: string): string {
  return `
    SELECT
        session_id,
        install_id,
        point.1 AS is_number,
        point.2 AS first,
        point.3 AS last,
        max(point.4) AS latest_at,
        count() AS times,
        max(times) OVER (by_number ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS times_later,
        lagInFrame(first, 1, -1) OVER (by_number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS below,
        leadInFrame(latest_at) OVER (by_number ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_latest_at
    FROM
    (${inner}
    )
    ARRAY JOIN if(
        disordered,
        arrayConcat(
            arrayMap(event -> (true, event.number, event.number, event.received_at), events),
            arrayFlatten(arrayMap(jump -> arrayMap(number -> (true, number, number, jump.received_at), range(0, jump.number)), begun))
        ),
        arrayMap(hole -> (false, greatest(hole.1.expected, hole.2 + 1), hole.1.number - 1, hole.1.received_at), holes)
    ) AS point
    GROUP BY session_id, install_id, is_number, first, last, if(is_number, toDateTime64(0, 3, 'UTC'), point.4)
    WINDOW by_number AS (PARTITION BY session_id ORDER BY first)`;
}

/**
 * A number carried less often than a larger one is lost somewhere, whatever the order; so is one carried nowhere.
 * Numbers lost side by side are one hole: last number minus numbers lost so far is the same for all of them.
 */
function joined(inner: string): string {
  return `
SELECT session_id, install_id, min(first_lost) AS missing_from, max(last_lost) AS missing_to, max(lost.3) AS noticed_at
FROM
(
    SELECT session_id, install_id, is_number, lost, lost.1 AS first_lost, lost.2 AS last_lost,
        sum(last_lost - first_lost + 1) OVER (
            PARTITION BY session_id
            ORDER BY first_lost
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS lost_so_far
    FROM
    (${inner}
    )
    ARRAY JOIN if(
        is_number,
        arrayConcat(
            if(first > below + 1, [(below + 1, first - 1, latest_at)], []),
            if(times < times_later, [(first, first, next_latest_at)], [])
        ),
        [(first, last, latest_at)]
    ) AS lost
)
GROUP BY session_id, install_id, if(is_number, last_lost - lost_so_far, first_lost), if(is_number, toDateTime64(0, 3, 'UTC'), lost.3)`;
}
