/** Lock files that an operator edits: the log signed how long each object stays, and how strictly. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCK_SUFFIX, type ArchiveLockRecord } from '../../schemas/archive-lock.ts';
import { toInstant } from '../../schemas/clock.ts';
import { startThreads, type OpenLookAhead } from '../../store/verify/bundle-threads.ts';
import { verifyArchive } from '../../store/verify/verify-archive.ts';
import { changeLock, filesBelow } from '../support/archive-folder.ts';
import { BUNDLE_WORKER, entryOf } from '../support/bundle-worker.ts';
import { sealArchive, type SealedArchive } from './forge.ts';

const DAY_MS = 86_400_000;
const shifted = (days: number) => (lock: ArchiveLockRecord) => ({
  retain_until: toInstant(Date.parse(lock.retain_until) + days * DAY_MS),
});

let archive: SealedArchive;
beforeAll(async () => {
  archive = await sealArchive();
});
afterAll(() => archive.dispose());

const kindOf = (key: string) => key.split('/')[2];
const isFirstOfItsKind = (keys: readonly string[], key: string) =>
  keys.find((each) => kindOf(each) === kindOf(key)) === key;
const objects = async () => (await filesBelow(archive.dir)).filter((name) => !name.endsWith(LOCK_SUFFIX));

const failures = async () => (await verifyArchive({ dir: archive.dir })).failures;

/** The same where threads check bundles and payloads first. */
const failuresByThreads = async () => {
  const lookAhead: OpenLookAhead = (bundles) =>
    startThreads(bundles, { threadCount: 2, entry: entryOf(BUNDLE_WORKER) });
  return (await verifyArchive({ dir: archive.dir, lookAhead })).failures;
};

describe('the lock of every object', () => {
  it('fails verification where it ends before the date that was signed', async () => {
    const keys = await objects();
    expect(new Set(keys.map(kindOf))).toEqual(new Set(['genesis', 'bundle', 'checkpoint', 'payload']));
    for (const key of keys) {
      await changeLock(archive.dir, key, shifted(-1));
      const found = await failures();
      expect(found.map(({ code }) => code)).toEqual(['lock_weakened']);
      expect(found[0]!.detail).toContain(key);
      if (isFirstOfItsKind(keys, key)) expect(await failuresByThreads()).toEqual(found);
      await changeLock(archive.dir, key, shifted(1));
    }
    expect(await failures()).toEqual([]);
  });

  it('may be later and stricter than the signed one', async () => {
    for (const key of await objects())
      await changeLock(archive.dir, key, (lock) => ({ ...shifted(400)(lock), mode: 'compliance' }));
    expect(await failures()).toEqual([]);
  });
});
