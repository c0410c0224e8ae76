import { describe, expect, it } from 'vitest';
import { filePathOf } from '../../../connectors/drafts/tool-facts.ts';

describe('the file of a tool call', () => {
  it.each([
    ['Write', { file_path: '/a/b.ts' }, '/a/b.ts'],
    ['MultiEdit', { file_path: '/a/b.ts', edits: [] }, '/a/b.ts'],
    ['NotebookEdit', { notebook_path: '/a/b.ipynb' }, '/a/b.ipynb'],
    ['Write', { file_path: '/a/./b.ts' }, '/a/./b.ts'],
    ['Bash', { file_path: '/a/b.ts' }, undefined],
    ['Write', { file_path: '' }, undefined],
    ['Write', { file_path: 7 }, undefined],
  ])('of %s with %j is %j', (tool, input, path) => {
    expect(filePathOf(tool, input)).toBe(path);
  });

  it.each([
    ['/repo/', './', '/repo/.claude/settings.json'],
    ['/repo/', '/', '/repo/.claude/settings.json'],
    ['/repo/', 'x/../', '/repo/.claude/settings.json'],
    ['C:\\repo\\', '.\\', 'C:\\repo\\.claude\\settings.json'],
  ])('behind %j is found through any number of detours %j', (folder, detour, found) => {
    const name = folder.includes('\\') ? '.claude\\settings.json' : '.claude/settings.json';
    expect(filePathOf('Write', { file_path: `${folder}${detour.repeat(5_000)}${name}` })).toBe(found);
  });

  it('has no fact where its path is too long without detours', () => {
    expect(filePathOf('Write', { file_path: `/${'a/'.repeat(4_096)}b` })).toBeUndefined();
  });
});
