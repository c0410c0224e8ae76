import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

const SEQUENCER_HELP = {
  envelopes: 'Envelopes taken from the event log',
  records: 'Records sealed',
  duplicates: 'Records recognised as delivered before',
  quarantined: 'Items sealed as quarantined',
  deadLetters: 'Entries of the event log that held no envelope',
  batches: 'Bundles committed',
} as const;

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

/** Each call has a separate registry, so that tests can run several stacks in one process. An absent figure is left out. */
export function buildMetrics(snapshot: () => Promise<MetricsSnapshot>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const gauges = new Map<string, Gauge>();
  const counters = new Map<string, Counter>();
  const setGauge = (name: string, help: string, value: number | undefined) => {
    if (value === undefined) {
      registry.removeSingleMetric(name);
      gauges.delete(name);
      return;
    }
    const gauge = gauges.get(name) ?? new Gauge({ name, help, registers });
    gauges.set(name, gauge);
    gauge.set(value);
  };
  const counterOf = (name: string, help: string, labelNames: string[] = []) => {
    const counter = counters.get(name) ?? new Counter({ name, help, labelNames, registers });
    counters.set(name, counter);
    counter.reset();
    return counter;
  };

  return {
    async text() {
      const { receivers, sequencer, ledger, partitions, lag, headLogAgeMs } = await snapshot();
      if (receivers !== undefined) {
        const total = counterOf('affidavit_ingest_receiver_total', 'Counts of the receivers, by kind', [
          'kind',
        ]);
        for (const [kind, count] of Object.entries(receivers)) total.inc({ kind }, count);
      }
      for (const [name, help] of Object.entries(SEQUENCER_HELP)) {
        const count = sequencer?.[name as keyof typeof SEQUENCER_HELP];
        if (count !== undefined)
          counterOf(`affidavit_ingest_sequencer_${snakeCase(name)}_total`, help).inc(count);
      }
      setGauge('affidavit_store_tree_size', 'Leaves committed to the log', ledger?.tree_size);
      setGauge(
        'affidavit_store_published_tree_size',
        'Leaves under the newest checkpoint',
        ledger?.published_tree_size,
      );
      setGauge(
        'affidavit_ingest_partitions_parked',
        'Partitions that are not sealed until they are assigned again',
        partitions?.parked,
      );
      setGauge(
        'affidavit_store_head_log_age_seconds',
        'Age of the newest entry of the head log; above 7200 something keeps all writers from it',
        headLogAgeMs === undefined ? undefined : headLogAgeMs / 1000,
      );
      setGauge('affidavit_ingest_lag_envelopes', 'Envelopes received and not sealed yet', lag?.envelopes);
      setGauge('affidavit_ingest_lag_bytes', 'Bytes received and not sealed yet', lag?.bytes);
      return registry.metrics();
    },
  };
}
