import { describe, expect, it } from 'vitest';
import { githubAudit } from '../../../../connectors/sources/forges/github-audit.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import type { JsonObject } from '../../../../schemas/json.ts';
import { envelope } from '../recorded.ts';

const EVENT = {
  '@timestamp': 1_772_442_000_123,
  _document_id: 'doc-1',
  actor: 'ann',
  org: 'acme',
  repo: 'acme/web',
};

function draftsOf(body: unknown, more: object = {}): DraftRecord[] {
  return githubAudit.expand(envelope('github-audit', body, more)).map((expanded) => {
    if (expanded.kind !== 'draft') throw new Error(expanded.item.reason);
    return expanded.draft;
  });
}
const read = (event: JsonObject): DraftRecord => draftsOf({ ...EVENT, ...event })[0]!;

describe("an event of GitHub's audit log", () => {
  it.each([
    ['protected_branch.create', 'protection.changed'],
    ['protected_branch.policy_override', 'protection.changed'],
    ['protected_branch.rejected_ref_update', 'protection.changed'],
    ['repository_ruleset.destroy', 'protection.changed'],
    ['environment.remove_protection_rule', 'protection.changed'],
    ['secret_scanning_push_protection.bypass', 'protection.changed'],
    ['pull_request.create', 'change.proposed'],
    ['pull_request.merge', 'change.merged'],
    ['pull_request.close', 'change.closed'],
    ['pull_request.ready_for_review', 'change.updated'],
    ['pull_request_review.submit', 'change.reviewed'],
    ['pull_request_review.dismiss', 'change.reviewed'],
    ['git.push', 'change.pushed'],
    ['git.clone', 'event.observed'],
    ['workflows.completed_workflow_run', 'change.checked'],
    ['workflows.prepared_workflow_job', 'event.observed'],
    ['org.add_member', 'access.changed'],
    ['org.update_member', 'access.changed'],
    ['org.remove_outside_collaborator', 'access.changed'],
    ['team.add_repository', 'access.changed'],
    ['repo.add_member', 'access.changed'],
    ['repo.access', 'access.changed'],
    ['personal_access_token.access_granted', 'access.changed'],
    ['org.disable_two_factor_requirement', 'administration.changed'],
    ['hook.destroy', 'administration.changed'],
    ['audit_log_streaming.destroy', 'administration.changed'],
    ['something.new', 'event.observed'],
  ])('%s becomes %s', (action, type) => {
    const draft = read({ action });
    expect(draft).toMatchObject({ type, source: 'forge', facts: { source_event: action } });
    expect(draft.content).toEqual({ ...EVENT, action });
  });

  it('says who, when and where, and by which token', () => {
    const { facts, claimed_subject } = read({ action: 'git.push', hashed_token: 'c2hhLTI1Ng==' });
    expect(claimed_subject).toBe('ann');
    expect(facts).toEqual({
      source_event: 'git.push',
      collector: 'laptop-1',
      occurred_at: '2026-03-02T09:00:00.123Z',
      claimed_user: 'ann',
      claimed_user_source: 'actor',
      organization_id: 'acme',
      repository: 'acme/web',
      virtual_key: 'c2hhLTI1Ng==',
      request_id: 'doc-1',
    });
  });

  it('tells a rule that was bypassed from one that held', () => {
    const after = 'a'.repeat(40);
    const bypass = {
      action: 'protected_branch.policy_override',
      after,
      overridden_codes: ['required_status_checks', 'review_policy_not_satisfied'],
      referrer: 'https://github.com/acme/web/pull/3',
    };
    expect(read(bypass).facts).toMatchObject({
      decision: 'bypassed',
      reason: 'required_status_checks review_policy_not_satisfied',
      git_commit_id: after,
      change_id: 'acme/web#3',
    });
    expect(read({ action: 'protected_branch.rejected_ref_update' }).facts.decision).toBe('enforced');
  });

  it('names the pull request as webhooks do, and no other repository', () => {
    const merge = (pull_request_url: string) =>
      read({ action: 'pull_request.merge', pull_request_url }).facts;
    expect(merge('https://github.com/acme/web/pull/12').change_id).toBe('acme/web#12');
    expect(merge('https://github.com/acme/other/pull/12').change_id).toBeUndefined();
    expect(merge('https://github.com/acme/web/pull/12x').change_id).toBeUndefined();
  });

  it('names the author of a pull request by who created it alone', () => {
    expect(read({ action: 'pull_request.create' }).facts.target_user).toBe('ann');
    expect(read({ action: 'pull_request.reopen' }).facts.target_user).toBeUndefined();
  });

  it('keeps the agent apart from the person that it works for', () => {
    const agent = { actor: 'copilot-agent', actor_is_agent: true, agent_session_id: 'as-1', user: 'ben' };
    expect(read({ action: 'pull_request.create', ...agent }).facts).toMatchObject({
      claimed_user: 'ben',
      claimed_user_source: 'user',
      agent_id: 'as-1',
      agent_type: 'copilot-agent',
    });
  });

  it('names whom an access is of, and its role', () => {
    const { facts } = read({ action: 'org.update_member', user: 'ben', permission: 'admin' });
    expect(facts).toMatchObject({ claimed_user: 'ann', target_user: 'ben', reason: 'admin' });
  });

  it('is the same record in a page of the API and in a line of the stream', () => {
    const event = { ...EVENT, action: 'git.push' };
    const other = { ...event, _document_id: 'doc-2' };
    const paged = draftsOf([event, other]);
    const streamed = draftsOf(`${JSON.stringify(other)}\n${JSON.stringify(event)}\n`, {
      content_type: 'application/x-ndjson',
      idempotency_key: 'another',
    });
    const keys = (drafts: readonly DraftRecord[]) => drafts.map(({ natural_key }) => natural_key.join(' '));
    expect(keys(streamed)).toEqual(keys(paged).reverse());
    expect(new Set(keys(paged)).size).toBe(2);
  });

  it('is kept where it is a request to a model that the stream told of', () => {
    const draft = read({ type: 'request', event_id: 'ev-1', body: '{}', _document_id: undefined as never });
    expect(draft).toMatchObject({ type: 'event.observed', facts: { source_event: 'request' } });
  });
});
