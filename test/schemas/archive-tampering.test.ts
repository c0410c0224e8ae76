import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { toTamperingEvent, type ArchiveTampering } from '../../schemas/archive-tampering.ts';
import { RECORD_TYPES } from '../../schemas/record.ts';
import { envelope } from '../connectors/sources/recorded.ts';

const KEY = 'log/p0/bundle/00000000000000000000';
const finding: ArchiveTampering = {
  v: 1,
  kind: 'second_version',
  endpoint: null,
  bucket: 'evidence',
  prefix: 'archive/',
  truth_version_id: 'first',
  other_version_ids: ['second', 'third'],
  found_at: '2026-11-21T12:00:00.000Z',
};
const normalise = createNormaliser({
  surrogates: createSurrogates(new Uint8Array(32).fill(3)),
});

describe('a finding of tampering', () => {
  it('is sealed as a record that names what was found, with key and versions in its content', () => {
    const event = toTamperingEvent(KEY, finding);
    expect(RECORD_TYPES).toContain(event.type);
    const { records, quarantinedCount } = normalise(envelope('native', event, { principal: 'affidavit' }));
    expect(quarantinedCount).toBe(0);
    expect(records).toMatchObject([
      {
        type: 'archive.tampered',
        source: 'native',
        facts: {
          collector: 'affidavit',
          occurred_at: finding.found_at,
          success: false,
          reason: 'second_version',
        },
        content: { key: KEY, ...finding },
      },
    ]);
  });

  it('is one record however often it is delivered, and another one when it is found again', () => {
    const idOf = (key: string, found: ArchiveTampering) =>
      normalise(envelope('native', toTamperingEvent(key, found))).records[0]?.id;
    expect(idOf(KEY, finding)).toBe(idOf(KEY, finding));
    const later = { ...finding, found_at: '2026-11-22T12:00:00.000Z' };
    const ids = [idOf(KEY, finding), idOf(KEY, later), idOf('log/p0/genesis', finding)];
    expect(new Set(ids).size).toBe(3);
  });
});
