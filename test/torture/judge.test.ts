import { describe, expect, it } from 'vitest';
import { leafHash, rootOf } from '../../store/chain/merkle.ts';
import { createJudge, type Judge } from './judge.ts';
import { isClean, renderCounts } from './tally.ts';

const leaves = (...names: string[]) => names.map((name) => `{"leaf":"${name}"}`);
const rootHash = (leafTexts: readonly string[]) =>
  Buffer.from(rootOf(leafTexts.map((text) => leafHash(Buffer.from(text))))).toString('hex');

/** A log of two bundles with three leaves, one event each. */
function judgeOfThree(): Judge {
  const judge = createJudge();
  judge.sealed({ startIndex: 0, leafTexts: leaves('a', 'b'), events: [0, 1] });
  judge.sealed({ startIndex: 2, leafTexts: leaves('c'), events: [2] });
  return judge;
}

describe('the judge', () => {
  it('finds nothing where each acknowledged event is sealed once, acknowledged before or after', () => {
    const judge = createJudge();
    judge.acknowledged(1);
    judge.sealed({ startIndex: 0, leafTexts: leaves('a', 'b'), events: [0, 1] });
    judge.acknowledged(0);
    judge.drained();
    judge.listed([0, 1]);
    expect(renderCounts(judge.counts())).toBe('acked=2 sealed=2 lost=0 twice=0 forks=0 false_alarms=0');
    expect(isClean(judge.counts())).toBe(true);
  });

  it('counts an event that was sealed and never acknowledged as neither lost nor twice', () => {
    const judge = judgeOfThree();
    judge.acknowledged(0);
    judge.drained();
    expect(judge.counts()).toMatchObject({ acked: 1, sealed: 3, lost: 0, twice: 0 });
  });

  it('counts an acknowledged event without a leaf as lost once drained, once, and not before', () => {
    const judge = judgeOfThree();
    judge.acknowledged(2);
    judge.acknowledged(3);
    expect(judge.counts().lost).toBe(0);
    judge.drained();
    judge.drained();
    expect(judge.counts().lost).toBe(1);
    expect(judge.findings()).toEqual(['lost: 1 events were acknowledged and are in no leaf: 3']);
    expect(isClean(judge.counts())).toBe(false);
  });

  it('counts an event in two leaves as twice, in one bundle or in two, acknowledged or not', () => {
    const judge = judgeOfThree();
    judge.sealed({ startIndex: 3, leafTexts: leaves('c', 'd', 'd'), events: [2, 3, 3] });
    expect(judge.counts()).toMatchObject({ sealed: 4, twice: 2 });
    expect(judge.findings()[0]).toBe('twice: 2 events in the bundle at 3: 2, 3');
    expect(isClean(judge.counts())).toBe(false);
  });

  it('counts a row that is missing as lost and a row too many as twice', () => {
    const judge = judgeOfThree();
    for (const event of [0, 1, 2]) judge.acknowledged(event);
    judge.drained();
    judge.listed([0, 0, 2]);
    judge.shown(2, 2);
    judge.shown(1, 0);
    judge.shown(0, 1);
    expect(judge.counts()).toMatchObject({ lost: 1, twice: 2 });
  });

  it('takes heads of every bundle boundary for good, also after the log has grown', () => {
    const judge = judgeOfThree();
    judge.saw({ tree_size: 2, root_hash: rootHash(leaves('a', 'b')) });
    judge.checkHeads({ tree_size: 3, root_hash: rootHash(leaves('a', 'b', 'c')) });
    expect(judge.counts().forks).toBe(0);
  });

  it.each([
    ['has another root', { tree_size: 2, root_hash: rootHash(leaves('a', 'x')) }],
    ['is larger than the log', { tree_size: 4, root_hash: rootHash(leaves('a', 'b', 'c', 'd')) }],
    ['lies where no bundle ends', { tree_size: 1, root_hash: rootHash(leaves('a')) }],
  ])('counts a head that was seen and now %s as a fork, once', (_, head) => {
    const judge = judgeOfThree();
    judge.saw(head);
    judge.checkHeads(undefined);
    judge.checkHeads(undefined);
    expect(judge.counts().forks).toBe(1);
    expect(isClean(judge.counts())).toBe(false);
  });

  it('counts leaves that were rewritten after they were read as a fork', () => {
    const judge = judgeOfThree();
    judge.checkHeads({ tree_size: 3, root_hash: rootHash(leaves('a', 'x', 'c')) });
    expect(judge.counts().forks).toBe(1);
  });

  it('refuses bundles that do not follow each other', () => {
    expect(() => judgeOfThree().sealed({ startIndex: 4, leafTexts: leaves('e'), events: [] })).toThrow(
      'bundle 4 does not follow 3',
    );
  });

  it('counts false alarms', () => {
    const judge = judgeOfThree();
    judge.falseAlarm('a start ended');
    expect(renderCounts(judge.counts())).toBe('acked=0 sealed=3 lost=0 twice=0 forks=0 false_alarms=1');
    expect(judge.findings()).toEqual(['false alarm: a start ended']);
    expect(isClean(judge.counts())).toBe(false);
  });
});
