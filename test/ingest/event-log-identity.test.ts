import { describe, expect, it } from 'vitest';
import { allSealFrom, judgeEventLog, type EventLogIds } from '../../ingest/event-log-identity.ts';

const cases: readonly (readonly [string, EventLogIds, string])[] = [
  ['goes on in an empty ledger', { found: 'a', accepted: 'a', sealed: undefined }, 'same'],
  ['goes on in the log of the newest bundle', { found: 'a', accepted: 'a', sealed: 'a' }, 'same'],
  [
    'goes on where an older version wrote no ids',
    { found: 'a', accepted: undefined, sealed: undefined },
    'same',
  ],
  ['goes on in the log of the newest bundle', { found: 'a', accepted: undefined, sealed: 'a' }, 'same'],
  [
    'goes on where the medium never gave an id',
    { found: undefined, accepted: undefined, sealed: undefined },
    'same',
  ],
  ['refuses a log that nobody accepted', { found: 'b', accepted: 'a', sealed: 'a' }, 'refused'],
  ['refuses it in an empty ledger too', { found: 'b', accepted: 'a', sealed: undefined }, 'refused'],
  ['refuses a log that no bundle names', { found: 'b', accepted: undefined, sealed: 'a' }, 'refused'],
  ['refuses the old log once another was accepted', { found: 'a', accepted: 'b', sealed: 'a' }, 'refused'],
  [
    'refuses a log whose id cannot be had any more',
    { found: undefined, accepted: 'a', sealed: 'a' },
    'refused',
  ],
  ['begins again in a log that was accepted', { found: 'b', accepted: 'b', sealed: 'a' }, 'begin_again'],
];

describe('the judgement of an event log by its id', () => {
  it.each(cases)('%s: %o', (_, ids, kind) => {
    expect(judgeEventLog(ids).kind).toBe(kind);
  });
});

describe('the agreement of several ledgers on their event log', () => {
  const log = (eventLog: string | undefined, treeSize = 7) => ({ eventLog, treeSize });
  it.each([
    ['each newest bundle was read from it', [log('a'), log('a')], true],
    ['a ledger holds nothing yet', [log('a'), log(undefined, 0)], true],
    ['no ledger holds anything', [log(undefined, 0)], false],
    ['one was read from another event log', [log('a'), log('b')], false],
    ['one names none, as older versions did', [log('a'), log(undefined)], false],
  ])('where %s', (_, ledgers, agree) => {
    expect(allSealFrom('a', ledgers)).toBe(agree);
  });
});
