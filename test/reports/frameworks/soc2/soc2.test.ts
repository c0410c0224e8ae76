import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Control, ExceptionRow, PopulationRow, Scope } from '../../../../reports/controls/control.ts';
import { SOC2 } from '../../../../reports/frameworks/soc2/soc2.ts';
import type { StatedFacts } from '../../../../schemas/record.ts';
import { deniedCall, executedCall, rowsOf, session, type Draft } from '../../agent-week.ts';
import { commitId, forgeStory } from '../../../support/forge-story.ts';
import { openTestStore, type TestStore } from '../../support.ts';

const controlOf = (id: string): Control => SOC2.controls.find((control) => control.id === id)!;
const period = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };

describe('the catalogue', () => {
  it('has ids of its own for controls, populations and rules', () => {
    const ids = SOC2.controls.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const control of SOC2.controls) {
      for (const named of [control.populations, control.rules]) {
        expect(new Set(named.map(({ id }) => id)).size).toBe(named.length);
      }
    }
  });

  it('speaks only of populations that it draws, and of statistics that are known', () => {
    for (const control of SOC2.controls) {
      const drawn = control.populations.map(({ id }) => id);
      expect(drawn).toEqual(expect.arrayContaining([...control.activity]));
      expect(drawn).toEqual(expect.arrayContaining(control.needed.map(({ population }) => population)));
      expect(control.required_statistics.every((id) => /^S[1-9]$/.test(id))).toBe(true);
      expect(control.not_proven.length).toBeGreaterThan(0);
      for (const population of control.populations) expect(population.columns.at(-1)).toBe('record_ids');
    }
  });

  it('never says that anything is compliant', () => {
    expect(JSON.stringify(SOC2.controls)).not.toMatch(/complian/i);
  });
});

describe('the questions of the catalogue', () => {
  let store: TestStore;
  let size: number;

  beforeAll(async () => {
    store = await openTestStore();
  });
  afterAll(() => store.dispose());

  async function fill(drafts: readonly Draft[], start?: string): Promise<void> {
    await store.clear();
    const rows = rowsOf(drafts, start);
    size = rows.length;
    await store.insert('p0', rows, 'bundle');
  }
  const scope = (treeSize = size): Scope => ({ period, log: 'p0', tree_size: treeSize });
  const find = (control: string, rule: string): Promise<ExceptionRow[]> =>
    store.read(
      controlOf(control)
        .rules.find(({ id }) => id === rule)!
        .rows(scope(), 100),
    );
  async function draw(control: string, id: string, at = scope(), limit = 1000): Promise<PopulationRow[]> {
    const population = controlOf(control).populations.find((each) => each.id === id)!;
    const rows: PopulationRow[] = [];
    for (;;) {
      const page: PopulationRow[] = await store.read(population.page(at, { after: rows.at(-1), limit }));
      rows.push(...page);
      if (page.length < limit) return rows;
    }
  }
  const hook = (type: string, facts: Partial<StatedFacts>, content?: Draft['content']): Draft => ({
    type,
    source: 'hook',
    facts,
    ...(content === undefined ? {} : { content }),
  });

  it('find nothing in an ordinary session', async () => {
    const calls = [
      ...executedCall('s1', 't1'),
      ...deniedCall('s1', 't2'),
      ...executedCall('s1', 't3', { tool_name: 'Write', file_path: '/repo/src/a.ts' }),
      ...executedCall('s1', 't4', { tool_name: 'Bash', git_commit_id: 'abc' }),
    ];
    await fill(session('s1', calls));
    for (const control of SOC2.controls) {
      for (const rule of control.rules) {
        expect(await store.read(rule.rows(scope(), 100)), `${control.id} ${rule.id}`).toEqual([]);
      }
    }
  });

  it('find a session in bypassPermissions mode once, with its first and last record that shows it', async () => {
    const calls = [1, 2, 3].flatMap((n) =>
      executedCall('s1', `t${n}`, { permission_mode: 'bypassPermissions' }),
    );
    await fill([
      ...session('s1', calls),
      ...session('s2', executedCall('s2', 't9', { permission_mode: 'plan' })),
    ]);
    const rows = await find('CC6.1', 'bypass-permissions-mode');
    expect(rows.map(({ session_id }) => session_id)).toEqual(['s1']);
    expect(rows[0]!.record_ids).toHaveLength(2);
  });

  it('find a call that was rejected and ran', async () => {
    await fill([...deniedCall('s1', 't1'), hook('tool.completed', { session_id: 's1', tool_use_id: 't1' })]);
    const rows = await find('CC6.1', 'rejected-but-executed');
    expect(rows).toEqual([
      { session_id: 's1', tool_use_id: 't1', record_ids: expect.any(Array) as string[] },
    ]);
    expect(rows[0]!.record_ids).toHaveLength(3);
  });

  it('find sessions that nobody is named in, and do not take an installation id for a person', async () => {
    const anonymous = { claimed_user: '7c3d', claimed_user_source: 'user.id' };
    await fill([
      ...session('s-named', executedCall('s-named', 't1')),
      hook('tool.requested', { session_id: 's-nobody', tool_use_id: 't2' }),
      { type: 'model.called', source: 'otel', facts: { session_id: 's-install', ...anonymous } },
      hook('session.started', { session_id: 's-idle' }),
    ]);
    const rows = await find('CC6.1', 'no-resolvable-person');
    expect(rows.map(({ session_id }) => session_id)).toEqual(['s-install', 's-nobody']);
  });

  it.each<[string, Draft]>([
    [
      'a hook',
      hook(
        'tool.requested',
        { session_id: 's', tool_use_id: 't' },
        { tool_input: { dangerouslyDisableSandbox: true } },
      ),
    ],
    [
      'telemetry',
      {
        type: 'tool.decided',
        source: 'otel',
        facts: { session_id: 's', tool_use_id: 't' },
        content: { attributes: { tool_parameters: '{"dangerouslyDisableSandbox":true}' } },
      },
    ],
  ])('find a command outside the sandbox as %s tells it', async (_, draft) => {
    await fill([draft]);
    expect(await find('CC6.1', 'sandbox-disabled')).toHaveLength(1);
  });

  it('do not take text that speaks of the sandbox for a command outside of it', async () => {
    const text = '{"dangerouslyDisableSandbox": true}';
    await fill([
      hook('prompt.submitted', { session_id: 's' }, { prompt: text }),
      hook('tool.requested', { session_id: 's', tool_use_id: 't' }, { tool_input: { content: text } }),
      hook(
        'tool.requested',
        { session_id: 's', tool_use_id: 'u' },
        { tool_input: { dangerouslyDisableSandbox: false } },
      ),
    ]);
    expect(await find('CC6.1', 'sandbox-disabled')).toEqual([]);
  });

  it('find hook runs with errors that did not block', async () => {
    const run = (hook_error_count: number): Draft => ({
      type: 'hook.executed',
      source: 'otel',
      facts: { session_id: 's', hook_error_count },
    });
    await fill([run(0), run(1), run(2)]);
    expect(await find('CC6.1', 'hook-error-not-blocking')).toHaveLength(2);
  });

  it.each([
    ['/repo/.claude/settings.json', true],
    ['/repo/.claude/settings.local.json', true],
    ['.claude/hooks/check.sh', true],
    ['~/acme/.claude/settings.json', true],
    ['~other/.mcp.json', true],
    ['//~/acme/.github/workflows/ci.yml', true],
    ['/etc/claude-code/managed-settings.json', true],
    ['/repo/.mcp.json', true],
    ['C:\\repo\\.github\\workflows\\ci.yml', true],
    ['/repo/.gitlab-ci.yml', true],
    ['~/.claude.json', true],
    ['/etc/claude-code/managed-settings.d/50-x.json', true],
    ['/etc/claude-code/managed-mcp.json', true],
    ['/repo/.claude/plugins/p/hooks/hooks.json', true],
    ['/repo/.github/actions/a/action.yml', true],
    ['/repo/.gitlab/ci/build.yml', true],
    ['C:\\src\\app\\.claude.\\settings.json', true],
    ['C:\\src\\app\\.mcp.json. ', true],
    ['C:\\src\\app\\.mcp.json::$DATA', true],
    ['./C:.mcp.json', true],
    ['/repo/.claude/settings.json.md', false],
    ['/repo/my.claude.json', false],
    ['/repo/docs/claude/settings.json', false],
    ['/repo/.claude/CLAUDE.md', false],
    ['/repo/src/workflows/ci.yml', false],
  ])('judge whether %s steers agents: %s', async (file_path, isGuardrail) => {
    await fill(session('s', executedCall('s', 't', { tool_name: 'Edit', file_path })));
    expect(await find('CC8.1', 'guardrail-changed-by-agent')).toHaveLength(isGuardrail ? 1 : 0);
  });

  it.each([
    ['the id of the call', { session_id: 's' }],
    ['the session', { tool_use_id: 't' }],
  ])('find a guardrail that was changed though its report lacks %s', async (_, facts) => {
    await fill([
      hook('tool.completed', { ...facts, tool_name: 'Edit', file_path: '~/r/.claude/settings.json' }),
    ]);
    expect(await find('CC8.1', 'guardrail-changed-by-agent')).toHaveLength(1);
  });

  it('count no approval, deployment or merge that others report for a merge of the forge', async () => {
    const draft = (source: Draft['source'], type: string, more: Draft['facts'] = {}): Draft => ({
      type,
      source,
      facts: { change_id: '1', git_commit_id: 'abc', ...more },
    });
    await fill([
      draft('forge', 'change.reviewed', { decision: 'approved' }),
      draft('native', 'change.deployed'),
      draft('native', 'change.merged'),
    ]);
    expect(await draw('CC8.1', 'forge-merges')).toEqual([]);
    expect(await draw('CC8.1', 'approvals-and-deployments')).toHaveLength(3);
    await fill([draft('forge', 'change.merged')]);
    expect(await draw('CC8.1', 'forge-merges')).toHaveLength(1);
  });

  it('do not count a change of a guardrail that was denied', async () => {
    const facts = {
      session_id: 's',
      tool_use_id: 't',
      tool_name: 'Edit',
      file_path: '/r/.claude/settings.json',
    };
    await fill([
      hook('tool.requested', facts),
      { type: 'tool.decided', source: 'otel', facts: { ...facts, decision: 'reject' } },
    ]);
    expect(await find('CC8.1', 'guardrail-changed-by-agent')).toEqual([]);
  });

  it.each([
    ['git commit --no-verify -m "x"', true],
    ['cd /repo && git push --no-verify', true],
    ['git commit -m "fix; more & | others" --no-verify', true],
    ["git commit -m 'fix; it' --no-verify && git push", true],
    ['git commit -m "a \\"quoted; word\\"" --no-verify', true],
    ['git commit --no-verif -m x', true],
    ['git commit --no-veri', true],
    ['git commit "--no-verify" -m x', true],
    ["git commit '--no-verify'", true],
    ['git commit -m x \\\n  --no-verify', true],
    ['git commit -m "never use --no-verify"', false],
    ["git log --grep='--no-verify'", false],
    ['git merge --no-verify-signatures topic', false],
    ['git commit -m "x"; echo --no-verify', false],
    ['legit --no-verify', false],
  ])('judge whether %s skips checks: %s', async (command, isSkipped) => {
    const facts = { session_id: 's', tool_use_id: 't', tool_name: 'Bash' };
    await fill([hook('tool.requested', facts, { tool_input: { command } })]);
    expect(await find('CC8.1', 'checks-skipped')).toHaveLength(isSkipped ? 1 : 0);
  });

  it('find a merge that nobody but its author approved', async () => {
    const forge = (type: string, facts: Draft['facts']): Draft => ({ type, source: 'forge', facts });
    const merged = (change_id: string) => forge('change.merged', { change_id, git_commit_id: 'abc' });
    const reviewed = (change_id: string, claimed_user: string, decision: string) =>
      forge('change.reviewed', { change_id, claimed_user, target_user: 'ann', decision });
    await fill([
      ...[reviewed('a/b#1', 'bob', 'approved'), merged('a/b#1')],
      ...[reviewed('a/b#2', 'ann', 'approved'), merged('a/b#2')],
      ...[reviewed('a/b#3', 'bob', 'changes_requested'), merged('a/b#3')],
      merged('a/b#4'),
    ]);
    expect(await find('CC8.1', 'merge-without-independent-approval')).toHaveLength(3);
    expect(await draw('CC8.1', 'agent-commits')).toEqual([]);
  });

  it('find the commits of agents that were merged without review, or whose review came too early', async () => {
    const story = forgeStory();
    const pull = (number: number, head: string) => ({ number, head, author: 'ann' });
    const commit = (minute: number, id: string) => story.agentCommits(minute, commitId(id), { session: id });
    const approved = (n: number, head: string, reviewer = 'bob') =>
      story.reviewed(10 + n, pull(n, head), { id: n, reviewer, state: 'approved' });
    for (const [n, id] of ['a1', 'a2', 'a3', 'a4'].entries()) {
      commit(n, id);
      story.pushed(5 + n, `topic-${n + 1}`, [id]);
    }
    approved(1, 'a1');
    approved(2, 'a2', 'ann');
    approved(3, 'a3');
    for (const [n, head] of ['a1', 'a2', 'b3'].entries()) {
      story.merged(20 + n, { ...pull(n + 1, head), as: `f${n}` });
    }
    commit(30, 'a5');
    story.pushed(31, 'master', ['a5']);
    await fill(story.records);
    const found = async (rule: string) => (await find('CC8.1', rule)).map(({ session_id }) => session_id);
    expect(await found('agent-commit-merged-without-independent-approval')).toEqual(['a2']);
    expect(await found('approval-before-last-push')).toEqual(['a3']);
    expect(await found('agent-commit-pushed-to-default-branch')).toEqual(['a5']);
    expect(await find('CC8.1', 'merge-without-independent-approval')).toHaveLength(1);
    const drawn = await draw('CC8.1', 'agent-changes');
    expect(drawn.map((row) => row['state'])).toEqual([
      'approved',
      'merged_without_independent_approval',
      'approved_before_last_push',
      'not_proposed',
      'pushed_to_default_branch',
    ]);
    const figure = controlOf('CC8.1').figures[1]!(scope());
    expect(await store.read(figure)).toContainEqual({ name: 'agent commits approved', value: '1' });
  });

  it('do not count an approval that was dismissed before the merge', async () => {
    const story = forgeStory();
    const pull = { number: 1, head: 'a1' };
    story.reviewed(1, pull, { id: 1, reviewer: 'bob', state: 'approved' });
    story.reviewed(2, pull, { id: 1, reviewer: 'bob', state: 'dismissed', by: 'ann' });
    story.merged(3, { ...pull, as: 'ff' });
    await fill(story.records);
    expect(await find('CC8.1', 'merge-without-independent-approval')).toHaveLength(1);
  });

  it('find a commit that no session is named for', async () => {
    await fill([
      { type: 'tool.measured', source: 'otel', facts: { git_commit_id: 'abc' } },
      { type: 'tool.measured', source: 'otel', facts: { git_commit_id: 'def', session_id: 's' } },
    ]);
    expect(await find('CC8.1', 'commit-without-session')).toHaveLength(1);
  });

  it('draw the same rows in pages of any size', async () => {
    const sessions = Array.from({ length: 7 }, (_, n) =>
      session(`s${n}`, [
        ...executedCall(`s${n}`, `t${n}`, { tool_name: 'Write', file_path: `/r/${n}` }),
        ...executedCall(`s${n}`, `u${n}`, { tool_name: 'Bash', git_commit_id: `c${n % 3}` }),
      ]),
    );
    await fill(sessions.flat());
    for (const control of SOC2.controls) {
      for (const { id } of control.populations) {
        const whole = await draw(control.id, id);
        expect(await draw(control.id, id, scope(), 2), `${control.id} ${id}`).toEqual(whole);
      }
    }
    expect(await draw('CC6.1', 'sessions')).toHaveLength(7);
    expect(await draw('CC6.1', 'tool-calls')).toHaveLength(14);
    expect(await draw('CC8.1', 'file-changes')).toHaveLength(7);
    expect(await draw('CC8.1', 'agent-commits')).toHaveLength(3);
  });

  it('name as members exactly the records that the rows name', async () => {
    await fill([
      ...session('s1', [
        ...executedCall('s1', 't1', { tool_name: 'Write', file_path: '/r/a' }),
        ...deniedCall('s1', 't2'),
      ]),
      ...executedCall('', 't3', { git_commit_id: 'c1' }),
    ]);
    const ids = await store.read<{ leaf_index: number; id: string }>({
      name: 'ids',
      sql: 'SELECT leaf_index, id FROM records ORDER BY leaf_index',
      params: {},
    });
    for (const control of SOC2.controls) {
      for (const population of control.populations.filter(({ members }) => members !== undefined)) {
        const rows = await draw(control.id, population.id);
        const named = rows.flatMap(({ record_ids }) => record_ids).sort();
        const members = await store.read(population.members!(scope(), { from_index: 0, to_index: size }));
        const found = members.map(({ leaf_index }) => ids[leaf_index]!.id).sort();
        expect(found, `${control.id} ${population.id}`).toEqual(named);
      }
    }
  });

  it('see nothing above the checkpoint', async () => {
    await fill([...session('s1', executedCall('s1', 't1')), ...session('s2', executedCall('s2', 't2'))]);
    const below = scope(size / 2);
    expect((await draw('CC6.1', 'sessions', below)).map((row) => row['session_id'])).toEqual(['s1']);
    expect((await draw('CC6.1', 'tool-calls', below)).map((row) => row['tool_use_id'])).toEqual(['t1']);
  });

  it('see a half-open period', async () => {
    const one: Draft = { type: 'config.resolved', source: 'otel', facts: { session_id: 's' } };
    await fill([one], '2026-03-01T00:00:00.000Z');
    expect(await draw('CC6.1', 'configuration')).toHaveLength(1);
    await fill([one], '2026-04-01T00:00:00.000Z');
    expect(await draw('CC6.1', 'configuration')).toHaveLength(0);
    await fill([one], '2026-03-31T23:59:59.999Z');
    expect(await draw('CC6.1', 'configuration')).toHaveLength(1);
  });
});
