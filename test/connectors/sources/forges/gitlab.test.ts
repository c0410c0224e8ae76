import { describe, expect, it } from 'vitest';
import { gitlab } from '../../../../connectors/sources/forges/gitlab.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import { readFixtures } from '../../../support/fixtures.ts';
import { envelope } from '../recorded.ts';

const BODIES = readFixtures('gitlab');

function draftsOf(payload: object, more: object = {}): DraftRecord[] {
  const stamped = envelope('gitlab', payload, {
    idempotency_key: 'd-1',
    principal: 'webhook:gitlab',
    ...more,
  });
  return gitlab.expand(stamped).map((expanded) => {
    if (expanded.kind !== 'draft') throw new Error(expanded.item.reason);
    return expanded.draft;
  });
}
const read = (name: string) => draftsOf(BODIES.get(name)!);
const only = (name: string) => {
  const drafts = read(name);
  expect(drafts.length).toBe(1);
  return drafts[0]!;
};

describe('synthetic events of GitLab', () => {
  it('become the records that they tell of', () => {
    const types = [...BODIES.keys()].map((name) => [name, ...new Set(read(name).map(({ type }) => type))]);
    expect(types).toEqual([
      ['audit-approval', 'change.reviewed'],
      ['audit-member', 'access.changed'],
      ['audit-rule', 'protection.changed'],
      ['deployment', 'change.deployed'],
      ['member', 'access.changed'],
      ['merge-request', 'change.merged'],
      ['note', 'event.observed'],
      ['pipeline', 'change.checked'],
      ['push', 'change.pushed'],
    ]);
  });

  it('are a push and each of its commits', () => {
    const [push, ...commits] = read('push');
    expect(push).toMatchObject({
      source: 'forge',
      claimed_subject: 'ada',
      facts: {
        source_event: 'push',
        claimed_user: 'ada',
        claimed_user_source: 'user_username',
        repository: 'group/diaspora',
        git_commit_id: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
        request_id: 'd-1',
      },
    });
    const ids = ['b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327', 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7'];
    expect(commits.map(({ facts }) => facts.git_commit_id)).toEqual(ids);
    expect(commits.map(({ content }) => content)).toEqual(BODIES.get('push')!['commits']);
    expect({ ...push!.content, commits: BODIES.get('push')!['commits'] }).toEqual(BODIES.get('push'));
  });

  it('tell who merged and whose change it was', () => {
    expect(only('merge-request').facts).toEqual({
      source_event: 'merge_request.merge',
      collector: 'webhook:gitlab',
      occurred_at: '2026-03-03T10:55:04Z',
      claimed_user: 'cy',
      claimed_user_source: 'user.username',
      target_user: 'ada',
      repository: 'group/diaspora',
      change_id: 'group/diaspora!7',
      git_commit_id: '55790bf891e76fee5e1747ab589903a6a1f80f21',
      request_id: 'd-1',
    });
  });

  it.each([
    ['open', 'change.proposed', undefined],
    ['update', 'change.updated', undefined],
    ['close', 'change.closed', undefined],
    ['approval', 'change.reviewed', 'approved'],
    ['approved', 'change.reviewed', 'approved'],
    ['unapproved', 'change.reviewed', 'dismissed'],
  ])('of a merge request with action %s are %s', (action, type, decision) => {
    const payload = structuredClone(BODIES.get('merge-request')!) as { object_attributes: object };
    payload.object_attributes = { ...payload.object_attributes, action };
    const [draft] = draftsOf(payload);
    expect([draft!.type, draft!.facts.decision, draft!.facts.git_commit_id]).toEqual([
      type,
      decision,
      'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
    ]);
  });

  it('name the merge request of a pipeline and of a note', () => {
    expect(only('pipeline').facts).toMatchObject({
      change_id: 'group/diaspora!7',
      reason: 'failed',
      success: false,
      occurred_at: '2026-03-03T10:09:26Z',
    });
    expect(only('note').facts).toMatchObject({ change_id: 'group/diaspora!7', source_event: 'note' });
  });

  it('name a new member as the one affected, not as who acted', () => {
    expect(only('member').facts).toMatchObject({
      target_user: 'ben',
      reason: 'Developer',
      organization_id: 'group',
    });
    expect(only('member').claimed_subject).toBeNull();
  });

  it('of a deployment have an outcome', () => {
    expect(only('deployment').facts).toMatchObject({
      git_commit_id: '279484c0',
      success: true,
      occurred_at: '2026-03-03T11:00:00Z',
    });
  });
});

describe('synthetic audit events of GitLab', () => {
  it('tell an approval by its message', () => {
    expect(only('audit-approval').facts).toEqual({
      source_event: 'merge_request_operation',
      collector: 'webhook:gitlab',
      occurred_at: '2026-03-03T10:40:00.123Z',
      claimed_user: 'Cy Example',
      claimed_user_source: 'author_name',
      decision: 'approved',
      repository: 'group/diaspora',
      request_id: 'audit-1',
    });
  });

  it('have ids of their own, so that each is one record in whatever delivery', () => {
    const keys = ['d-1', 'd-2'].map((idempotency_key) =>
      draftsOf(BODIES.get('audit-member')!, { idempotency_key }),
    );
    expect(keys[0]![0]!.natural_key).toEqual(keys[1]![0]!.natural_key);
    expect(keys[0]![0]!.facts).toMatchObject({ target_user: 'Ben Example', organization_id: 'group' });
  });

  it('keep all that they say', () => {
    for (const name of ['audit-approval', 'audit-member', 'audit-rule']) {
      expect(only(name).content).toEqual(BODIES.get(name));
    }
  });
});
