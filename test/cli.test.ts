/** Failures at the command line: exit code and advice. Runs the built program. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '../main.ts');
let data: string;

beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'affidavit-usage-'));
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

function run(...args: string[]) {
  const env = { PATH: process.env['PATH'], AFFIDAVIT_DATA: data };
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    env,
    encoding: 'utf8',
  });
  return { status, stderr };
}

describe('a command that was called wrongly', () => {
  it.each<[string, string[], number, string, string]>([
    ['a path that is not there', ['verify', '/nonexist'], 1, 'NOT_FOUND', 'evidence package (ZIP)'],
    ['a key that is none', ['verify', '/tmp', '--key', 'foo'], 2, 'USAGE_INVALID', 'affidavit init'],
    ['days that are no number', ['simulate', '--days', 'x'], 2, '--days must be an integer', '--help'],
    ['no admin token', ['report', '--url', 'http://127.0.0.1:1'], 2, 'AFFIDAVIT_ADMIN_TOKEN', 'first run'],
    ['no collector token', ['canary', '--to', 'http://127.0.0.1:1'], 2, 'AFFIDAVIT_COLLECTOR_TOKEN', 'NAME'],
  ])(
    'ends for %s with the right exit code and advice',
    (_, args, status, text, hint) => {
      const ended = run(...args);
      expect(ended.status).toBe(status);
      expect(ended.stderr).toContain(text);
      expect(ended.stderr).toContain(hint);
      expect(ended.stderr).not.toMatch(/config check|openapi/);
    },
    60_000,
  );

  it('ends with exit code 2 for a collector that exists already', () => {
    expect(run('init', '--collector', 'jdoe').status).toBe(0);
    const again = run('init', '--collector', 'jdoe');
    expect(again.status).toBe(2);
    expect(again.stderr).toContain('choose another name');
  }, 60_000);
});
