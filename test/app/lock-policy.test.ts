import { expect, it } from 'vitest';
import { lockPolicy } from '../../app/deployment.ts';
import { loadConfig } from '../../config.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-11-21T09:00:00.000Z');

it('objects are locked to the millisecond for as many days as their kind is to be kept', () => {
  const lockFor = lockPolicy(
    loadConfig(undefined, {
      AFFIDAVIT_STORE_RETENTION_DAYS: '2555',
      AFFIDAVIT_STORE_CONTENT_RETENTION_DAYS: '90',
    }),
  );
  const until = (days: number) => new Date(NOW_MS + days * DAY_MS).toISOString();
  expect(lockFor('log', '', NOW_MS).retain_until).toBe(until(2555));
  expect(lockFor('facts', 'standard', NOW_MS).retain_until).toBe(until(2555));
  expect(lockFor('content', 'standard', NOW_MS).retain_until).toBe(until(90));
});
