import { describe, expect, it } from 'vitest';
import { github } from '../../../../connectors/sources/forges/github.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import { githubExamples } from '../../../support/github-deliveries.ts';
import { envelope } from '../recorded.ts';

const DELIVERY = '72d3162e-cc78-11e3-81ab-4c9367dc0958';

function draftsOf(event: string, payload: object, delivery = DELIVERY): DraftRecord[] {
  const more = { event_name: event, idempotency_key: delivery, principal: 'webhook:github' };
  return github.expand(envelope('github', payload, more)).map((expanded) => {
    if (expanded.kind !== 'draft') throw new Error(`${expanded.item.reason} ${expanded.item.pointer}`);
    return expanded.draft;
  });
}

const EXAMPLES = githubExamples().filter(({ set }) => set === 'api.github.com');

/** The first example of an event that has these members. */
function example(event: string, members: object = {}): Record<string, unknown> {
  const found = EXAMPLES.find(
    (one) =>
      one.event === event && Object.entries(members).every(([name, value]) => one.payload[name] === value),
  );
  if (found === undefined) throw new Error(`no example of ${event}`);
  return found.payload;
}

describe('events of GitHub, of every example payload', () => {
  it('become the records that their names promise', () => {
    const counts: Record<string, number> = {};
    for (const { event, payload } of EXAMPLES) {
      for (const { type } of draftsOf(event, payload)) counts[type] = (counts[type] ?? 0) + 1;
    }
    expect(counts).toEqual({
      'access.changed': 52,
      'change.checked': 27,
      'change.closed': 2,
      'change.deployed': 9,
      'change.proposed': 6,
      'change.pushed': 9,
      'change.reviewed': 4,
      'change.updated': 21,
      'event.observed': 196,
      'protection.changed': 5,
    });
  });

  it('keep the payload whole, but for commits, which have records of their own', () => {
    for (const { event, payload } of EXAMPLES) {
      const [first, ...others] = draftsOf(event, payload);
      const listed = payload['commits'];
      if (Array.isArray(listed)) {
        expect(first!.content!['commits']).toEqual(others.map(({ facts }) => facts.git_commit_id));
        expect(others.map(({ content }) => content)).toEqual(listed);
        expect({ ...first!.content, commits: listed }).toEqual(payload);
      } else {
        expect(others).toEqual([]);
        expect(JSON.parse(JSON.stringify(first!.content))).toEqual(
          JSON.parse(JSON.stringify(payload), (_, value: unknown) =>
            typeof value === 'number' && !Number.isSafeInteger(value) ? String(value) : value,
          ),
        );
      }
    }
  });
});

const SHARED = {
  collector: 'webhook:github',
  claimed_user: 'Codertocat',
  claimed_user_source: 'sender.login',
  repository: 'Codertocat/Hello-World',
  request_id: DELIVERY,
};
const HEAD = 'ec26c3e57ca3a959ca5aad62de7213c562f8c821';

describe('a push', () => {
  const commit = '6113728f27ae82c7b1a177c8d03f9e96e0adf246';
  const pushed = { ...SHARED, occurred_at: '2019-05-15T15:20:57.000Z', git_commit_id: commit };

  it('is a record with its head, and one for each commit', () => {
    const drafts = draftsOf('push', example('push', { ref: 'refs/heads/master' }));
    expect(drafts.map(({ type, facts }) => [type, facts])).toMatchObject([
      ['change.pushed', { ...pushed, source_event: 'push' }],
      ['change.pushed', { ...pushed, source_event: 'push.commit' }],
    ]);
    expect(
      drafts.every(({ source, claimed_subject }) => source === 'forge' && claimed_subject === 'Codertocat'),
    ).toBe(true);
  });

  it('that deletes has no commit, and names whoever wrote what somebody else pushed', () => {
    const deleted = draftsOf('push', example('push', { deleted: true }));
    expect(deleted.map(({ facts }) => facts.git_commit_id)).toEqual([undefined]);
    const payload = structuredClone(example('push', { ref: 'refs/heads/master' })) as {
      commits: { id: string; author: { username: string } }[];
    };
    payload.commits[0]!.author.username = 'hacktocat';
    const odd = { ...payload, commits: [...payload.commits, 7, { id: 'none' }] };
    const [push, ...commits] = draftsOf('push', odd);
    expect(commits.map(({ facts }) => facts.target_user)).toEqual(['hacktocat']);
    expect(push!.content!['commits']).toEqual([commit, 7, { id: 'none' }]);
  });
});

describe('a pull request', () => {
  const pull = { ...SHARED, change_id: 'Codertocat/Hello-World#2', target_user: 'Codertocat' };

  it('is proposed with its head', () => {
    const [{ type, facts }] = draftsOf('pull_request', example('pull_request', { action: 'opened' })) as [
      DraftRecord,
    ];
    expect([type, facts]).toEqual([
      'change.proposed',
      {
        ...pull,
        organization_id: facts.organization_id,
        source_event: 'pull_request.opened',
        occurred_at: '2019-05-15T15:20:33Z',
        git_commit_id: HEAD,
      },
    ]);
  });

  it('is merged or closed, as it says, and merged with the commit that the merge made', () => {
    const payload = structuredClone(example('pull_request', { action: 'closed' })) as {
      pull_request: Record<string, unknown>;
      sender: { login: string };
    };
    expect(draftsOf('pull_request', payload)[0]).toMatchObject({
      type: 'change.closed',
      facts: { occurred_at: '2019-05-15T15:21:18Z', git_commit_id: HEAD },
    });
    payload.pull_request['merged'] = true;
    payload.pull_request['merged_at'] = '2019-05-15T17:21:17+02:00';
    payload.sender.login = 'merger';
    expect(draftsOf('pull_request', payload)[0]).toMatchObject({
      type: 'change.merged',
      facts: {
        claimed_user: 'merger',
        target_user: 'Codertocat',
        occurred_at: '2019-05-15T15:21:17Z',
        git_commit_id: 'c4295bd74fb0f4fda03689c3df3f2803b658fd85',
      },
    });
  });

  it('is reviewed by one who is named beside its author, with the commit that was read', () => {
    const payload = structuredClone(example('pull_request_review', { action: 'submitted' })) as {
      review: { state: string };
      sender: { login: string };
    };
    payload.review.state = 'APPROVED';
    payload.sender.login = 'reviewer';
    expect(draftsOf('pull_request_review', payload)[0]).toMatchObject({
      type: 'change.reviewed',
      facts: {
        ...pull,
        claimed_user: 'reviewer',
        decision: 'approved',
        occurred_at: '2019-05-15T15:20:38Z',
        git_commit_id: HEAD,
      },
    });
    const dismissed = draftsOf(
      'pull_request_review',
      example('pull_request_review', { action: 'dismissed' }),
    );
    expect(dismissed[0]!.facts).toMatchObject({ decision: 'dismissed', occurred_at: '2019-05-15T15:20:38Z' });
  });

  it('names whoever is asked for a review', () => {
    const asked = draftsOf('pull_request', example('pull_request', { action: 'review_requested' }));
    expect(asked[0]).toMatchObject({ type: 'change.updated', facts: { target_user: 'octocat' } });
  });

  it('is known from a check of it alone, and from a comment on it', () => {
    const checked = draftsOf('check_run', example('check_run', { action: 'completed' }));
    expect(checked[0]!.facts).toMatchObject({
      change_id: 'Codertocat/Hello-World#2',
      git_commit_id: HEAD,
      reason: 'failure',
      success: false,
    });
    const comment = draftsOf('pull_request_review_comment', example('pull_request_review_comment'));
    expect(comment[0]).toMatchObject({ type: 'event.observed', facts: { change_id: pull.change_id } });
    expect(draftsOf('issues', example('issues'))[0]!.facts.change_id).toBeUndefined();
  });
});

describe('checks, deployments, access and protection', () => {
  it.each([
    ['success', true],
    ['failure', false],
    ['timed_out', false],
    ['skipped', undefined],
    ['neutral', undefined],
    [null, undefined],
  ])('a check that concluded %s succeeded: %s', (conclusion, success) => {
    const payload = structuredClone(example('check_run')) as { check_run: Record<string, unknown> };
    payload.check_run['conclusion'] = conclusion;
    const { facts } = draftsOf('check_run', payload)[0]!;
    expect([facts.reason, facts.success]).toEqual([conclusion ?? undefined, success]);
  });

  it('a deployment has its commit, its status an outcome and its review a decision', () => {
    const status = draftsOf('deployment_status', example('deployment_status', { action: 'created' }))[0]!;
    expect(status.facts).toMatchObject({
      git_commit_id: 'f95f852bd8fca8fcc58a9a2d6c842781e32a215e',
      reason: 'success',
      success: true,
    });
    const review = { ...example('deployment_review'), action: 'approved' };
    const { type, facts } = draftsOf('deployment_review', review)[0]!;
    expect([type, facts.decision]).toEqual(['change.deployed', 'approved']);
    expect(facts.git_commit_id).toMatch(/^[0-9a-f]{40}$/);
  });

  it('access names who got it and as what', () => {
    const added = draftsOf('organization', example('organization', { action: 'member_added' }))[0]!;
    expect(added).toMatchObject({
      type: 'access.changed',
      facts: { source_event: 'organization.member_added', target_user: 'hacktocat', reason: 'member' },
    });
  });

  it('a rule has the time of its change, and none where it was deleted', () => {
    const times = ['created', 'deleted'].map((action) => {
      const payload = { ...example('branch_protection_rule'), action };
      return draftsOf('branch_protection_rule', payload)[0]!.facts.occurred_at;
    });
    expect(times).toEqual([expect.stringMatching(/Z$/), undefined]);
  });
});

describe('an event that comes again', () => {
  it('is the same one where it tells itself apart, whichever webhook delivered it', () => {
    const merge = example('pull_request', { action: 'closed' });
    const keys = ['delivery-1', 'delivery-2'].map(
      (delivery) => draftsOf('pull_request', merge, delivery)[0]!.natural_key,
    );
    expect(keys[0]).toEqual(keys[1]);
  });

  it('is another one where its payload reads alike each time, unless it is the same delivery', () => {
    const payload = example('membership', { action: 'added' });
    const keys = ['delivery-1', 'delivery-2', 'delivery-1'].map((delivery) =>
      draftsOf('membership', payload, delivery)[0]!.natural_key.join(),
    );
    expect(keys[0]).toBe(keys[2]);
    expect(keys[0]).not.toBe(keys[1]);
  });
});

describe('what is no event of the kind that the header says', () => {
  it.each([
    ['a name of no event', 'not_an_event', { action: 'opened' }],
    ['a name without its member', 'pull_request', { action: 'closed', pull_request: 'none' }],
    ['a name that every object has', 'constructor', {}],
    ['a push without a ref', 'push', { commits: [{ id: HEAD }] }],
  ])('is kept as observed: %s', (_, event, payload) => {
    expect(draftsOf(event, payload)).toMatchObject([
      { type: 'event.observed', content: Object.keys(payload).length === 0 ? null : payload },
    ]);
  });

  it('is kept in quarantine where it is no object', () => {
    const expanded = github.expand(envelope('github', '[7]', { event_name: 'push' }));
    expect(expanded).toMatchObject([{ kind: 'quarantined', item: { reason: 'item_shape_invalid' } }]);
  });
});
