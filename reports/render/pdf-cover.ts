import type { ControlState } from '../../schemas/control.ts';
import { SYNTHETIC_NOTICE } from '../../schemas/bundle.ts';
import { PACKAGE_PATHS } from '../../schemas/evidence-package.ts';
import { describeBefore, describeLog } from './readme.ts';
import type { ReportInput } from './report-input.ts';
import { COLOURS, newPage, type Sheet, write, writeItem } from './pdf-sheet.ts';
import { writeTable } from './pdf-table.ts';

const STATE_LABELS: Readonly<Record<ControlState, string>> = {
  met: 'met',
  exception: 'exception',
  not_tested: 'not tested',
  not_applicable: 'not applicable',
};

/** A state as every sheet shows it. */
export function stateLabel(state: ControlState, { synthetic }: Pick<ReportInput, 'synthetic'>): string {
  return synthetic ? `${STATE_LABELS[state]} (SYNTHETIC)` : STATE_LABELS[state];
}

const STATE_MEANINGS: Readonly<Record<ControlState, string>> = {
  met: 'The whole population was tested, it is complete as far as the required statistics can tell, and no rule found an exception.',
  exception:
    'At least one item deviates. Each is listed with the records it rests on, and needs an explanation by a person.',
  not_tested:
    'No exception was found, but the population is not known to be complete, or what the control needs was not collected. This is not good news but the absence of news.',
  not_applicable: 'Nothing of the kind happened in a period that is complete.',
};

const FILES: readonly (readonly [path: string, contents: string])[] = [
  [
    PACKAGE_PATHS.results,
    'results of every control for machines: populations, queries, exceptions, completeness',
  ],
  ['populations/', 'one CSV per population; record_ids are ids of records in records.jsonl'],
  [
    PACKAGE_PATHS.records,
    'every record that a population or an exception rests on: leaf, facts and person with their salts',
  ],
  [PACKAGE_PATHS.proofs, 'the inclusion proof of each of these records'],
  ['proofs/', 'stand-alone proofs of exception records and of the sample'],
  [PACKAGE_PATHS.checkpoint, 'signed size and root hash of the log that everything refers to'],
  [PACKAGE_PATHS.manifest, 'size and SHA-256 of every file; manifest.note is signed over its digest'],
  [PACKAGE_PATHS.genesis, 'the first object of the log: its key, its promises, whether it is synthetic'],
  [
    PACKAGE_PATHS.key,
    'the key that signed the genesis; compare it with a copy that you got through another channel',
  ],
];

/** First pages: the package, its results in one table, and how to read it. */
export function writeCover(sheet: Sheet, input: ReportInput): void {
  write(sheet, 'title', 'Evidence package');
  write(sheet, 'subtitle', 'Results over the sealed records of AI coding agents');
  if (input.synthetic) write(sheet, 'h2', SYNTHETIC_NOTICE, COLOURS.exception);
  const { package_id, origin, period, created_at, requested_by, framework, tree_size } = input;
  const before = describeBefore(input);
  const facts: [string, string][] = [
    ['Log (origin)', describeLog(origin, input.log_count)],
    ...(before === undefined ? [] : [['Log before it', before] as [string, string]]),
    ['Framework', `${framework.title}, ${framework.criteria}`],
    ['Catalogue version', framework.version],
    ['Period', `${period.from} up to, but not including, ${period.to} (clock: received_at, UTC)`],
    ['Checkpoint', `${tree_size} records sealed under it`],
    ['Created', created_at],
    ['Requested by', requested_by],
    ['Package id', package_id],
    ['Digest of results.json', `SHA-256 ${input.results_sha256}`],
  ];
  writeTable(
    sheet,
    [
      { title: 'What', share: 24 },
      { title: 'Value', share: 76 },
    ],
    facts.map(([name, value]) => [{ text: name, strong: true }, value]),
  );
  write(
    sheet,
    'body',
    'This document is a rendering. The evidence is results.json and the files that manifest.json names; where this document differs from them, they prevail. Nothing here is an opinion on the design or effectiveness of controls: it states what was measured, over which records, and what could not be measured.',
  );
  writeSummary(sheet, input);
  writeReadingGuide(sheet);
  newPage(sheet);
}

function writeSummary(sheet: Sheet, input: ReportInput): void {
  write(sheet, 'h2', 'Results');
  writeTable(
    sheet,
    [
      { title: 'Control', share: 10 },
      { title: 'Title', share: 28 },
      { title: 'State', share: 14 },
      { title: 'Exceptions', share: 14 },
      { title: 'Why', share: 57 },
    ],
    input.results.map(({ control_id, title, state, exceptions, state_reason }) => [
      { text: control_id, strong: true },
      title,
      { text: stateLabel(state, input), strong: true, colour: COLOURS[state] },
      String(exceptions.length),
      state_reason,
    ]),
  );
}

function writeReadingGuide(sheet: Sheet): void {
  newPage(sheet);
  write(sheet, 'h1', 'How to read this package');
  write(sheet, 'h2', 'The four states');
  writeTable(
    sheet,
    [
      { title: 'State', share: 18 },
      { title: 'Meaning', share: 82 },
    ],
    Object.entries(STATE_MEANINGS).map(([state, meaning]) => [
      { text: STATE_LABELS[state as ControlState], strong: true, colour: COLOURS[state as ControlState] },
      meaning,
    ]),
  );
  write(sheet, 'h2', 'Notes for the reader');
  writeItem(
    sheet,
    'Hashing proves that nothing changed after sealing. Whether everything arrived is a separate question, which the statistics S1 to S9 of each control answer as far as they can.',
  );
  writeItem(
    sheet,
    'An outcome of a tool call is derived from every source that saw it. "unresolved" means that the sources do not settle it; it is never rounded to success.',
  );
  writeItem(sheet, 'A claimed user is what the source said. It is not proof of who sat at the keyboard.');
  write(sheet, 'h2', 'Files of the package');
  writeTable(
    sheet,
    [
      { title: 'File', share: 26, mono: true },
      { title: 'Contents', share: 74 },
    ],
    FILES.map(([path, contents]) => [path, contents]),
  );
}
