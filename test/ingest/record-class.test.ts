import { describe, expect, it } from 'vitest';
import { createNormaliser } from '../../ingest/normalise.ts';
import { createOwnRecords } from '../../ingest/own-records.ts';
import { recordClassOf } from '../../ingest/record-class.ts';
import { createSurrogates } from '../../ingest/surrogates.ts';
import type { StatedFacts } from '../../schemas/record.ts';
import { recordedRequests } from '../connectors/sources/recorded.ts';

const surrogates = createSurrogates(new Uint8Array(32).fill(3));

function classOf(type: string, more: Partial<StatedFacts> = {}, content: object | null = null) {
  return recordClassOf({
    type,
    facts: { source_event: 'x', collector: 'laptop-1', ...more },
    content: content as null,
  });
}

describe('recordClassOf', () => {
  it.each([
    ['prompt.submitted', {}, 'content'],
    ['model.called', {}, 'content'],
    ['tool.completed', { tool_name: 'Bash' }, 'content'],
    ['tool.reported', { tool_name: 'Bash' }, 'content'],
    ['config.changed', {}, 'content'],
    ['change.merged', {}, 'content'],
    ['guard.decided', { tool_name: 'Bash' }, 'content'],
    ['tool.requested', { tool_name: 'Write' }, 'file'],
    ['permission.requested', { tool_name: 'Edit' }, 'file'],
    ['tool.measured', { tool_name: 'Read', file_path: '~/a' }, 'file'],
    ['event.observed', { file_path: '~/CLAUDE.md' }, 'file'],
    ['tool.reported', {}, 'file'],
    ['quarantined', {}, 'file'],
    ['administration.changed', {}, 'admin'],
    ['identity.role_granted', {}, 'admin'],
    ['access.changed', {}, 'admin'],
    ['protection.changed', {}, 'admin'],
    ['collector.heartbeat', {}, 'admin'],
    ['canary.sent', {}, 'admin'],
    ['archive.probed', { collector: 'affidavit' }, 'admin'],
    ['note.written', { collector: 'affidavit' }, 'admin'],
    ['keyboard.used', {}, 'content'],
  ] as const)('a record of type %s with %j is of class %s', (type, facts, name) => {
    expect(classOf(type, facts)).toBe(name);
  });

  it('a line of a transcript that repeats the result of a tool holds text of files', () => {
    expect(classOf('prompt.submitted', {}, { toolUseResult: { file: { content: 'x' } } })).toBe('file');
  });

  it('what the sequencer says itself is an administrative record', () => {
    const own = createOwnRecords({ surrogates })({
      type: 'ingest.counted',
      naturalKey: ['k'],
      received_at: '2026-11-21T09:00:00.000Z',
      facts: {},
    });
    expect(own.retention_class).toBe('admin');
  });

  it('in all recordings no result of a file tool is of another class than file', () => {
    const normalise = createNormaliser({ surrogates });
    const records = recordedRequests().flatMap(({ envelope }) => normalise(envelope).records);
    const withFileText = records.filter(({ content }) =>
      /"(?:originalFile|new_string|structuredPatch)\\?"/.test(JSON.stringify(content)),
    );
    expect(withFileText.length).toBeGreaterThan(5);
    expect(new Set(withFileText.map(({ retention_class }) => retention_class))).toEqual(new Set(['file']));
    const classes = records.map(({ retention_class }) => retention_class);
    expect(classes.filter((name) => name === 'content').length).toBeGreaterThan(classes.length / 2);
  });
});
