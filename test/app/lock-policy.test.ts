import { expect, it } from 'vitest';
import { lockPolicy } from '../../app/deployment.ts';
import { loadConfig } from '../../config.ts';
import { RETENTION_CLASSES } from '../../schemas/retention.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-11-21T09:00:00.000Z');
const until = (days: number) => new Date(NOW_MS + days * DAY_MS).toISOString();

it('objects are locked to the millisecond for as many days as their class asks', () => {
  const config = loadConfig(undefined, {
    AFFIDAVIT_RETENTION_PROOF_ARCHIVE_DAYS: '2555',
    AFFIDAVIT_RETENTION_CONTENT_ARCHIVE_DAYS: '90',
  });
  const lockFor = lockPolicy(config);
  expect(lockFor('proof', NOW_MS)).toEqual({ mode: 'governance', retain_until: until(2555) });
  expect(lockFor('content', NOW_MS).retain_until).toBe(until(90));
  for (const name of RETENTION_CLASSES) {
    expect(lockFor(name, NOW_MS).retain_until).toBe(until(config.retention[name].archive_days));
  }
});
