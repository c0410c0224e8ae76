import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArguments } from './arguments.ts';
import { hunt, requireGreen } from './hunt.ts';
import { plant, type Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';
import { copyTree, missingTests, type TreeCopy } from './tree-copy.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('the planted defects', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    'apply to the tree as it is, with tests that exist: %s',
    async (_, mutant) => {
      const text = await readFile(join(ROOT, mutant.file), 'utf8');
      expect(plant(text, mutant)).not.toBe(text);
      expect(missingTests(mutant)).toEqual([]);
    },
  );

  it('have names that differ, and sentences', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, defect } of MUTANTS) {
      expect(name).toMatch(/^[a-z0-9_]+$/);
      expect(defect).toMatch(/^[A-Z].*\.$/);
    }
  });
});

const MUTANT: Mutant = {
  name: 'roots_are_joined_by_a_dot',
  defect: 'Keys of an archive are joined by a dot.',
  file: 'store/archive/archive-key.ts',
  find: "key.split('/').every(isSegment)",
  replace: "key.split('.').every(isSegment)",
  tests: ['test/store/archive/local/archive.test.ts'],
};

describe('a defect', () => {
  it('that no longer applies is an error, and so is one that would apply twice', () => {
    expect(() => plant('a b', { ...MUTANT, find: 'c' })).toThrow('0 times and not once');
    expect(() => plant('a b a', { ...MUTANT, find: 'a' })).toThrow('2 times and not once');
    expect(() => plant('a b', { ...MUTANT, find: 'a', replace: 'a' })).toThrow('changes nothing');
  });

  describe('in a copy of the tree', () => {
    let copy: TreeCopy;
    beforeAll(async () => {
      copy = await copyTree();
    });
    afterAll(() => copy.remove());
    const read = (dir: string) => readFile(join(dir, MUTANT.file), 'utf8');

    it('is caught by name, and neither the tree nor the copy keeps it', async () => {
      const before = await read(ROOT);
      await requireGreen(copy, [MUTANT]);
      const verdict = await hunt(copy, MUTANT);
      expect(verdict).toMatchObject({ kind: 'caught', detail: expect.stringContaining('Archive') as string });
      expect(await read(ROOT)).toBe(before);
      expect(await read(copy.dir)).toBe(before);
    });

    it('survives where no test looks', async () => {
      const harmless = {
        ...MUTANT,
        find: 'const MAX_KEY_LENGTH = 1024',
        replace: 'const MAX_KEY_LENGTH = 1025',
      };
      const tests = ['test/store/chain/merkle.test.ts'];
      expect(await hunt(copy, { ...harmless, tests })).toMatchObject({ kind: 'survived' });
    });

    it('is an error where its text is not TypeScript, or its tests do not exist', async () => {
      expect(await hunt(copy, { ...MUTANT, replace: '((' })).toMatchObject({ kind: 'error' });
      const tests = ['test/store/archive/absent.test.ts'];
      expect(await hunt(copy, { ...MUTANT, tests })).toMatchObject({ kind: 'error' });
    });
  });
});

describe('npm run mutants', () => {
  it('takes some by name, leaves out the slow ones, and refuses names that it does not know', () => {
    const [first] = MUTANTS;
    expect(readArguments(['--only', first!.name], MUTANTS)?.mutants).toEqual([first]);
    const quick = readArguments(['--quick'], MUTANTS)!.mutants;
    expect(quick).toEqual(MUTANTS.filter(({ isSlow }) => isSlow !== true));
    expect(quick.length).toBeLessThan(MUTANTS.length);
    expect(() => readArguments(['--only', 'nothing'], MUTANTS)).toThrow('does not know nothing');
    expect(readArguments(['--help'], MUTANTS)).toBeUndefined();
  });

  it('ends with 2 for arguments that it does not know', () => {
    const args = ['--import', 'tsx', 'test/mutants/main.ts', '--only', 'nothing'];
    const ended = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain('usage: npm run mutants');
  });
});
