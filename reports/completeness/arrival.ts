/** Signs that something did not arrive: silence (S7), loss (S8), canaries (S9). */
import type { CompletenessFinding } from '../../schemas/control.ts';
import { OWN_COLLECTOR } from '../../schemas/native-event.ts';
import { canaryCounts, missingCanaries, type MissingCanary } from '../../store/records/queries/canaries.ts';
import {
  collectorLosses,
  collectorSilences,
  collectorCounts,
  type CollectorLoss,
  type CollectorCounts,
  type Silence,
} from '../../store/records/queries/collectors.ts';
import {
  hookDeliveryErrors,
  redactedCount,
  type HookDeliveryError,
} from '../../store/records/queries/completeness.ts';
import { ingestCounts, type IngestCounts } from '../../store/records/queries/ingest-counts.ts';
import { quarantineCounts } from '../../store/records/queries/quarantine.ts';
import { ALL_ROWS, askedOf, LISTED_FINDINGS, type Assessment, type Measured } from './assessment.ts';
import { counted } from '../controls/counted.ts';

/** S7: the silence of a collector shows only if a timer makes it send heartbeats. */
export async function measureSilence(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const asked = askedOf(assessment);
  const [counts = { collector_count: 0, timed_count: 0 }] = await store.read(
    collectorCounts(asked),
    scope.limits,
  );
  const silences = await store.read(collectorSilences({ ...asked, limit: ALL_ROWS }), scope.limits);
  return {
    statistic: {
      id: 'S7',
      name: 'Silence',
      ...silenceVerdict(counts, silences.length),
      figures: [
        { name: 'collectors of the work of agents', value: String(counts.collector_count) },
        { name: 'of them with heartbeats by a timer', value: String(counts.timed_count) },
        { name: 'silences', value: String(silences.length) },
      ],
    },
    findings: silences.slice(0, LISTED_FINDINGS).map(silenceFinding),
  };
}

function silenceVerdict(
  { collector_count, timed_count }: Pick<CollectorCounts, 'collector_count' | 'timed_count'>,
  silences: number,
) {
  if (silences > 0) {
    const detail = `${counted(silences, 'time')} a collector sent no heartbeat for more than three of its intervals`;
    return { state: 'failed', detail } as const;
  }
  if (timed_count === 0) {
    const detail =
      'no collector sent heartbeats by a timer, so silence cannot be distinguished from absence of activity';
    return { state: 'not_measured', detail } as const;
  }
  if (timed_count < collector_count) {
    const detail = `${collector_count - timed_count} of ${counted(collector_count, 'collector')} sent no heartbeats by a timer, so their silence would not show`;
    return { state: 'not_measured', detail } as const;
  }
  const detail = 'no collector was without a heartbeat for more than three of its intervals';
  return { state: 'ok', detail } as const;
}

function silenceFinding({ collector, silent_from, silent_ms, interval_ms }: Silence): CompletenessFinding {
  return {
    code: 'collector_silent',
    session_id: null,
    tool_use_id: null,
    source: collector,
    detail: `no heartbeat for ${silent_ms} ms from ${silent_from} on; the declared interval is ${interval_ms} ms`,
  };
}

interface Arrival {
  readonly quarantined: readonly {
    readonly source_event: string;
    readonly quarantine_reason: string;
    readonly item_count: number;
  }[];
  readonly failedRuns: readonly HookDeliveryError[];
  readonly losses: readonly CollectorLoss[];
}

/** S8: items that arrived and could not be sealed as the kind they claim to be, and losses that senders report. */
export async function measureArrival(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const asked = askedOf(assessment);
  const arrival: Arrival = {
    quarantined: await store.read(quarantineCounts(asked), scope.limits),
    failedRuns: await store.read(hookDeliveryErrors({ ...asked, limit: ALL_ROWS }), scope.limits),
    losses: await store.read(collectorLosses(asked), scope.limits),
  };
  const [redacted] = await store.read(redactedCount(asked), scope.limits);
  const [ingest = NOTHING_COUNTED] = await store.read(ingestCounts(asked), scope.limits);
  const dead = ingestDetails(ingest);
  const items = total(arrival.quarantined, ({ item_count }) => item_count);
  const lost = total(arrival.losses, ({ lost_count }) => lost_count);
  const unreadable = total(arrival.losses, ({ unreadable_count }) => unreadable_count);
  const { length: failedRuns } = arrival.failedRuns;
  return {
    statistic: {
      id: 'S8',
      name: 'Loss and fidelity',
      state: items + failedRuns + lost + unreadable + dead.length === 0 ? 'ok' : 'failed',
      figures: [
        { name: 'items in quarantine', value: String(items) },
        ...arrival.quarantined.map((row) => ({
          name: `${row.source_event} ${row.quarantine_reason}`,
          value: String(row.item_count),
        })),
        { name: 'hook runs with errors', value: String(failedRuns) },
        { name: 'events that collectors lost', value: String(lost) },
        ...arrival.losses.map((row) => ({
          name: `${row.collector} ${row.reason}`,
          value: String(row.lost_count),
        })),
        ...(unreadable === 0
          ? []
          : [{ name: 'reports of loss whose number does not read', value: String(unreadable) }]),
        { name: 'entries of the event log that were not sealed', value: String(ingest.dead_letter_count) },
        { name: 'entries of the event log that are missing', value: String(ingest.missing_count) },
        { name: 'records in which secrets were replaced', value: String(redacted?.record_count ?? 0) },
      ],
      detail: arrivalDetail({ items, failedRuns, lost, unreadable }, dead),
    },
    findings: [...arrivalFindings(arrival), ...dead.map(ingestFinding)],
  };
}

function arrivalFindings({ quarantined, failedRuns, losses }: Arrival): CompletenessFinding[] {
  const nowhere = { session_id: null, tool_use_id: null };
  return [
    ...quarantined.map((row) => ({
      ...nowhere,
      code: 'quarantined',
      source: row.source_event,
      detail: `${counted(row.item_count, 'item')}: ${row.quarantine_reason}`,
    })),
    ...losses.slice(0, LISTED_FINDINGS).map((row) => ({
      ...nowhere,
      code: 'collector_loss',
      source: row.collector,
      detail: lossDetail(row),
    })),
    ...failedRuns.slice(0, LISTED_FINDINGS).map((row) => ({
      ...nowhere,
      code: 'hook_delivery_error',
      session_id: row.session_id === '' ? null : row.session_id,
      source: 'hook',
      detail: `${counted(row.hook_error_count, 'hook')} for ${row.hook_event} ended in an error that did not block`,
    })),
  ];
}

const NOTHING_COUNTED: IngestCounts = {
  dead_letter_count: 0,
  missing_count: 0,
  forked_count: 0,
  replaced_count: 0,
  begun_count: 0,
};

/** A loss that the sequencer itself reports. */
interface IngestLoss {
  readonly code: 'dead_letters' | 'event_log_gap' | 'event_log_replaced' | 'generation_begun';
  readonly detail: string;
}

function ingestDetails(counts: IngestCounts): IngestLoss[] {
  const { dead_letter_count, missing_count, forked_count, replaced_count, begun_count } = counts;
  const entries = counted(dead_letter_count, 'entry', 'entries');
  const letters = `${entries} of the event log held no envelope of a writer of this deployment and became no record`;
  const missing = `${counted(missing_count, 'entry', 'entries')} of the event log missing: their writer numbered them, and they were not read`;
  const forked = `${counted(forked_count, 'entry', 'entries')} of the event log whose writer wrote another entry before than the one that was read`;
  const replaced = `the event log was replaced ${counted(replaced_count, 'time')}: acknowledged envelopes that were not sealed are lost`;
  const begun = `a new generation of the log was begun ${counted(begun_count, 'time')}: what was sealed behind the trusted head of the one before is not in it`;
  return [
    ...(dead_letter_count > 0 ? [{ code: 'dead_letters', detail: letters } as const] : []),
    ...(missing_count > 0 ? [{ code: 'event_log_gap', detail: missing } as const] : []),
    ...(forked_count > 0 ? [{ code: 'event_log_gap', detail: forked } as const] : []),
    ...(replaced_count > 0 ? [{ code: 'event_log_replaced', detail: replaced } as const] : []),
    ...(begun_count > 0 ? [{ code: 'generation_begun', detail: begun } as const] : []),
  ];
}

function ingestFinding({ code, detail }: IngestLoss): CompletenessFinding {
  return { code, session_id: null, tool_use_id: null, source: OWN_COLLECTOR, detail };
}

function lossDetail({ lost_count, unreadable_count, reason }: CollectorLoss): string {
  const lost = lost_count > 0 || unreadable_count === 0 ? [`${counted(lost_count, 'event')} lost`] : [];
  const unreadable =
    unreadable_count > 0 ? [`${counted(unreadable_count, 'report')} of loss whose number does not read`] : [];
  return `${[...lost, ...unreadable].join(', ')}: ${reason}`;
}

function arrivalDetail(
  counts: Readonly<Record<'items' | 'failedRuns' | 'lost' | 'unreadable', number>>,
  ingest: readonly IngestLoss[],
): string {
  const { items, failedRuns, lost, unreadable } = counts;
  const kept = `${counted(items, 'item')} kept in quarantine: received, and not sealed as the kind they claim to be`;
  const failed = `${counted(failedRuns, 'hook run')} ended in an error, so a recording hook may have missed the event`;
  const gone = `${counted(lost, 'event')} lost by collectors, which report it themselves`;
  const unknown = `in ${counted(unreadable, 'report')} of loss a collector does not say how many events it lost`;
  const said = [
    ...(items > 0 ? [kept] : []),
    ...(failedRuns > 0 ? [failed] : []),
    ...(lost > 0 ? [gone] : []),
    ...(unreadable > 0 ? [unknown] : []),
    ...ingest.map(({ detail }) => detail),
  ];
  if (said.length > 0) return said.join('; ');
  return 'every received item was sealed as the kind it claims to be; content that a source cut or left out before sending does not show here';
}

/** S9: canaries, synthetic events that were sent and announced and must be found as records. */
export async function measureCanaries(assessment: Assessment): Promise<Measured> {
  const { store, scope } = assessment;
  const asked = askedOf(assessment);
  const counts = await store.read(canaryCounts(asked), scope.limits);
  const sent = total(counts, ({ announced_count }) => announced_count);
  const missing = sent - total(counts, ({ found_count }) => found_count);
  const listed =
    missing === 0
      ? []
      : await store.read(missingCanaries({ ...asked, limit: LISTED_FINDINGS }), scope.limits);
  return {
    statistic: {
      id: 'S9',
      name: 'Canary',
      ...canaryVerdict(sent, missing),
      figures: [
        { name: 'canaries sent', value: String(sent) },
        { name: 'canaries found', value: String(sent - missing) },
        ...counts.map(({ through, announced_count, found_count }) => ({
          name: `through ${through}`,
          value: `${found_count} of ${announced_count}`,
        })),
      ],
    },
    findings: listed.map(canaryFinding),
  };
}

function canaryVerdict(sent: number, missing: number) {
  if (sent === 0) return { state: 'not_measured', detail: 'no canary was sent in the period' } as const;
  if (missing === 0) {
    const detail = `${counted(sent, 'canary', 'canaries')} sent, and each found as a record`;
    return { state: 'ok', detail } as const;
  }
  const detail = `${missing} of ${counted(sent, 'canary', 'canaries')} sent and not found`;
  return { state: 'failed', detail } as const;
}

function canaryFinding({ session_id, through, announced_at }: MissingCanary): CompletenessFinding {
  const detail = `no record is found of the canary announced at ${announced_at}`;
  return { code: 'canary_missing', session_id, tool_use_id: null, source: through, detail };
}

function total<Row>(rows: readonly Row[], count: (row: Row) => number): number {
  return rows.reduce((sum, row) => sum + count(row), 0);
}
