import { expect, it } from 'vitest';
import { createNormaliser } from '../../ingest/normalise.ts';
import { toOwnEnvelope } from '../../ingest/own-events.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';

it('become records of the collector that no credential can be', () => {
  const envelope = toOwnEnvelope(
    { type: 'archive.probed', facts: { success: true }, content: { bucket: 'evidence' } },
    { clock: () => Date.UTC(2026, 10, 21), newId: () => 'envelope 1' },
  );
  const normalise = createNormaliser({
    surrogates: createSurrogates(Buffer.alloc(32, 1)),
  });
  const { records, quarantinedCount } = normalise(envelope);
  expect(quarantinedCount).toBe(0);
  expect(records).toMatchObject([
    {
      type: 'archive.probed',
      received_at: '2026-11-21T00:00:00.000Z',
      facts: { collector: 'affidavit', success: true },
      content: { bucket: 'evidence' },
    },
  ]);
});
