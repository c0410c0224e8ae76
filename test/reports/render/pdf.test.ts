import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePdfReport } from '../../../reports/render/pdf.ts';
import type { ReportInput } from '../../../reports/render/report-input.ts';
import { SOC2 } from '../../../reports/frameworks/soc2/soc2.ts';
import type { ControlResult, ControlState } from '../../../schemas/control.ts';
import { createTestSigner } from '../../support/ledger.ts';
import { pdfPages } from './pdf-text.ts';

const PERIOD = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' };
const LONG_QUERY = Array.from({ length: 200 }, (_, n) => `  column_${n} /* ${'x'.repeat(n * 3)} */`).join(
  '\n',
);

function result(control_id: string, state: ControlState, over: Partial<ControlResult> = {}): ControlResult {
  return {
    control_id,
    framework: 'soc2',
    title: `Title of ${control_id}`,
    state,
    state_reason: `Reason of ${control_id}.`,
    populations: [
      {
        id: 'sessions',
        title: 'Agent sessions',
        definition: 'Every session.',
        sql: `SELECT ${control_id}\n${LONG_QUERY}`,
        params: { log: 'p0', tree_size: 7 },
        row_count: 2,
        record_count: 3,
        csv_path: `populations/${control_id}/sessions.csv`,
        csv_sha256: 'cd'.repeat(32),
      },
    ],
    figures: [{ name: 'tool calls', value: '12' }],
    rules: [{ id: 'rule-one', description: 'Finds one.', sql: 'SELECT 1', params: {}, exception_count: 0 }],
    exceptions: [],
    completeness: {
      period: PERIOD,
      state: 'incomplete',
      statistics: [{ id: 'S2', name: 'Sequence', state: 'not_measured', figures: [], detail: 'no counter' }],
      findings: [],
    },
    not_proven: ['That the sky is blue.'],
    ...over,
  };
}

describe('the report', () => {
  let dir: string;
  let input: ReportInput;
  let count = 0;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-pdf-'));
    const exceptions = Array.from({ length: 150 }, (_, n) => ({
      rule: 'rule-one',
      description: 'Finds one.',
      session_id: `session-${n}`,
      tool_use_id: null,
      record_ids: [String(n).padStart(64, '0')],
    }));
    input = {
      package_id: 'pkg-1',
      created_at: '2026-04-02T08:00:00.000Z',
      requested_by: 'auditor-desk',
      framework: SOC2,
      period: PERIOD,
      origin: 'log.test.example/p0',
      log_count: 1,
      key_changes: '',
      vkey: createTestSigner('log.test.example/p0').vkey,
      synthetic: false,
      genesis_text: '{}\n',
      checkpoint_note: 'log.test.example/p0\n7\nroot\n\n— log.test.example/p0 signature\n',
      tree_size: 7,
      root_hash: 'ab'.repeat(32),
      results: [
        result('CC6.1', 'met'),
        result('CC7.2', 'not_tested'),
        result('CC8.1', 'exception', {
          exceptions,
          rules: [
            { id: 'rule-one', description: 'Finds one.', sql: 'SELECT 2', params: {}, exception_count: 1500 },
          ],
        }),
        result('CC9.9', 'not_applicable'),
      ],
      results_sha256: 'ef'.repeat(32),
      samples: new Map([
        [
          'populations/CC6.1/sessions.csv',
          {
            columns: ['session_id', 'file_paths', 'record_ids'],
            rows: [
              { session_id: 's-1', file_paths: ['/repo/\u202etxt.exe', '日本.ts'], record_ids: ['x'] },
              { session_id: 'w'.repeat(5000), file_paths: [], record_ids: ['x'] },
            ],
          },
        ],
      ]),
      record_count: 3,
      proof_count: 3,
      sample: [0, 3, 5],
    };
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function render(from: ReportInput = input): Promise<Buffer> {
    const path = join(dir, `${(count += 1)}.pdf`);
    await writePdfReport(path, from);
    return readFile(path);
  }

  it('has the same bytes each time', async () => {
    expect((await render()).equals(await render())).toBe(true);
  });

  it('numbers its pages and carries the digest of the results on each', async () => {
    const pages = pdfPages(await render());
    expect(pages.length).toBeGreaterThan(10);
    pages.forEach((page, position) => {
      expect(page).toContain(`page ${position + 1} of ${pages.length}`);
      expect(page).toContain('efefefefefefefef');
    });
  });

  it('says on each page and beside each state that its log is synthetic', async () => {
    const pages = pdfPages(await render({ ...input, synthetic: true }));
    for (const page of pages)
      expect(page).toContain('SYNTHETIC: made for tests or shows, evidence of nothing');
    const text = pages.join('\n');
    for (const label of ['met', 'not tested', 'exception', 'not applicable']) {
      expect(text).toContain(`State: ${label} (SYNTHETIC)`);
    }
    expect(pdfPages(await render()).join('\n')).not.toContain('SYNTHETIC');
  });

  it('names every control with its state, and the four states with their meaning', async () => {
    const text = pdfPages(await render()).join('\n');
    for (const label of ['met', 'not tested', 'exception', 'not applicable']) {
      expect(text).toContain(`State: ${label}`);
    }
    for (const id of ['CC6.1', 'CC7.2', 'CC8.1', 'CC9.9']) expect(text).toContain(`Reason of ${id}.`);
    expect(text).toContain('That the sky is blue.');
    expect(text).not.toMatch(/complian/i);
  });

  it('prints long queries whole', async () => {
    const text = pdfPages(await render())
      .join('')
      .replaceAll(/\s/g, '');
    for (let n = 0; n < 200; n += 1) expect(text).toContain(`column_${n}/*${'x'.repeat(n * 3)}*/`);
  });

  it('says how many exceptions it does not print', async () => {
    const text = pdfPages(await render())
      .join('\n')
      .replaceAll('\n', ' ');
    expect(text).toContain('rule-one (1500)');
    expect(text).toContain('90 more exceptions of this rule are in results.json');
    expect(text).toContain('1350 more were counted and are not listed');
  });

  it('shows what its fonts lack as code points, and cuts a cell that would not fit', async () => {
    const text = pdfPages(await render())
      .join('')
      .replaceAll(/\s/g, '');
    expect(text).toContain('/repo/\\u{202e}txt.exe');
    expect(text).toContain('\\u{65e5}\\u{672c}.ts');
    expect(text).toContain('(+4580characters)');
  });

  it('keeps all text on the page', async () => {
    const pdf = (await render()).toString('latin1');
    const boxes = [...pdf.matchAll(/\/MediaBox \[([^\]]*)\]/g)].map(([, box]) => box);
    expect(new Set(boxes)).toEqual(new Set(['0 0 595.28 841.89']));
  });

  it('names its language and title, and is tagged', async () => {
    const pdf = (await render()).toString('latin1');
    expect(pdf).toContain('/Lang (en-GB)');
    expect(pdf).toContain('(Evidence package pkg-1)');
    expect(pdf).toContain('/Marked true');
    expect(pdf).toContain('(D:20260402080000Z)');
  });
});
