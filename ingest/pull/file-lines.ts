/** A file with one object per line → requests of whole lines. */
import { deliverItems } from './items.ts';
import { toLineParts, type LineBatch, type LinePart } from './lines.ts';
import { leave, type FileEnd, type OpenFile } from './open-file.ts';
import { createPrefixDigest, type Pieces, type PrefixDigest } from './plain-text.ts';
import type { FileProblem } from './file-states.ts';

/** Bytes of lines in one request: small enough that its records stay far below the limits of a request. */
const TARGET_BYTES = 1024 * 1024;
/** A file with more refused lines than this is not a log of this gateway. */
const MAX_REFUSED_LINES = 100;

type Step = FileEnd | 'too_many_refused' | 'waiting';

export async function deliverLines(opened: OpenFile): Promise<FileEnd> {
  const { run, file, start, totals } = opened;
  const { name, version } = file;
  const wasSeen = run.states.of(name)?.version === version;
  const digest = createPrefixDigest();
  const limits = { maxLineBytes: run.maxBodyBytes, targetBytes: Math.min(TARGET_BYTES, run.maxBodyBytes) };
  const counted = { refused: 0 };
  let mark = start;
  let isWaiting = false;
  for await (const part of toLineParts(addingTo(digest, opened.text()), start.bytes, limits)) {
    const step = await takePart(opened, part, counted);
    if (step === 'stopped') return step;
    if (step === 'too_many_refused') return leave(opened, step);
    isWaiting = step === 'waiting';
    if (isWaiting) break;
    const read = digest.markAt(part.endBytes);
    if (part.kind === 'passing') continue;
    mark = read;
    // The version is left out until the whole file was read.
    await run.states.note({ name, version: '', ...mark, settled: false }, { file: name, bytes: mark.bytes });
    run.onProgress(totals);
  }
  if (isWaiting) totals.waiting += 1;
  const isLeft = isWaiting && wasSeen;
  const { bytes, sha256 } = mark;
  if (isLeft) await leave({ ...opened, file }, 'line_unfinished');
  else await run.states.note({ name, version, bytes, sha256, settled: !isWaiting });
  return 'done';
}

async function* addingTo(digest: PrefixDigest, text: Pieces): AsyncGenerator<Buffer> {
  for await (const piece of text) {
    digest.add(piece);
    yield piece;
  }
}

interface Counted {
  /** Lines of this file. */
  refused: number;
}

async function takePart(opened: OpenFile, part: LinePart, counted: Counted): Promise<Step> {
  switch (part.kind) {
    case 'passing':
      return 'done';
    case 'too_long':
      if (!part.hasEnd && !opened.isWhole) return 'waiting';
      return passingOver(opened, counted)({ line: part.line, reason: 'line_too_large' });
    case 'tail': {
      const { bytes, line, endBytes } = part;
      if (!opened.isWhole && !isObject(bytes)) return 'waiting';
      return deliver(opened, { kind: 'lines', lines: [bytes], firstLine: line, endBytes }, counted);
    }
    case 'lines':
      return deliver(opened, part, counted);
  }
}

/** A line without its end may be incomplete, unless it is a whole object. */
function isObject(line: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function passingOver({ run, file }: Pick<OpenFile, 'run' | 'file'>, counted: Counted) {
  return (problem: Omit<FileProblem, 'file'>): 'done' | 'too_many_refused' => {
    run.states.reportLater({ file: file.name, ...problem });
    counted.refused += 1;
    return counted.refused > MAX_REFUSED_LINES ? 'too_many_refused' : 'done';
  };
}

async function deliver(
  { run, file, totals }: OpenFile,
  { lines, firstLine }: LineBatch,
  counted: Counted,
): Promise<Step> {
  const passOver = passingOver({ run, file }, counted);
  const end = await deliverItems({ ...run, counts: totals }, lines, (index, { status, code }) => {
    const reason = status === 413 ? 'line_too_large' : 'line_refused';
    return passOver({ line: firstLine + index, reason, code }) === 'done';
  });
  return end === 'given_up' ? 'too_many_refused' : end;
}
