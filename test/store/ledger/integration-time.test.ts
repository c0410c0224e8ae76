import { describe, expect, it } from 'vitest';
import { openLedger } from '../../../store/ledger/ledger.ts';
import type { AuditRecord } from '../../../schemas/record.ts';
import type { ClockStep } from '../../../schemas/sealing-events.ts';
import { appendWhole, createTestLog, testRecord } from '../../support/ledger.ts';
import { createMemoryArchive } from '../../support/memory-archive.ts';
import { createMemoryRecordStore } from '../../support/memory-record-store.ts';

const TRUE_MS = Date.parse('2026-11-21T09:00:00.000Z');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A log with one bundle, sealed at `firstMs`, and a clock that can be set. */
async function setUp(firstMs: number) {
  const clock = { nowMs: firstMs };
  const [archive, records] = [createMemoryArchive(), createMemoryRecordStore()];
  const steps: ClockStep[] = [];
  const options = {
    ...(await createTestLog({ archive, records, clock: () => clock.nowMs })),
    maxClockAheadMs: 31 * DAY_MS,
    onClockBehind: (step: ClockStep) => steps.push(step),
  };
  await appendWhole(await openLedger(options), batchOf(testRecord(0)));
  return { archive, records, options, clock, steps };
}

let offset = 0n;
const batchOf = (...records: AuditRecord[]) => {
  offset += 1n;
  return { records, next_offset: offset, duplicate_count: 0 };
};

describe('a log whose clock was ahead once and comes back to true time', () => {
  it('is opened and sealed on, and keeps the time of its newest bundle until the clock is there', async () => {
    const { options, records, clock, steps } = await setUp(TRUE_MS + HOUR_MS);
    clock.nowMs = TRUE_MS;
    const ledger = await openLedger(options);
    await appendWhole(ledger, batchOf(testRecord(1)));
    expect(records.rows.map(({ integrated_at }) => integrated_at)).toEqual([
      '2026-11-21T10:00:00.000Z',
      '2026-11-21T10:00:00.000Z',
    ]);
    expect(steps).toEqual([{ reason: 'behind', known_at: '2026-11-21T10:00:00.000Z', behind_ms: HOUR_MS }]);
    clock.nowMs = TRUE_MS + 2 * HOUR_MS;
    await appendWhole(ledger, batchOf(testRecord(2)));
    expect(records.rows.at(-1)?.integrated_at).toBe('2026-11-21T11:00:00.000Z');
    expect(steps).toHaveLength(1);
  });

  it('does not report a clock that slews by two seconds', async () => {
    const { options, clock, steps } = await setUp(TRUE_MS);
    clock.nowMs = TRUE_MS - 2_000;
    await appendWhole(await openLedger(options), batchOf(testRecord(1)));
    expect(steps).toEqual([]);
  });
});

describe('records whose receiver was ahead while nothing was sealed', () => {
  const receivedAt = (ms: number) => testRecord(1, { received_at: new Date(ms).toISOString() });

  it('show that a clock was wrong, though the log itself is behind', async () => {
    const { options, clock, steps } = await setUp(TRUE_MS);
    clock.nowMs = TRUE_MS + HOUR_MS;
    const ahead = receivedAt(clock.nowMs + 2 * DAY_MS);
    await appendWhole(await openLedger(options), batchOf(ahead, testRecord(2)));
    expect(steps).toEqual([
      { reason: 'behind_receivers', known_at: '2026-11-23T10:00:00.000Z', behind_ms: 2 * DAY_MS },
    ]);
  });

  it('may be ahead by what clocks of several machines differ', async () => {
    const { options, steps } = await setUp(TRUE_MS);
    await appendWhole(await openLedger(options), batchOf(receivedAt(TRUE_MS + 60_000)));
    expect(steps).toEqual([]);
  });
});

describe('a clock that is far ahead', () => {
  const received = (ms: number, collector = 'workstation') => {
    const record = testRecord(1, { received_at: new Date(ms).toISOString() });
    return { ...record, facts: { ...record.facts, collector } };
  };

  it('is refused before anything is written, and sealing goes on once it is right', async () => {
    const { options, archive, clock } = await setUp(TRUE_MS);
    const before = [...archive.objects.keys()];
    clock.nowMs = TRUE_MS + 40 * DAY_MS;
    const ledger = await openLedger(options);
    await expect(ledger.append(batchOf(received(TRUE_MS)))).rejects.toMatchObject({
      code: 'CLOCK_AHEAD',
      retry: 'later',
      detail:
        'the clock says 2026-12-31T09:00:00.000Z; the newest record to seal was received at 2026-11-21T09:00:00.000Z, and p0 was last sealed at 2026-11-21T09:00:00.000Z',
    });
    expect([...archive.objects.keys()]).toEqual(before);
    clock.nowMs = TRUE_MS + 1_000;
    await ledger.recover();
    await appendWhole(ledger, batchOf(received(TRUE_MS)));
  });

  it('is not refused after a long silence, because a record was received in its time', async () => {
    const { options, clock } = await setUp(TRUE_MS);
    clock.nowMs = TRUE_MS + 400 * DAY_MS;
    const ledger = await openLedger(options);
    await appendWhole(ledger, batchOf(received(TRUE_MS), received(clock.nowMs - DAY_MS)));
  });

  it('is not refused over records that waited, while the log was sealed within the bound', async () => {
    const { options, clock } = await setUp(TRUE_MS);
    clock.nowMs = TRUE_MS + 31 * DAY_MS;
    await appendWhole(await openLedger(options), batchOf(received(TRUE_MS - 60 * DAY_MS)));
  });

  it('is refused though the program reported something by the same clock', async () => {
    const { options, clock } = await setUp(TRUE_MS);
    clock.nowMs = TRUE_MS + 40 * DAY_MS;
    const ledger = await openLedger(options);
    const own = received(clock.nowMs, 'affidavit');
    await expect(ledger.append(batchOf(received(TRUE_MS), own))).rejects.toMatchObject({
      code: 'CLOCK_AHEAD',
    });
    await ledger.recover();
    await appendWhole(ledger, batchOf(own));
  });

  it('is refused where the only record was made by the sequencer, by the same clock', async () => {
    const { options, clock } = await setUp(TRUE_MS);
    const ledger = await openLedger(options);
    clock.nowMs = TRUE_MS + 32 * DAY_MS;
    const made = testRecord(1, {
      type: 'event_log.replaced',
      source: 'affidavit',
      received_at: new Date(clock.nowMs).toISOString(),
      facts: { source_event: 'event_log.replaced', collector: 'affidavit' },
    });
    await expect(ledger.append(batchOf(made))).rejects.toMatchObject({ code: 'CLOCK_AHEAD' });
  });

  it('is not refused where the operator allows more', async () => {
    const { options, clock } = await setUp(TRUE_MS);
    clock.nowMs = TRUE_MS + 40 * DAY_MS;
    const ledger = await openLedger({ ...options, maxClockAheadMs: 41 * DAY_MS });
    await appendWhole(ledger, batchOf(received(TRUE_MS)));
  });
});
