import { expect, it } from 'vitest';
import { createKeyReads } from '../../app/key-reads.ts';
import { addressOf } from '../support/key-store.ts';

it('reads of data keys are counted by outcome, apart for keys of subjects and of classes, without a name', () => {
  const reads = createKeyReads();
  expect(reads.totals()).toEqual([]);
  reads.count('created', addressOf('a'));
  reads.count('cached', addressOf('a'));
  reads.count('cached', addressOf('b'));
  reads.count('cached', addressOf(null));
  expect(reads.totals()).toEqual([
    { outcome: 'created', owner: 'subject', count: 1 },
    { outcome: 'cached', owner: 'subject', count: 2 },
    { outcome: 'cached', owner: 'class', count: 1 },
  ]);
});
