import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROTECTED_BRANCHES } from '../../../../ingest/hook/guards/destructive.ts';
import { readGuards } from '../../../../ingest/hook/guards/settings.ts';
import { makeTempDir } from '../../../support/server.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
beforeEach(async () => {
  folder = await makeTempDir();
});
afterEach(() => folder.remove());

function read(text: string) {
  const path = join(folder.path, 'guards.json');
  writeFileSync(path, text);
  return readGuards(path);
}

describe('the file of guards', () => {
  it('turns on what it names', () => {
    expect(read('{"guards":{"secret_files":{"mode":"deny"},"personal_data":{"mode":"report"}}}')).toEqual({
      modes: { secret_files: 'deny', personal_data: 'report' },
      protectedBranches: PROTECTED_BRANCHES,
    });
    expect(read('{"guards":{"destructive":{"mode":"ask","protected_branches":["live","team-*"]}}}')).toEqual({
      modes: { destructive: 'ask' },
      protectedBranches: ['live', 'team-*'],
    });
    expect(read('{"guards":{}}')).toMatchObject({ modes: {} });
  });

  it.each([
    '',
    '[]',
    'null',
    '{}',
    '{"guards":[]}',
    '{"guards":{},"more":1}',
    '{"guards":{"secret_file":{"mode":"deny"}}}',
    '{"guards":{"secret_files":"deny"}}',
    '{"guards":{"secret_files":{}}}',
    '{"guards":{"secret_files":{"mode":"allow"}}}',
    '{"guards":{"secret_files":{"mode":"deny","protected_branches":[]}}}',
    '{"guards":{"destructive":{"mode":"deny","protected_branches":"main"}}}',
    '{"guards":{"destructive":{"mode":"deny","protected_branches":["*"]}}}',
    '{"guards":{"destructive":{"mode":"deny","protected_branches":["a*b"]}}}',
    '{"guards":{"destructive":{"mode":"deny","protected_branches":[7]}}}',
  ])('is invalid as a whole when it is %s', (text) => {
    expect(read(text)).toBe('guards_invalid');
  });

  it('is unreadable when it is not there', () => {
    expect(readGuards(join(folder.path, 'absent.json'))).toBe('guards_unreadable');
  });
});
