import { describe, expect, it } from 'vitest';
import type { Change } from '../../../../schemas/change.ts';
import type { AuditRecord } from '../../../../schemas/record.ts';
import { listChanges } from '../../../../store/records/queries/changes.ts';
import { at, commitId, forgeStory, REPOSITORY } from '../../../support/forge-story.ts';
import { shuffled, useQueryStore } from '../../../support/query-store.ts';

const store = useQueryStore();
const list = (params: Partial<Parameters<typeof listChanges>[0]> = {}) =>
  store.read(listChanges({ limit: 100, ...params }));

async function changesOf(records: readonly AuditRecord[]): Promise<Map<string, Change>> {
  await store.fill(records);
  return new Map((await list()).map((change) => [change.git_commit_id, change]));
}

type Story = ReturnType<typeof forgeStory>;
const pull = { number: 7, head: 'bb' };

/** One commit of an agent on a separate branch, and a pull request with this commit as its head. */
function proposed(story: Story): void {
  story.agentCommits(0, commitId('bb'));
  story.pushed(1, 'topic-7', ['bb']);
  story.pull(2, 'opened', pull);
}

async function stateAfter(steps: (story: Story) => void): Promise<Change> {
  const story = forgeStory();
  proposed(story);
  steps(story);
  return (await changesOf(story.records)).get(commitId('bb'))!;
}

const approve = (story: Story, minute: number, reviewer = 'bob', more: object = {}) =>
  story.reviewed(minute, pull, { id: minute, reviewer, state: 'approved', ...more });
const merge = (story: Story, minute: number, more: object = {}) =>
  story.merged(minute, { ...pull, as: 'ff', ...more });

describe('a commit of an agent', () => {
  it('is followed from the session to the approver', async () => {
    const change = await stateAfter((story) => {
      approve(story, 3);
      story.checked(4, 'bb', 'build', 'failure');
      story.checked(5, 'bb', 'build', 'success');
      merge(story, 6);
    });
    expect(change).toEqual({
      git_commit_id: commitId('bb'),
      forge_commit_id: commitId('bb'),
      session_ids: ['s1'],
      tool_use_ids: [`toolu-${commitId('bb')}`],
      claimed_users: ['ann@example.com'],
      occurred_at: '2026-03-02T09:00:00.000Z',
      pushed_to: [REPOSITORY],
      pushers: ['ann'],
      on_default_branch: false,
      change_ids: [`${REPOSITORY}#7`],
      change_id: `${REPOSITORY}#7`,
      joined_by: ['branch', 'head', 'push'],
      author: 'ann',
      head_commit_id: commitId('bb'),
      merge_commit_id: commitId('ff'),
      merged_at: '2026-03-02T09:06:00.000Z',
      merged_by: 'bob',
      approvers: ['bob'],
      late_approvers: [],
      withdrawn_approvers: [],
      approved_head: true,
      checks: 'passed',
      state: 'approved',
      record_ids: change.record_ids,
    });
    // The call, the push and its commit, the proposal, the merge and the approval.
    expect(new Set(change.record_ids).size).toBe(6);
    expect(change.record_ids).toHaveLength(6);
  });

  it.each<[string, (story: Story) => void]>([
    ['not_pushed', () => undefined],
    ['not_proposed', (story) => story.pushed(1, 'topic', ['aa'])],
    ['not_proposed', (story) => story.pushed(1, 'master', ['aa'], { fork: true })],
    ['pushed_to_default_branch', (story) => story.pushed(1, 'master', ['aa'])],
    ['open', (story) => story.pull(1, 'opened', { number: 1, head: 'aa' })],
    ['closed', (story) => story.pull(1, 'closed', { number: 1, head: 'aa' })],
  ])('ends as %s', async (state, steps) => {
    const story = forgeStory();
    story.agentCommits(0, commitId('aa'));
    steps(story);
    expect((await changesOf(story.records)).get(commitId('aa'))!.state).toBe(state);
  });

  it('is open again after it was opened again', async () => {
    const change = await stateAfter((story) => {
      story.pull(3, 'closed', pull);
      story.pull(4, 'reopened', pull);
    });
    expect(change.state).toBe('open');
  });
});

describe('an approval', () => {
  it.each<[string, (story: Story) => void]>([
    ['by nobody', () => undefined],
    ['by the author', (story) => approve(story, 3, 'Ann')],
    ['by a bot', (story) => approve(story, 3, 'checker[bot]')],
    ['after the merge', (story) => approve(story, 9)],
    [
      'that was dismissed by somebody else',
      (story) => {
        approve(story, 3);
        story.reviewed(4, pull, { id: 3, reviewer: 'bob', state: 'dismissed', by: 'ann' });
      },
    ],
    [
      'that its giver replaced by a request for changes',
      (story) => {
        approve(story, 3);
        story.reviewed(4, pull, { id: 4, reviewer: 'bob', state: 'changes_requested' });
      },
    ],
  ])('%s does not count', async (_, review) => {
    const change = await stateAfter((story) => {
      review(story);
      merge(story, 6);
    });
    expect([change.state, change.approvers]).toEqual(['merged_without_independent_approval', []]);
  });

  it('by the person of the session does not count, nor by who wrote or pushed the commit', async () => {
    const story = forgeStory();
    story.agentCommits(0, commitId('bb'), { user: 'Carl' });
    story.pushed(1, 'topic-7', ['bb'], { by: 'dora', author: 'emil' });
    story.pull(2, 'opened', pull);
    for (const [n, name] of ['carl', 'dora', 'emil'].entries()) approve(story, 3 + n, name);
    merge(story, 8, { by: 'dora' });
    story.pushed(8, 'master', ['bb', 'ff'], { by: 'fred' });
    const { state } = (await changesOf(story.records)).get(commitId('bb'))!;
    expect(state).toBe('merged_without_independent_approval');
    approve(story, 7, 'fred');
    expect((await changesOf(story.records)).get(commitId('bb'))!.approvers).toEqual(['fred']);
  });

  it('that was dismissed or is late is listed as such', async () => {
    const change = await stateAfter((story) => {
      approve(story, 3);
      story.reviewed(4, pull, { id: 3, reviewer: 'bob', state: 'dismissed', by: 'ann' });
      merge(story, 6);
      approve(story, 7, 'zoe');
    });
    expect(change).toMatchObject({ withdrawn_approvers: ['bob'], late_approvers: ['zoe'] });
  });

  it('counts again once it was given again, and a dismissal after the merge withdraws nothing', async () => {
    const change = await stateAfter((story) => {
      approve(story, 3);
      story.reviewed(4, pull, { id: 3, reviewer: 'bob', state: 'dismissed', by: 'ann' });
      approve(story, 5);
      story.reviewed(5, pull, { id: 50, reviewer: 'bob', state: 'commented' });
      merge(story, 6);
      story.reviewed(7, pull, { id: 5, reviewer: 'bob', state: 'dismissed', by: 'ann' });
    });
    expect([change.state, change.approvers]).toEqual(['approved', ['bob']]);
  });

  it('of an older commit than the merged one comes before the last push', async () => {
    const later = { ...pull, head: 'cc' };
    const steps = (story: Story) => {
      approve(story, 3);
      story.pushed(4, 'topic-7', ['cc']);
      story.pull(4, 'synchronize', later);
    };
    const change = await stateAfter((story) => {
      steps(story);
      merge(story, 6, later);
    });
    expect(change).toMatchObject({ state: 'approved_before_last_push', approved_head: false });
    expect(change).toMatchObject({ approvers: ['bob'], head_commit_id: commitId('cc') });
    const again = await stateAfter((story) => {
      steps(story);
      approve(story, 5, 'zoe', { of: 'cc' });
      merge(story, 6, later);
    });
    expect(again).toMatchObject({ state: 'approved', approvers: ['bob', 'zoe'], approved_head: true });
  });
});

describe('a commit belongs to a pull request', () => {
  it('where a push brought it together with the head, or it was on the branch before', async () => {
    const story = forgeStory();
    for (const [n, id] of ['a1', 'a2', 'a3'].entries()) story.agentCommits(n, commitId(id));
    story.pushed(3, 'topic-7', ['a1']);
    story.pushed(4, 'topic-7', ['a2', 'a3']);
    story.pull(5, 'opened', { number: 7, head: 'a3' });
    story.merged(6, { number: 7, head: 'a3', as: 'ee' });
    const changes = await changesOf(story.records);
    const joined = ['a1', 'a2', 'a3'].map((id) => changes.get(commitId(id))!.joined_by);
    expect(joined).toEqual([['branch'], ['branch', 'push'], ['branch', 'head', 'push']]);
    expect([...changes.values()].map(({ change_ids }) => change_ids)).toEqual(
      Array.from({ length: 3 }, () => [`${REPOSITORY}#7`]),
    );
  });

  it('after a squash, whose commit is another one', async () => {
    const change = await stateAfter((story) => {
      approve(story, 3);
      merge(story, 6);
      story.pushed(6, 'master', ['ff'], { by: 'bob' });
    });
    expect(change).toMatchObject({ state: 'approved', merge_commit_id: commitId('ff') });
    expect(change.on_default_branch).toBe(false);
  });

  it('and not to a later one of a branch of the same name', async () => {
    const later = { number: 8, head: 'dd', branch: 'topic-7' };
    const change = await stateAfter((story) => {
      approve(story, 3);
      merge(story, 6);
      story.pushed(7, 'topic-7', ['dd']);
      story.pull(8, 'opened', later);
      story.merged(9, { ...later, as: 'ee' });
    });
    expect(change.change_ids).toEqual([`${REPOSITORY}#7`]);
    expect(change.state).toBe('approved');
  });

  it('and not to one that had ended when it was pushed to the branch', async () => {
    const story = forgeStory();
    story.pull(1, 'opened', { number: 7, head: 'b0' });
    story.pull(2, 'closed', { number: 7, head: 'b0' });
    story.agentCommits(3, commitId('bb'));
    story.pushed(4, 'topic-7', ['bb']);
    const change = (await changesOf(story.records)).get(commitId('bb'))!;
    expect([change.state, change.change_ids]).toEqual(['not_proposed', []]);
  });

  it('and not to one whose branch got it from the default branch', async () => {
    const other = { number: 9, head: 'cc', branch: 'other' };
    const change = await stateAfter((story) => {
      approve(story, 3);
      merge(story, 6);
      story.pushed(6, 'master', ['bb', 'ff'], { by: 'bob' });
      story.pushed(7, 'other', ['bb', 'ff', 'cc']);
      story.pull(8, 'opened', other);
      story.merged(9, { ...other, as: 'ee' });
    });
    expect(change.change_ids).toEqual([`${REPOSITORY}#7`]);
    expect(change).toMatchObject({ state: 'approved', on_default_branch: true });
  });

  it('and is judged by the merge into the default branch where there is one', async () => {
    const release = { number: 8, head: 'bb', branch: 'topic-7', base: 'release' };
    const change = await stateAfter((story) => {
      story.pull(3, 'opened', release);
      story.merged(4, { ...release, as: 'ee' });
      approve(story, 5);
      merge(story, 6);
    });
    expect(change.change_ids).toEqual([`${REPOSITORY}#7`, `${REPOSITORY}#8`]);
    expect(change).toMatchObject({ change_id: `${REPOSITORY}#7`, state: 'approved' });
  });

  it('and was still pushed past it where the only merge was elsewhere', async () => {
    const release = { number: 8, head: 'bb', branch: 'master', base: 'release' };
    const story = forgeStory();
    story.agentCommits(0, commitId('bb'));
    story.pushed(1, 'master', ['bb']);
    story.pull(3, 'opened', release);
    story.reviewed(4, release, { id: 4, reviewer: 'bob', state: 'approved' });
    story.merged(5, { ...release, as: 'ee' });
    const change = (await changesOf(story.records)).get(commitId('bb'))!;
    expect(change).toMatchObject({ state: 'pushed_to_default_branch', change_id: `${REPOSITORY}#8` });
  });
});

describe('a merge request of GitLab', () => {
  async function stateOf(steps: (story: Story) => void): Promise<Change> {
    const story = forgeStory();
    story.agentCommits(0, commitId('bb'));
    story.gitlabPushed(1, 'topic', ['bb']);
    story.gitlab(2, 'open');
    steps(story);
    story.gitlab(6, 'merge', { by: 'cy', merge_commit_sha: commitId('ff') });
    return (await changesOf(story.records)).get(commitId('bb'))!;
  }

  it('is approved by a person other than its author, until that approval is withdrawn', async () => {
    const approved = await stateOf((story) => story.gitlab(3, 'approved', { by: 'bob' }));
    expect(approved).toMatchObject({
      state: 'approved',
      change_id: 'group/web!7',
      author: 'ann',
      approvers: ['bob'],
      merged_by: 'cy',
      joined_by: ['branch', 'head', 'push'],
    });
    const withdrawn = await stateOf((story) => {
      story.gitlab(3, 'approved', { by: 'bob' });
      story.gitlab(4, 'unapproved', { by: 'bob' });
    });
    expect(withdrawn).toMatchObject({ approvers: [], withdrawn_approvers: ['bob'] });
  });

  it('loses the approvals before a push that resets them, and keeps later ones', async () => {
    const change = await stateOf((story) => {
      story.gitlab(3, 'approved', { by: 'bob' });
      story.gitlab(4, 'unapproved', { by: 'ann', system_action: 'approvals_reset_on_push' });
      story.gitlab(5, 'approved', { by: 'dora' });
    });
    expect(change).toMatchObject({ approvers: ['dora'], withdrawn_approvers: ['bob'] });
  });

  it('has no approval that counts where its author is unknown', async () => {
    const story = forgeStory();
    story.agentCommits(0, commitId('bb'));
    story.gitlab(3, 'approved', { by: 'bob' });
    story.gitlab(6, 'merge', { by: 'cy', merge_commit_sha: commitId('ff') });
    const change = (await changesOf(story.records)).get(commitId('bb'))!;
    expect(change).toMatchObject({ state: 'merged_without_independent_approval', author: null });
  });

  it('is merged without approval where only its author approved', async () => {
    const change = await stateOf((story) => story.gitlab(3, 'approved'));
    expect(change.state).toBe('merged_without_independent_approval');
  });
});

describe('an abbreviated commit id', () => {
  it('is found under the full one', async () => {
    const story = forgeStory();
    story.agentCommits(0, 'abcdef12');
    story.pushed(1, 'topic-7', ['abcdef12']);
    story.pushed(1, 'topic-8', ['abcdef99']);
    story.pull(2, 'opened', { ...pull, head: 'abcdef12' });
    const change = (await changesOf(story.records)).get('abcdef12')!;
    expect(change).toMatchObject({ state: 'open', forge_commit_id: commitId('abcdef12') });
  });

  it('that fits two commits is ambiguous', async () => {
    const story = forgeStory();
    story.agentCommits(0, 'abcdef1');
    story.pushed(1, 'topic-7', ['abcdef12']);
    story.pushed(1, 'topic-8', ['abcdef19']);
    const change = (await changesOf(story.records)).get('abcdef1')!;
    expect(change).toMatchObject({ state: 'ambiguous', forge_commit_id: null });
  });
});

describe('the list', () => {
  const commits = ['a1', 'a2', 'a3', 'a4', 'a5'];

  async function fiveCommits(): Promise<void> {
    const story = forgeStory();
    for (const [n, id] of commits.entries()) {
      story.agentCommits(10 * n, commitId(id), { session: `s${n % 2}` });
    }
    story.agentCommits(99, commitId('a1'), { session: 's9' });
    story.pushed(100, 'topic', ['a2']);
    await store.fill(story.records);
  }
  const ids = (changes: readonly Change[]) => changes.map(({ git_commit_id }) => git_commit_id.slice(0, 2));

  it('comes once in pages of any size, in the order of the log', async () => {
    await fiveCommits();
    const paged: Change[] = [];
    for (;;) {
      const page = await list({ limit: 2, after: paged.at(-1) });
      paged.push(...page);
      if (page.length < 2) break;
    }
    expect(ids(paged)).toEqual(commits);
  });

  it('can be narrowed by session, commit, repository, state and period', async () => {
    await fiveCommits();
    expect(ids(await list({ session_id: 's1' }))).toEqual(['a2', 'a4']);
    expect(ids(await list({ git_commit_id: commitId('a3') }))).toEqual(['a3']);
    expect(ids(await list({ repository: REPOSITORY }))).toEqual(['a2']);
    expect(ids(await list({ state: 'not_pushed' }))).toEqual(['a1', 'a3', 'a4', 'a5']);
    expect(ids(await list({ from: at(10), to: at(30) }))).toEqual(['a2', 'a3']);
    expect(ids(await list({ below: 1 }))).toEqual(['a1']);
    expect((await list({ session_id: 's9' }))[0]!.session_ids).toEqual(['s0', 's9']);
  });

  it('does not depend on the order of arrival', async () => {
    const story = forgeStory();
    proposed(story);
    approve(story, 3);
    story.pushed(4, 'topic-7', ['cc']);
    story.pull(4, 'synchronize', { ...pull, head: 'cc' });
    story.reviewed(5, pull, { id: 3, reviewer: 'bob', state: 'dismissed', by: 'ann' });
    merge(story, 6, { head: 'cc' });
    const [expected] = [...(await changesOf(story.records)).values()];
    for (const seed of [1, 2, 3]) {
      const [found] = [...(await changesOf(shuffled(story.records, seed))).values()];
      expect({ ...found, record_ids: [...found!.record_ids].sort() }).toEqual({
        ...expected,
        record_ids: [...expected!.record_ids].sort(),
      });
    }
  });
});
