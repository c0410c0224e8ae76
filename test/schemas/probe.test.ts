import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import { NativeEvent } from '../../schemas/native-event.ts';
import { buildProbeReport, PROBES, ProbeReport, refusals, toProbeEvent } from '../../schemas/probe.ts';
import type { ProbeCode } from '../../schemas/probe.ts';
import { RECORD_TYPES } from '../../schemas/record.ts';
import { compileValidator } from '../../schemas/validate.ts';
import { envelope } from '../connectors/sources/recorded.ts';

function report(failed: readonly ProbeCode[]): ProbeReport {
  const findings = (Object.keys(PROBES) as ProbeCode[]).map((code) => {
    const { name, expected } = PROBES[code];
    return { code, name, ok: !failed.includes(code), expected, observed: 'seen' };
  });
  return buildProbeReport({
    part: 'full',
    endpoint: null,
    bucket: 'evidence',
    prefix: '.affidavit-probe/1/',
    probedAtMs: Date.parse('2026-11-21T12:00:00.000Z'),
    duration_ms: 1234,
    findings,
    left_behind: [],
  });
}

describe('a report of a probe', () => {
  it('has the shape of its schema, and is good only if every finding is', () => {
    const check = compileValidator(ProbeReport);
    expect(check(report([]))).toMatchObject({ ok: true, value: { ok: true } });
    expect(check(report(['lock_kept']))).toMatchObject({ ok: true, value: { ok: false } });
  });

  it('becomes a native event that names what failed and carries the whole report', () => {
    const event = toProbeEvent(report(['lock_kept', 'create_only']));
    expect(compileValidator(NativeEvent)(event)).toMatchObject({ ok: true });
    expect(event).toMatchObject({
      type: 'archive.probed',
      event_id: 'evidence/.affidavit-probe/1/',
      occurred_at: '2026-11-21T12:00:00.000Z',
      facts: { success: false, duration_ms: 1234, reason: 'create_only, lock_kept' },
      content: { findings: expect.any(Array) as unknown },
    });
    expect(toProbeEvent(report([])).facts).toEqual({ success: true, duration_ms: 1234 });
  });

  it('is sealed as a record whose facts say how it went and whose content is the whole report', () => {
    const normalise = createNormaliser({
      surrogates: createSurrogates(new Uint8Array(32).fill(3)),
    });
    const probed = report(['lock_kept']);
    const event = toProbeEvent(probed);
    expect(RECORD_TYPES).toContain(event.type);
    const { records, quarantinedCount } = normalise(envelope('native', event, { principal: 'affidavit' }));
    expect(quarantinedCount).toBe(0);
    expect(records).toMatchObject([
      {
        type: 'archive.probed',
        source: 'native',
        facts: {
          collector: 'affidavit',
          occurred_at: probed.probed_at,
          success: false,
          reason: 'lock_kept',
          duration_ms: 1234,
        },
        content: probed,
      },
    ]);
  });

  it('says of every property what follows where it does not hold, and what to do', () => {
    for (const { meaning, action } of Object.values(PROBES)) {
      expect(meaning.length).toBeGreaterThan(10);
      expect(action.length).toBeGreaterThan(10);
    }
  });

  it('refuses a store for any finding, and forgives missing exclusive creation alone to a single sequencer', () => {
    const codes = (failed: readonly ProbeCode[], isSingleSequencer: boolean) =>
      refusals(report(failed), { isSingleSequencer }).map(({ code }) => code);
    expect(codes([], false)).toEqual([]);
    expect(codes(['create_only', 'create_only_concurrent'], false)).toEqual([
      'create_only',
      'create_only_concurrent',
    ]);
    expect(codes(['create_only', 'create_only_concurrent'], true)).toEqual([]);
    expect(codes(['create_only', 'shortening_refused'], true)).toEqual(['shortening_refused']);
  });
});
