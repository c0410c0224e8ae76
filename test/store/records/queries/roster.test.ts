import { describe, expect, it } from 'vitest';
import type { AuditRecord, StatedFacts } from '../../../../schemas/record.ts';
import { rosterCounts, rosterDifferences } from '../../../../store/records/queries/roster.ts';
import { useQueryStore } from '../../../support/query-store.ts';
import { auditRecord } from '../../../support/sealed-rows.ts';

const store = useQueryStore();
const day = (number: number) => new Date(Date.UTC(2026, 2, number)).toISOString();
let names = 0;

function fed(type: string, facts: Partial<StatedFacts>, onDay = 1): AuditRecord {
  names += 1;
  return auditRecord(`fed ${String(names)}`, {
    type: `identity.${type}`,
    source: 'identity',
    received_at: day(onDay),
    facts: { occurred_at: day(onDay), ...facts },
  });
}
function seen(claimed_user: string, onDay = 10): AuditRecord {
  names += 1;
  return auditRecord(`seen ${String(names)}`, {
    source: 'otel',
    received_at: day(onDay),
    facts: { claimed_user },
  });
}
const ada = { target_user: 'ada@example.com' };
const ben = { target_user: 'ben@example.com' };
const MARCH = { from: day(2), to: day(31) };

async function differences(records: readonly AuditRecord[], period = MARCH) {
  await store.fill(records);
  const rows = await store.read(rosterDifferences({ ...period, limit: 100 }));
  return rows.map(({ person, is_expected }) => `${is_expected ? 'missing' : 'beside'} ${person}`);
}

/** Events of the feed, records of people, and how expected and seen people differ. */
const ROSTERS: [string, AuditRecord[], string[]][] = [
  ['expected and seen', [fed('expected', ada), seen('ada@example.com')], []],
  ['seen under another spelling', [fed('expected', ada), seen('Ada@Example.com')], []],
  [
    'expected and not seen',
    [fed('expected', ada), fed('expected', ben), seen('ada@example.com')],
    ['missing ben@example.com'],
  ],
  ['excused', [fed('expected', ada), fed('excused', ada, 3)], []],
  [
    'excused and expected again',
    [fed('expected', ada), fed('excused', ada, 3), fed('expected', ada, 4)],
    ['missing ada@example.com'],
  ],
  ['gone', [fed('expected', ada), fed('left', ada, 3)], []],
  [
    'gone and back',
    [fed('expected', ada), fed('left', ada, 3), fed('joined', ada, 4)],
    ['missing ada@example.com'],
  ],
  ['on the roster after the period', [fed('expected', ada, 31)], []],
  [
    'an earlier event that arrives late',
    [fed('excused', { ...ada, occurred_at: day(5) }, 6), fed('expected', { ...ada, occurred_at: day(4) }, 7)],
    [],
  ],
  [
    'a member of an expected role',
    [
      fed('expected', { reason: 'agent-users' }),
      fed('role_granted', { ...ada, reason: 'agent-users' }),
      fed('role_granted', { ...ben, reason: 'others' }),
    ],
    ['missing ada@example.com'],
  ],
  [
    'no member any more',
    [
      fed('expected', { reason: 'agent-users' }),
      fed('role_granted', { ...ada, reason: 'agent-users' }),
      fed('role_revoked', { ...ada, reason: 'agent-users' }, 3),
    ],
    [],
  ],
  [
    'an excused member',
    [
      fed('expected', { reason: 'agent-users' }),
      fed('role_granted', { ...ada, reason: 'agent-users' }),
      fed('excused', ada, 3),
    ],
    [],
  ],
  [
    'a role that is expected no longer',
    [
      fed('expected', { reason: 'agent-users' }),
      fed('role_granted', { ...ada, reason: 'agent-users' }),
      fed('excused', { reason: 'agent-users' }, 3),
    ],
    [],
  ],
  ['the holder of a key', [fed('key_created', { ...ada, virtual_key: 'k1' })], ['missing ada@example.com']],
  [
    'the holder of two keys, one revoked',
    [
      fed('key_created', { ...ada, virtual_key: 'k1' }),
      fed('key_created', { ...ada, virtual_key: 'k2' }),
      fed('key_revoked', { ...ada, virtual_key: 'k1' }, 3),
    ],
    ['missing ada@example.com'],
  ],
  [
    'the holder of a revoked key',
    [fed('key_created', { ...ada, virtual_key: 'k1' }), fed('key_revoked', { ...ada, virtual_key: 'k1' }, 3)],
    [],
  ],
  [
    'seen beside the roster',
    [fed('expected', ada), seen('ada@example.com'), seen('eve@example.com')],
    ['beside eve@example.com'],
  ],
  [
    'seen outside the period',
    [fed('expected', ada), seen('ada@example.com', 1)],
    ['missing ada@example.com'],
  ],
];

describe('the roster', () => {
  it.each(ROSTERS)('is compared with the people who were seen: %s', async (_, records, expected) => {
    expect(await differences(records)).toEqual(expected);
  });

  it('is counted', async () => {
    await store.fill([
      fed('expected', ada),
      fed('expected', ben),
      seen('ada@example.com'),
      seen('eve@example.com'),
    ]);
    expect(await store.read(rosterCounts(MARCH))).toEqual([
      { expected_count: 2, seen_expected_count: 1, seen_count: 2 },
    ]);
  });

  it('is limited to a checkpoint if one is given', async () => {
    await store.fill([fed('expected', ada), fed('excused', ada, 3)]);
    expect(await store.read(rosterDifferences({ ...MARCH, below: 1, limit: 9 }))).toHaveLength(1);
  });
});
