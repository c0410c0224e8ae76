import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

/** Figures of all roles as plain numbers, read at each scrape. Counts rise from the start of the process. */
export interface MetricsSnapshot {
  /** By name as the receivers count them, e.g. `requests`, `items`, `refused_AUTH_MISSING`. */
  readonly receivers: Readonly<Record<string, number>>;
  readonly sequencer: {
    readonly envelopes: number;
    readonly records: number;
    readonly duplicates: number;
    readonly quarantined: number;
    readonly batches: number;
  };
  readonly ledger: { readonly tree_size: number; readonly published_tree_size: number };
  /** What was taken in and is not sealed yet. */
  readonly lag: { readonly envelopes: number; readonly bytes: number };
}

export interface Metrics {
  /** Prometheus text exposition format 0.0.4. */
  text(): Promise<string>;
}

const SEQUENCER_HELP = {
  envelopes: 'Envelopes taken from the event log',
  records: 'Records sealed',
  duplicates: 'Records recognised as delivered before',
  quarantined: 'Items sealed as quarantined',
  batches: 'Bundles committed',
} as const satisfies Record<keyof MetricsSnapshot['sequencer'], string>;

/** A registry of its own, so that several stacks can live in one process. */
export function buildMetrics(snapshot: () => Promise<MetricsSnapshot>): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const receivers = new Counter({
    name: 'affidavit_ingest_receiver_total',
    help: 'What the receivers counted, by kind',
    labelNames: ['kind'],
    registers,
  });
  const sequencer = Object.entries(SEQUENCER_HELP).map(([name, help]) => ({
    name: name as keyof MetricsSnapshot['sequencer'],
    counter: new Counter({ name: `affidavit_ingest_sequencer_${name}_total`, help, registers }),
  }));
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const treeSize = gauge('affidavit_store_tree_size', 'Leaves committed to the log');
  const publishedSize = gauge('affidavit_store_published_tree_size', 'Leaves under the newest checkpoint');
  const lagEnvelopes = gauge('affidavit_ingest_lag_envelopes', 'Envelopes taken in and not sealed yet');
  const lagBytes = gauge('affidavit_ingest_lag_bytes', 'Bytes taken in and not sealed yet');

  return {
    async text() {
      const now = await snapshot();
      receivers.reset();
      for (const [kind, count] of Object.entries(now.receivers)) receivers.inc({ kind }, count);
      for (const { name, counter } of sequencer) {
        counter.reset();
        counter.inc(now.sequencer[name]);
      }
      treeSize.set(now.ledger.tree_size);
      publishedSize.set(now.ledger.published_tree_size);
      lagEnvelopes.set(now.lag.envelopes);
      lagBytes.set(now.lag.bytes);
      return registry.metrics();
    },
  };
}
