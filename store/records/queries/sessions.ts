import { LEAF_HASH_SQL } from './leaf-sql.ts';
import type { Query } from '../record-store.ts';
import { equals, given, having, paramsOf, tidy, where, type Condition } from './conditions.ts';
import { instantParam, instantText, OBSERVED_AT, receivedWithin, type Interval } from './instants.ts';
import { belowSize, type ListedRecord, type RecordPosition } from './records.ts';
import { STARTUP_TYPES, TOOL_CALL_TYPES, typeList } from './record-types.ts';

/** One session over all its records. `started_at` and `last_seen_at` are on the `received_at` clock. */
export interface SessionRow {
  readonly session_id: string;
  readonly started_at: string;
  readonly last_seen_at: string;
  /** On the sources' clocks; null where no source gave one. */
  readonly first_occurred_at: string | null;
  readonly last_occurred_at: string | null;
  /** The first person claimed in the session; `claimed_users` lists all of them. */
  readonly claimed_user: string | null;
  readonly claimed_users: readonly string[];
  readonly collectors: readonly string[];
  readonly models: readonly string[];
  readonly permission_modes: readonly string[];
  readonly sources: readonly string[];
  readonly record_count: number;
  readonly tool_call_count: number;
  readonly ended: boolean;
  /**
   * True where only start-up telemetry carries this id. A client that continues an older session reports its start
   * under a separate id before it takes up the older one.
   */
  readonly provisional: boolean;
}

export interface SessionPosition {
  readonly started_at: string;
  readonly session_id: string;
}

/** True of a session of which only start-up records of OpenTelemetry exist. */
export const PROVISIONAL_SESSION = `countIf(source != 'otel' OR type NOT IN (${typeList(STARTUP_TYPES)})) = 0`;

/**
 * Sessions with a record in the period, newest first, from behind `after`. A session is described by all its records,
 * also those outside the period.
 */
export function listSessions(
  params: Interval & {
    readonly claimed_user?: string | undefined;
    readonly below?: number | undefined;
    readonly after?: SessionPosition | undefined;
    readonly limit: number;
  },
): Query<SessionRow> {
  const scope = [...belowSize(params.below), ...sessionsSeen(params)];
  const position = given<string>(params.after?.session_id, (session_id) => ({
    sql: `(started_at, session_id) < (${instantParam('after_started_at', 3)}, {after_session_id: String})`,
    params: { after_started_at: params.after?.started_at ?? '', after_session_id: session_id },
  }));
  return {
    name: 'list_sessions',
    sql: tidy(`
SELECT
    session_id,
    min(received_at) AS started_at,
    max(received_at) AS last_seen_at,
    ${instantText('min(occurred_at)')} AS first_occurred_at,
    ${instantText('max(occurred_at)')} AS last_occurred_at,
    nullIf(argMinIf(records.claimed_user, (log, leaf_index), records.claimed_user != ''), '') AS claimed_user,
    ${distinctNames('claimed_user')} AS claimed_users,
    ${distinctNames('collector')} AS collectors,
    ${distinctNames('model')} AS models,
    ${distinctNames('permission_mode')} AS permission_modes,
    ${distinctNames('source')} AS sources,
    count() AS record_count,
    uniqExactIf(tool_use_id, tool_use_id != '' AND type IN (${typeList(TOOL_CALL_TYPES)})) AS tool_call_count,
    toBool(countIf(type = 'session.ended') > 0) AS ended,
    toBool(${PROVISIONAL_SESSION}) AS provisional
FROM records
${where([{ sql: `session_id != ''`, params: {} }, ...scope])}
GROUP BY session_id
${having(position)}
ORDER BY started_at DESC, session_id DESC
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(scope, position), limit: params.limit },
  };
}

/** Narrows a query to the sessions with a record that lies in the period and names the person, as far as both are given. */
export function sessionsSeen(
  scope: Interval & { readonly claimed_user?: string | undefined; readonly session_id?: string | undefined },
): Condition[] {
  const inner = [...receivedWithin(scope), ...equals('claimed_user', scope.claimed_user)];
  const seen =
    inner.length === 0
      ? []
      : [
          {
            sql: `session_id IN (SELECT session_id FROM records ${where(inner)})`,
            params: paramsOf(inner),
          },
        ];
  return [...equals('session_id', scope.session_id), ...seen];
}

/** A record in a session's timeline; `ordered_at` is the source's clock where it has one, else `received_at`. */
export interface TimelineRecord extends ListedRecord {
  readonly ordered_at: string;
}

export interface TimelinePosition extends RecordPosition {
  readonly ordered_at: string;
}

/** One page of a session's records by `ordered_at`, then by place in the log, from behind `after`. */
export function sessionTimeline(params: {
  readonly session_id: string;
  readonly after?: TimelinePosition | undefined;
  readonly limit: number;
  readonly withContent?: boolean | undefined;
}): Query<TimelineRecord> {
  const { after } = params;
  const position: Condition[] =
    after === undefined
      ? []
      : [
          {
            sql: `(${OBSERVED_AT}, log, leaf_index) > (${instantParam('after_at', 9)}, {after_log: String}, {after_index: UInt64})`,
            params: { after_at: after.ordered_at, after_log: after.log, after_index: after.leaf_index },
          },
        ];
  const conditions = [...equals('session_id', params.session_id), ...position];
  return {
    name: 'session_timeline',
    sql: tidy(`
SELECT ${instantText(OBSERVED_AT)} AS ordered_at, log, leaf_index, ${LEAF_HASH_SQL} AS leaf_hash, id, type, source, principal, subject,
    retention_class, received_at, integrated_at, facts, person${params.withContent === true ? ', content' : ''}
FROM records
${where(conditions)}
ORDER BY ${OBSERVED_AT}, log, leaf_index
LIMIT {limit: UInt32}`),
    params: { ...paramsOf(conditions), limit: params.limit },
  };
}

function distinctNames(column: string): string {
  return `arraySort(groupUniqArrayIf(records.${column}, records.${column} != ''))`;
}
