import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import type { DraftRecord } from '../connectors/drafts/source.ts';
import { recordedRequests, expandEnvelope } from './connectors/sources/recorded.ts';

const FILE = join(import.meta.dirname, '../docs/coverage.md');
const WITNESSES = ['hook', 'otel', 'gateway', 'transcript'] as const;
const OF_CALLS = /^(?:tool\.|permission\.)/;

const HEAD = `# Coverage

The events that each witness reported, in each recording of \`connectors/simulation/recordings\`. \`npm run docs\` writes this page and the tests compare it: if a cell changes, the connectors read something else.

An event that no witness reports did not happen in the recording, or none of them can see it.
`;

/** The drafts of each recording, each event once however often it was told. */
function draftsByRecording(): Map<string, DraftRecord[]> {
  const byRecording = new Map<string, Map<string, DraftRecord>>();
  for (const { recording, envelope } of recordedRequests()) {
    const drafts = byRecording.get(recording) ?? new Map<string, DraftRecord>();
    byRecording.set(recording, drafts);
    for (const one of expandEnvelope(envelope)) {
      if (one.kind === 'draft') drafts.set(JSON.stringify(one.draft.natural_key), one.draft);
    }
  }
  return new Map([...byRecording].map(([name, drafts]) => [name, [...drafts.values()]]));
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** Each tool call, and the types of record that each witness has of it. */
function callTable(drafts: readonly DraftRecord[]): string {
  const calls = new Map<string, DraftRecord[]>();
  for (const draft of drafts) {
    const id = draft.facts.tool_use_id;
    if (id !== undefined && OF_CALLS.test(draft.type)) calls.set(id, [...(calls.get(id) ?? []), draft]);
  }
  const rows = [...calls].map(([id, of]) => {
    const name = of.find(({ facts }) => facts.tool_name !== undefined)?.facts.tool_name ?? '';
    const cells = WITNESSES.map((witness) => {
      const told = of
        .filter(({ source }) => source === witness)
        .map(({ type, facts }) =>
          [type, facts.told ?? facts.decision].filter((word) => word !== undefined).join(': '),
        );
      return [...new Set(told)].sort().join(', ');
    });
    return [`\`${id}\``, name, ...cells];
  });
  return table(['tool call', 'tool', ...WITNESSES], rows);
}

/** How many records of each other type each witness has. */
function typeTable(drafts: readonly DraftRecord[]): string {
  const others = drafts.filter(({ type }) => !OF_CALLS.test(type));
  const types = [...new Set(others.map(({ type }) => type))].sort();
  const rows = types.map((type) => [
    `\`${type}\``,
    ...WITNESSES.map((witness) => {
      const count = others.filter((draft) => draft.type === type && draft.source === witness).length;
      return count === 0 ? '' : String(count);
    }),
  ]);
  return table(['records of type', ...WITNESSES], rows);
}

describe('docs/coverage.md', () => {
  it('shows the events that each witness reported in each recording', async () => {
    const parts = [...draftsByRecording()].map(
      ([name, drafts]) => `## ${name}\n\n${callTable(drafts)}\n\n${typeTable(drafts)}\n`,
    );
    const options = await resolveConfig(FILE);
    const text = await format([HEAD, ...parts].join('\n'), { ...options, parser: 'markdown' });
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(FILE, text);
    expect(await readFile(FILE, 'utf8')).toBe(text);
  });
});
