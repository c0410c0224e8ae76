import { describe, expect, it } from 'vitest';
import { identity } from '../../../../connectors/sources/identity/identity.ts';
import type { DraftRecord } from '../../../../connectors/drafts/source.ts';
import { readFixtures } from '../../../support/fixtures.ts';
import { envelope } from '../recorded.ts';

const BODIES = readFixtures('identity');

const expand = (payload: unknown) => identity.expand(envelope('identity', payload));
function draftsOf(payload: unknown): DraftRecord[] {
  return expand(payload).map((expanded) => {
    if (expanded.kind !== 'draft') throw new Error(`${expanded.item.reason} ${expanded.item.pointer}`);
    return expanded.draft;
  });
}
const read = (name: string, changes: object = {}) => draftsOf({ ...BODIES.get(name)!, ...changes });
const told = (drafts: readonly DraftRecord[]) =>
  drafts.map(({ type, facts }) => [type, facts.target_user, facts.reason]);

const EVENT = { user: 'ben', occurred_at: '2026-03-01T09:00:00Z', source: 'hr' };

describe('an event of the identity feed', () => {
  it.each([
    [{ event: 'joined' }, {}],
    [{ event: 'left' }, {}],
    [{ event: 'role_granted', role: 'admin' }, { reason: 'admin' }],
    [{ event: 'role_revoked', role: 'admin' }, { reason: 'admin' }],
    [{ event: 'key_created', key: 'ben-laptop' }, { virtual_key: 'ben-laptop' }],
    [{ event: 'key_revoked', key: 'ben-laptop' }, { virtual_key: 'ben-laptop' }],
    [{ event: 'expected' }, {}],
    [{ event: 'excused' }, {}],
  ])('%o is a record of its own type', (event, facts) => {
    expect(draftsOf({ ...EVENT, ...event, by: 'ada', id: 'e-1' })).toEqual([
      {
        type: `identity.${event.event}`,
        source: 'identity',
        natural_key: ['identity', 'hr', 'e-1', expect.stringMatching(/^[0-9a-f]{64}$/)],
        claimed_subject: 'ada',
        facts: {
          source_event: event.event,
          collector: 'laptop-1',
          occurred_at: EVENT.occurred_at,
          claimed_user: 'ada',
          claimed_user_source: 'by',
          target_user: 'ben',
          request_id: 'e-1',
          ...facts,
        },
        content: { source: 'hr' },
      },
    ]);
  });

  it('can expect everybody of a role', () => {
    const event = { ...EVENT, user: undefined, event: 'expected', role: 'agent-users' };
    const [draft] = draftsOf(event);
    expect(draft).toMatchObject({ type: 'identity.expected', facts: { reason: 'agent-users' } });
    expect(draft!.facts).not.toHaveProperty('target_user');
  });

  it('keeps what no fact carries, a time in another zone among it', () => {
    const event = { ...EVENT, event: 'left', occurred_at: '2026-03-01T10:00:00+01:00', ticket: 'HR-7' };
    expect(draftsOf(event)[0]).toMatchObject({
      facts: { occurred_at: '2026-03-01T09:00:00Z' },
      claimed_subject: null,
      content: { source: 'hr', ticket: 'HR-7', occurred_at: '2026-03-01T10:00:00+01:00' },
    });
  });

  it.each([
    ['of no kind that is known', { ...EVENT, event: 'leaft' }, '/event'],
    ['without the role that it grants', { ...EVENT, event: 'role_granted' }, '/event'],
    ['of nobody', { ...EVENT, event: 'left', user: undefined }, '/user'],
    ['that expects a person and a role', { ...EVENT, event: 'expected', role: 'agent-users' }, '/event'],
    [
      'with a time that could be any',
      { ...EVENT, event: 'left', occurred_at: '2026-03-01 09:00' },
      '/occurred_at',
    ],
  ])('%s is kept in quarantine, with its place', (_, event, pointer) => {
    expect(expand(event)).toMatchObject([
      { kind: 'quarantined', item: { reason: 'item_shape_invalid', pointer } },
    ]);
  });
});

describe('synthetic SCIM', () => {
  it('a user has joined, was changed, or has left', () => {
    const meta = { created: '2026-03-01T09:00:00Z', lastModified: '2026-04-01T09:00:00Z' };
    const users = [
      read('scim-user'),
      read('scim-user', { meta }),
      read('scim-user', { active: false, meta }),
    ];
    expect(users.flatMap(told)).toEqual([
      ['identity.joined', 'ben@example.com', undefined],
      ['identity.changed', 'ben@example.com', undefined],
      ['identity.left', 'ben@example.com', undefined],
    ]);
    expect(users[2]![0]!.facts.occurred_at).toBe('2026-04-01T09:00:00Z');
    expect(users[0]![0]!.content).toEqual(BODIES.get('scim-user'));
  });

  it('a group is itself and a grant for each member', () => {
    const drafts = read('scim-group');
    expect(told(drafts)).toEqual([
      ['identity.changed', undefined, 'agent-users'],
      ['identity.role_granted', 'ben@example.com', 'agent-users'],
      ['identity.role_granted', '902c246b', 'agent-users'],
    ]);
    const { members, ...rest } = BODIES.get('scim-group')!;
    expect(drafts.map(({ content }) => content)).toEqual([
      rest,
      ...(members as object[]).map((member) => ({ member })),
    ]);
  });

  it('a patch of a user is a record for each thing that it does', () => {
    const drafts = read('scim-patch-user');
    expect(told(drafts)).toEqual([
      ['identity.left', 'ben@example.com', undefined],
      ['identity.role_revoked', 'ben@example.com', 'admin'],
      ['identity.role_revoked', 'ben@example.com', 'reviewer'],
      ['identity.changed', 'ben@example.com', undefined],
    ]);
    expect(drafts[0]!.facts).toMatchObject({
      source_event: 'scim.patch',
      claimed_user: 'okta',
      occurred_at: '2026-06-30T15:00:00Z',
    });
    expect(drafts.map(({ facts }) => facts.request_id)).toEqual([undefined, undefined, undefined, undefined]);
    expect(drafts[0]!.content).toMatchObject({ id: '2819c223' });
    const operations = BODIES.get('scim-patch-user')!['Operations'] as object[];
    expect(drafts.map(({ content }) => content?.['operation'])).toEqual([
      operations[0],
      operations[1],
      undefined,
      operations[2],
    ]);
    expect(new Set(drafts.map(({ natural_key }) => natural_key.join())).size).toBe(4);
  });

  it('a patch of a group grants to those it adds and revokes from those it removes', () => {
    expect(told(read('scim-patch-group'))).toEqual([
      ['identity.role_granted', 'cy@example.com', 'agent-users'],
      ['identity.role_revoked', '2819c223', 'agent-users'],
    ]);
  });

  it.each([
    ['no operations', []],
    ['an operation that is none', [7]],
    ['members without names', [{ op: 'add', path: 'members', value: [{}] }]],
    ['a path that is not known', [{ op: 'add', path: 'emails', value: 'x' }]],
  ])('a patch of %s has changed something', (_, Operations) => {
    const drafts = read('scim-patch-user', { Operations });
    expect(told(drafts)).toEqual([['identity.changed', 'ben@example.com', undefined]]);
    expect(drafts[0]!.content).toMatchObject({ id: '2819c223' });
  });
});

describe('synthetic audit rows of gateways', () => {
  it('of LiteLLM tell of keys and users', () => {
    expect(read('litellm-audit')).toMatchObject([
      {
        type: 'identity.key_created',
        source: 'gateway',
        facts: {
          source_event: 'LiteLLM_VerificationToken.created',
          gateway: 'litellm',
          occurred_at: '2026-03-02T08:00:00.123000Z',
          claimed_user: 'admin@example.com',
          target_user: 'ben@example.com',
          virtual_key: 'ben-laptop',
          team_id: 'platform',
          request_id: 'a5f0c7d2',
        },
        content: BODIES.get('litellm-audit'),
      },
    ]);
  });

  it.each([
    ['LiteLLM_VerificationToken', 'deleted', 'identity.key_revoked'],
    ['LiteLLM_VerificationToken', 'blocked', 'identity.key_revoked'],
    ['LiteLLM_VerificationToken', 'regenerated', 'identity.key_created'],
    ['LiteLLM_VerificationToken', 'updated', 'administration.changed'],
    ['LiteLLM_UserTable', 'created', 'identity.joined'],
    ['LiteLLM_UserTable', 'deleted', 'identity.left'],
    ['LiteLLM_ProxyModelTable', 'deleted', 'administration.changed'],
  ])('of LiteLLM in %s %s are %s', (table_name, action, type) => {
    expect(read('litellm-audit', { table_name, action }).map((draft) => draft.type)).toEqual([type]);
  });

  it('of LiteLLM are read where their columns are no JSON', () => {
    const [draft] = read('litellm-audit', { updated_values: '{"key_alias":"\\ud800"', before_value: '{' });
    expect(draft!.facts).toMatchObject({ virtual_key: '1e2f3a4b' });
  });

  it('of Bifrost tell of keys, and of nothing where they failed', () => {
    expect(read('bifrost-audit')[0]).toMatchObject({
      type: 'identity.key_revoked',
      facts: {
        gateway: 'bifrost',
        claimed_user: 'admin@example.com',
        virtual_key: 'ben-laptop',
        success: true,
      },
    });
    expect(read('bifrost-audit', { outcome: 'failure' })[0]).toMatchObject({
      type: 'administration.changed',
      facts: { success: false, reason: 'failure' },
    });
    expect(read('bifrost-audit', { action: 'authenticate', initiator: 'ada' })[0]).toMatchObject({
      type: 'auth.observed',
      facts: { claimed_user: 'ada' },
    });
  });
});
