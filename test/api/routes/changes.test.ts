import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from '../../../schemas/change.ts';
import type { Problem } from '../../../schemas/problem.ts';
import type { RecordStore } from '../../../store/records/record-store.ts';
import { openApiStack, type ApiStack } from '../../support/api-stack.ts';
import { chdbPlace } from '../../support/chdb-store.ts';
import { at, commitId, forgeStory, REPOSITORY } from '../../support/forge-story.ts';
import { openApiJudge } from '../../support/openapi-judge.ts';
import { readAll } from '../../support/read-all.ts';
import { sealedRows } from '../../support/sealed-rows.ts';

let place: Awaited<ReturnType<typeof chdbPlace>>;
let store: RecordStore;
let stack: ApiStack;

beforeAll(async () => {
  place = await chdbPlace();
  store = await place.open();
  const story = forgeStory();
  for (const [n, id] of ['a1', 'a2', 'a3'].entries()) {
    story.agentCommits(n, commitId(id), { session: `s-${n}` });
  }
  const pull = { number: 7, head: 'a2' };
  story.pushed(5, 'topic-7', ['a2']);
  story.pull(6, 'opened', pull);
  story.reviewed(7, pull, { id: 1, reviewer: 'bob', state: 'approved' });
  story.merged(8, { ...pull, as: 'ff' });
  await store.insert('p0', sealedRows(story.records), 'bundle-0');
  stack = await openApiStack(store);
});
afterAll(async () => {
  await stack.close();
  await store.close();
  await place.remove();
});

describe('changes', () => {
  it('are answered as the document of the API describes them', async () => {
    const answer = await stack.get('/v1/changes');
    (await openApiJudge(stack.app)).expectAnswer('get', '/v1/changes', answer);
    const states = answer.json<{ data: Change[] }>().data.map(({ state }) => state);
    expect(states).toEqual(['not_pushed', 'approved', 'not_pushed']);
  });

  it('come each once in pages', async () => {
    const whole = await readAll<Change>(stack, '/v1/changes');
    expect(await readAll<Change>(stack, '/v1/changes?limit=1')).toEqual(whole);
  });

  it.each([
    ['session_id=s-1', ['a2']],
    [`git_commit_id=${commitId('a3')}`, ['a3']],
    [`repository=${encodeURIComponent(REPOSITORY)}`, ['a2']],
    ['state=not_pushed', ['a1', 'a3']],
    [`from=${at(1)}&to=${at(2)}`, ['a2']],
  ])('can be narrowed by %s', async (query, commits) => {
    const found = await readAll<Change>(stack, `/v1/changes?${query}`);
    expect(found.map(({ git_commit_id }) => git_commit_id)).toEqual(commits.map(commitId));
  });

  it('refuse a state that is none and an interval that holds nothing', async () => {
    for (const query of ['state=fine', `from=${at(2)}&to=${at(2)}`]) {
      const problem = (await stack.get(`/v1/changes?${query}`)).json<Problem>();
      expect(problem.code).toBe('PARAMETER_INVALID');
    }
  });
});
