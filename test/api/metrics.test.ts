import { describe, expect, it } from 'vitest';
import { buildMetrics, type MetricsSnapshot } from '../../api/metrics.ts';

function snapshot(records: number): MetricsSnapshot {
  return {
    receivers: { requests: 2 * records, refused_AUTH_MISSING: 1 },
    sequencer: { envelopes: records, records, duplicates: 3, quarantined: 1, deadLetters: 5, batches: 2 },
    ledger: { tree_size: records, published_tree_size: records - 1 },
    lag: { envelopes: 4, bytes: 4096 },
    partitions: { parked: 1 },
    keyReads: [{ outcome: 'created', owner: 'subject', count: 7 }],
  };
}

describe('metrics', () => {
  it('show the figures of the moment they are asked for', async () => {
    let records = 10;
    const metrics = buildMetrics(() => Promise.resolve(snapshot(records)));
    expect(lines(await metrics.text())).toEqual(
      expect.arrayContaining([
        'affidavit_ingest_receiver_total{kind="requests"} 20',
        'affidavit_ingest_receiver_total{kind="refused_AUTH_MISSING"} 1',
        'affidavit_ingest_sequencer_records_total 10',
        'affidavit_ingest_sequencer_duplicates_total 3',
        'affidavit_ingest_sequencer_dead_letters_total 5',
        'affidavit_store_tree_size 10',
        'affidavit_store_published_tree_size 9',
        'affidavit_ingest_lag_envelopes 4',
        'affidavit_ingest_lag_bytes 4096',
        'affidavit_ingest_partitions_parked 1',
        'affidavit_store_data_keys_total{outcome="created",owner="subject"} 7',
      ]),
    );
    records = 11;
    expect(lines(await metrics.text())).toContain('affidavit_ingest_sequencer_records_total 11');
  });

  it('leave out what this process does not do, rather than show a nought', async () => {
    const { receivers } = snapshot(1);
    const text = await buildMetrics(() => Promise.resolve({ receivers })).text();
    expect(text).toContain('affidavit_ingest_receiver_total');
    expect(text).not.toMatch(/affidavit_(store|ingest_(sequencer|lag|partitions))/);
  });

  it('leave out a figure that is not known any longer, rather than repeat the last one', async () => {
    let state = snapshot(1);
    const metrics = buildMetrics(() => Promise.resolve(state));
    expect(await metrics.text()).toContain('affidavit_ingest_lag_envelopes 4');
    state = { ...state, lag: undefined };
    expect(await metrics.text()).not.toContain('affidavit_ingest_lag');
    state = snapshot(1);
    expect(await metrics.text()).toContain('affidavit_ingest_lag_envelopes 4');
  });

  it('carry the process figures, and two registries do not disturb each other', async () => {
    const first = buildMetrics(() => Promise.resolve(snapshot(1)));
    const second = buildMetrics(() => Promise.resolve(snapshot(2)));
    const text = await first.text();
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(lines(await second.text())).toContain('affidavit_store_tree_size 2');
    expect(lines(await first.text())).toContain('affidavit_store_tree_size 1');
  });
});

function lines(text: string): string[] {
  return text.split('\n');
}
