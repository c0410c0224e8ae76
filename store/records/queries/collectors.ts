/** Collectors' reports about themselves: their numbers, heartbeats and losses. docs/formats/completeness.md. */
import type { Query } from '../record-store.ts';
import { inScope, type CompletenessScope } from './completeness.ts';
import { given, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { receivedWithin, within } from './instants.ts';
import { typeList, WITNESSES } from './record-types.ts';
import { coveredBy } from './records.ts';

/**
 * Narrows a query to the period and, if a session is given, to the collectors that delivered it. A collector's reports
 * about itself name no session.
 */
export function ofCollectors(params: CompletenessScope): Condition[] {
  return [...coveredBy(params), ...receivedWithin(params), ...deliveredBy(params)];
}

function deliveredBy({ session_id, log, below }: CompletenessScope): Condition[] {
  return given(session_id, (id) => {
    const inner = inScope({ session_id: id, log, below });
    return {
      sql: `collector IN (SELECT collector FROM records ${where(inner)})`,
      params: paramsOf(inner),
    };
  });
}

/** Deliveries [missing_from, missing_to] that a collector numbered and that no record carries. */
export interface DeliveryGap {
  readonly collector: string;
  readonly collector_boot_id: string;
  readonly missing_from: number;
  readonly missing_to: number;
  /** When a record or heartbeat behind the hole was first received. */
  readonly noticed_at: string;
}

const RUN = 'PARTITION BY collector, collector_boot_id ORDER BY number';

/**
 * Holes in the numbers of collectors, by collector, run and number. A run counts from 1. A record carries its number, a
 * heartbeat carries the last number taken. A hole belongs to the period in which it could first be noticed. Runs are
 * followed over the whole log.
 */
export function deliveryGaps(params: CompletenessScope): Query<DeliveryGap> {
  const scope = [
    { sql: `collector_boot_id != ''`, params: {} },
    ...coveredBy(params),
    ...deliveredBy(params),
  ];
  const asked = within('noticed_at', params, { prefix: '', digits: 3 });
  return {
    name: 'delivery_gaps',
    sql: tidy(`
SELECT collector, collector_boot_id, below + 1 AS missing_from, number - 1 AS missing_to, noticed_at
FROM
(
    SELECT collector, collector_boot_id, number, noticed_at,
        lagInFrame(number) OVER (${RUN} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS below
    FROM
    (
        SELECT collector, collector_boot_id, number, is_carried,
            min(first_at) OVER (${RUN} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS noticed_at,
            max(number) OVER (PARTITION BY collector, collector_boot_id) AS last_number
        FROM
        (
            -- A heartbeat counts as the number after the last one taken, so a hole at the end shows.
            SELECT collector, collector_boot_id, min(received_at) AS first_at,
                toInt64(assumeNotNull(collector_sequence)) + (type = 'collector.heartbeat') AS number,
                countIf(type != 'collector.heartbeat') > 0 AS is_carried
            FROM records
            ${where([...scope, { sql: 'collector_sequence IS NOT NULL', params: {} }])}
            GROUP BY collector, collector_boot_id, number
        )
    )
    WHERE is_carried OR number = last_number
)
${where([{ sql: 'number > below + 1', params: {} }, ...asked])}
ORDER BY collector, collector_boot_id, missing_from`),
    params: paramsOf(scope, asked),
  };
}

/**
 * Heartbeats that a timer sends, and that declare an interval of a day at most. Heartbeats that come with calls say nothing
 * about silence, nor do those without an interval or with one that no period ever exceeds.
 */
const IS_TIMED_HEARTBEAT = `type = 'collector.heartbeat' AND JSONExtractString(content, 'sent_by') = 'timer' AND JSONExtractInt(content, 'interval_ms') BETWEEN 1 AND 86400000`;

/** Collectors that report agents' work or send heartbeats, and how many of them show a loss or a silence. */
export interface CollectorCounts {
  readonly collector_count: number;
  /** They number what they send, so that a loss shows. */
  readonly numbering_count: number;
  /** They send heartbeats by a timer, so that silence shows. */
  readonly timed_count: number;
  /** Logs of the deployment. The numbers of a collector run through all of them. */
  readonly log_count: number;
}

/** One row. */
export function collectorCounts(params: CompletenessScope): Query<CollectorCounts> {
  const conditions = ofCollectors(params);
  const isReporting = {
    sql: `(source IN (${typeList(WITNESSES)}) OR type = 'collector.heartbeat')`,
    params: {},
  };
  return {
    name: 'collector_counts',
    sql: tidy(`
SELECT count() AS collector_count, countIf(has_numbers) AS numbering_count, countIf(has_timer) AS timed_count,
    (SELECT uniqExact(log) FROM records) AS log_count
FROM
(
    SELECT collector, countIf(collector_boot_id != '') > 0 AS has_numbers, countIf(${IS_TIMED_HEARTBEAT}) > 0 AS has_timer
    FROM records
    ${where([isReporting, ...conditions])}
    GROUP BY collector
)`),
    params: paramsOf(conditions),
  };
}

/** A run of a collector without a heartbeat for more than three of the intervals that it declared. */
export interface Silence {
  readonly collector: string;
  readonly collector_boot_id: string;
  readonly silent_from: string;
  readonly silent_ms: number;
  readonly interval_ms: number;
}

/**
 * By collector and time. A collector is silent from its first record of the period to its first heartbeat. After its
 * last heartbeat a run is silent up to the last record of the period, unless a later run of the same collector has
 * begun.
 */
export function collectorSilences(params: CompletenessScope & { readonly limit: number }): Query<Silence> {
  const conditions = ofCollectors(params);
  return {
    name: 'collector_silences',
    sql: tidy(`
SELECT collector, collector_boot_id, silent_from, dateDiff('millisecond', silent_from, silent_to) AS silent_ms, interval_ms
FROM
(
    SELECT collector, collector_boot_id, heartbeat_at AS silent_from, if(is_last, ends_at, next_at) AS silent_to, interval_ms,
        is_last AND begun_at < max(begun_at) OVER (PARTITION BY collector) AS is_followed
    FROM
    (
        SELECT collector, collector_boot_id, received_at AS heartbeat_at,
            JSONExtractInt(content, 'interval_ms') AS interval_ms,
            leadInFrame(heartbeat_at) OVER (PARTITION BY collector, collector_boot_id ORDER BY heartbeat_at ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_at,
            next_at < heartbeat_at AS is_last,
            min(heartbeat_at) OVER (PARTITION BY collector, collector_boot_id) AS begun_at,
            (SELECT max(received_at) FROM records ${where(conditions)}) AS ends_at
        FROM records
        ${where([{ sql: IS_TIMED_HEARTBEAT, params: {} }, ...conditions])}
    )
    UNION ALL
    SELECT collector, argMinIf(collector_boot_id, received_at, ${IS_TIMED_HEARTBEAT}) AS boot_id, min(received_at) AS silent_from,
        minIf(received_at, ${IS_TIMED_HEARTBEAT}) AS silent_to,
        argMinIf(JSONExtractInt(content, 'interval_ms'), received_at, ${IS_TIMED_HEARTBEAT}) AS interval_ms, false AS is_followed
    FROM records
    ${where(conditions)}
    GROUP BY collector
    HAVING countIf(${IS_TIMED_HEARTBEAT}) > 0
)
WHERE NOT is_followed AND interval_ms > 0 AND silent_ms > 3 * interval_ms
ORDER BY collector, silent_from
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(conditions), limit: params.limit },
  };
}

/** Events that a collector took and reports as lost, by reason. */
export interface CollectorLoss {
  readonly collector: string;
  readonly reason: string;
  /** No more than the largest safe integer. */
  readonly lost_count: number;
  /** Reports whose number is absent or does not read, so that nobody knows how many events they stand for. */
  readonly unreadable_count: number;
}

/** A whole number of events, of which so many can be added up that no sum wraps. */
const READABLE = `match(metric_value, '^[0-9]{1,15}$')`;

/** By collector and reason. */
export function collectorLosses(params: CompletenessScope): Query<CollectorLoss> {
  const conditions = [{ sql: `type = 'collector.loss'`, params: {} }, ...ofCollectors(params)];
  return {
    name: 'collector_losses',
    sql: tidy(`
SELECT collector, reason,
    toUInt64(least(sumIf(toUInt128OrZero(metric_value), ${READABLE}), toUInt128(9007199254740991))) AS lost_count,
    countIf(NOT ${READABLE}) AS unreadable_count
FROM records
${where(conditions)}
GROUP BY collector, reason
ORDER BY collector, reason`),
    params: paramsOf(conditions),
  };
}
