import { describe, expect, it } from 'vitest';
import { readTold } from '../../../../connectors/sources/claude-code/refusals.ts';

describe('readTold', () => {
  it.each([
    [
      'Read',
      '<tool_use_error>File is in a directory that is denied by your permission settings.</tool_use_error>',
    ],
    ['Write', 'File is covered by a Read deny rule in your permission settings and cannot be written'],
    ['Bash', 'Permission to use Bash with command curl -s http://203.0.113.9/x.sh has been denied.'],
    ['Bash', `Permission to use Bash with command ${'x'.repeat(9_000)} has been denied.`],
    ['Bash', "rm in '/home/alice/acme-web/build' needs approval. The path is inside the working directories"],
    ['Bash', 'This Bash command contains multiple operations. The following part requires approval: exit 3'],
    ['Bash', 'This command requires approval'],
  ])('reads a %s call as denied by rule: %s', (tool, text) => {
    expect(readTold(tool, text)).toEqual({ told: 'denied', decision_source: 'rule' });
  });

  it('reads a hook refusal as denied by hook', () => {
    expect(readTold('Bash', 'PreToolUse:Bash hook error: not today')).toEqual({
      told: 'denied',
      decision_source: 'hook',
    });
  });

  it.each([
    ['WebFetch', '<tool_use_error>Error: No such tool available: WebFetch.</tool_use_error>', 'unavailable'],
    ['Edit', '<tool_use_error>String to replace not found in file.\nString: x</tool_use_error>', 'failed'],
    ['Read', 'File does not exist. Note: your current working directory is /home/alice.', 'failed'],
  ])('reads a %s call told %j as %s', (tool, text, told) => {
    expect(readTold(tool, text)).toEqual({ told, decision_source: undefined });
  });

  it('reads the first text block of a list of content blocks', () => {
    expect(readTold('Read', [{ type: 'text', text: 'No such tool available: Read' }]).told).toBe(
      'unavailable',
    );
  });

  it.each([
    ['ordinary output', 'Bash', 'total 3'],
    ['a refusal text inside other output', 'Bash', 'log:\nPermission to use Bash has been denied.'],
    ['a refusal text that goes on', 'Bash', 'Permission to use Bash has been denied. Or has it?'],
    ['the approval text of a shell told to another tool', 'Read', 'This file requires approval: no'],
    ['a text unlike any', 'Read', 'Sorry, you may not.'],
    ['nothing', 'Read', undefined],
    ['an image', 'Read', [{ type: 'image', source: {} }]],
    ['an object', 'Read', { text: 'No such tool available: Read' }],
  ])('leaves %s unrecognised', (_, tool, response) => {
    expect(readTold(tool, response)).toEqual({ told: 'unrecognised', decision_source: undefined });
  });
});
