import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

const SEQUENCER_HELP = {
  envelopes: 'Envelopes taken from the event log',
  records: 'Records sealed',
  duplicates: 'Records recognised as delivered before',
  quarantined: 'Items sealed as quarantined',
  deadLetters: 'Entries of the event log that held no envelope',
  batches: 'Bundles committed',
} as const;

/** Reads of data keys with one outcome, of the keys of subjects or of classes. */
export interface KeyReadTotal {
  readonly outcome: string;
  readonly owner: 'subject' | 'class';
  readonly count: number;
}

/** Figures of the roles of this process, read at each scrape. Counters begin at zero when the process starts. */
export interface MetricsSnapshot {
  /** By name as the receivers count them, e.g. `requests`, `items`, `refused_AUTH_MISSING`. */
  readonly receivers?: Readonly<Record<string, number>> | undefined;
  readonly sequencer?: Readonly<Record<keyof typeof SEQUENCER_HELP, number>> | undefined;
  /** Sums over the logs that this process seals. */
  readonly ledger?: { readonly tree_size: number; readonly published_tree_size: number } | undefined;
  /** Partitions of this process that are not sealed until they are assigned again. */
  readonly partitions?: { readonly parked: number } | undefined;
  /** Age of the newest entry of the head log; undefined before one was read. */
  readonly headLogAgeMs?: number | undefined;
  /** Reads of data keys since the start of a process that opens the key store. */
  readonly keyReads?: readonly KeyReadTotal[] | undefined;
  /** Envelopes in the event log that are not sealed yet. */
  readonly lag?: { readonly envelopes: number; readonly bytes: number } | undefined;
}

export interface Metrics {
  /** Prometheus text exposition format 0.0.4. */
  text(): Promise<string>;
}

/** Names of metrics are in snake_case, as Prometheus wants them. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A gauge whose figure is absent is left out. A counter is set to the sum of the counts that it is given. */
interface Figures {
  readonly gauge: (name: string, help: string, value: number | undefined) => void;
  readonly counter: (name: string, help: string, labelNames?: string[]) => Counter;
}

function figuresIn(registry: Registry): Figures {
  const registers = [registry];
  const gauges = new Map<string, Gauge>();
  const counters = new Map<string, Counter>();
  return {
    gauge(name, help, value) {
      if (value === undefined) {
        registry.removeSingleMetric(name);
        gauges.delete(name);
        return;
      }
      const gauge = gauges.get(name) ?? new Gauge({ name, help, registers });
      gauges.set(name, gauge);
      gauge.set(value);
    },
    counter(name, help, labelNames = []) {
      const counter = counters.get(name) ?? new Counter({ name, help, labelNames, registers });
      counters.set(name, counter);
      counter.reset();
      return counter;
    },
  };
}

function showReceivers({ counter }: Figures, { receivers }: MetricsSnapshot): void {
  if (receivers === undefined) return;
  const total = counter('affidavit_ingest_receiver_total', 'Counts of the receivers, by kind', ['kind']);
  for (const [kind, count] of Object.entries(receivers)) total.inc({ kind }, count);
}

function showSequencer({ counter, gauge }: Figures, snapshot: MetricsSnapshot): void {
  const { sequencer, partitions, lag } = snapshot;
  for (const [name, help] of Object.entries(SEQUENCER_HELP)) {
    const count = sequencer?.[name as keyof typeof SEQUENCER_HELP];
    if (count !== undefined) counter(`affidavit_ingest_sequencer_${snakeCase(name)}_total`, help).inc(count);
  }
  const parkedHelp = 'Partitions that are not sealed until they are assigned again';
  gauge('affidavit_ingest_partitions_parked', parkedHelp, partitions?.parked);
  gauge('affidavit_ingest_lag_envelopes', 'Envelopes received and not sealed yet', lag?.envelopes);
  gauge('affidavit_ingest_lag_bytes', 'Bytes received and not sealed yet', lag?.bytes);
}

function showStore({ counter, gauge }: Figures, snapshot: MetricsSnapshot): void {
  const { ledger, headLogAgeMs, keyReads } = snapshot;
  gauge('affidavit_store_tree_size', 'Leaves committed to the log', ledger?.tree_size);
  const publishedHelp = 'Leaves under the newest checkpoint';
  gauge('affidavit_store_published_tree_size', publishedHelp, ledger?.published_tree_size);
  const ageHelp = 'Age of the newest entry of the head log; above 7200 something keeps all writers from it';
  const ageSeconds = headLogAgeMs === undefined ? undefined : headLogAgeMs / 1000;
  gauge('affidavit_store_head_log_age_seconds', ageHelp, ageSeconds);
  if (keyReads === undefined) return;
  const readsHelp = 'Reads of data keys, by outcome and by whose keys they are';
  const reads = counter('affidavit_store_data_keys_total', readsHelp, ['outcome', 'owner']);
  for (const { outcome, owner, count } of keyReads) reads.inc({ outcome, owner }, count);
}

/** Each call has a separate registry, so that tests can run several stacks in one process. An absent figure is left out. */
export function buildMetrics(snapshot: () => Promise<MetricsSnapshot>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const figures = figuresIn(registry);
  return {
    async text() {
      const now = await snapshot();
      showReceivers(figures, now);
      showSequencer(figures, now);
      showStore(figures, now);
      return registry.metrics();
    },
  };
}
