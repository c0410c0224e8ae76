/**
 * A gateway's log files → requests to its route. In: files of a folder or bucket, and how far they were read. Out: counts
 * of the items that the receivers took, and every file and line that they refused. A place in a file is passed only when
 * the log has every item before it, or the item was reported as refused.
 */
import { PipelineError } from '../../schemas/errors.ts';
import { deliverDocument, readDocument } from './document.ts';
import { deliverLines } from './file-lines.ts';
import type { ProblemReason } from './file-states.ts';
import type { GatewayLogFile, GatewayLogs } from './gateway-logs.ts';
import {
  leave,
  NOTHING_READ,
  type FileEnd,
  type FilesRun,
  type FilesTotals,
  type OpenFile,
} from './open-file.ts';
import { findMark, inflate, isGzip, type Mark, type Pieces } from './plain-text.ts';

/** A file up to this size is read once and held in memory. */
const HELD_BYTES = 16 * 1024 * 1024;
/** Characters that are enough to see whether a file holds lines or one document. */
const HEAD_CHARACTERS = 4_096;

/** One look at all files, in order of their names. */
export async function collectFiles(run: FilesRun): Promise<FilesTotals> {
  const totals: FilesTotals = {
    files_seen: 0,
    files: 0,
    requests: 0,
    accepted: 0,
    quarantined: 0,
    waiting: 0,
    problems: [],
  };
  const listed = await run.files.list();
  totals.files_seen = listed.length;
  // Taken before the first file is read: a file whose name another file has now is recognised by its mark.
  const marks = run.states.marks();
  try {
    for (const file of listed) {
      const before = totals.requests;
      const end = await collectFile(run, file, marks, totals);
      if (totals.requests > before) totals.files += 1;
      if (end === 'stopped') return totals;
    }
    run.states.keepOnly(new Set(listed.map(({ name }) => name)));
  } finally {
    await run.states.flush();
  }
  return totals;
}

async function collectFile(
  run: FilesRun,
  file: GatewayLogFile,
  marks: readonly Mark[],
  totals: FilesTotals,
): Promise<FileEnd> {
  const known = run.states.of(file.name);
  if (known?.version === file.version && known.settled) {
    const { reason } = known;
    if (reason !== undefined) totals.problems.push({ file: file.name, reason });
    return 'done';
  }
  try {
    const opened = { ...(await open(run, file, marks)), totals };
    const shape = await shapeOf(opened.text());
    if (shape === 'other') return await leave(opened, 'not_json');
    return shape === 'lines'
      ? await deliverLines(opened)
      : await deliverDocument(opened, await readDocument(opened));
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    // A file that changed or may not be read is tried again by the next look; a broken file only in another version.
    const version = reason === 'gzip_broken' ? file.version : '';
    return await leave({ run, file: { ...file, version }, totals }, reason);
  }
}

function reasonOf(error: unknown): ProblemReason | undefined {
  if (!(error instanceof PipelineError)) return undefined;
  if (error.code === 'BODY_MALFORMED') return 'gzip_broken';
  if (error.code === 'NOT_FOUND') return 'changed';
  return error.code === 'AUTH_FORBIDDEN' ? 'unreadable' : undefined;
}

async function open(
  run: FilesRun,
  file: GatewayLogFile,
  marks: readonly Mark[],
): Promise<Omit<OpenFile, 'totals'>> {
  const stored = await holding(run.files, file);
  const isPacked = await isGzip(file.name, stored());
  const text = () => (isPacked ? inflate(stored()) : stored());
  const known = run.states.of(file.name);
  const own = known === undefined ? [] : [known];
  // An object in a bucket is never renamed.
  const candidates = file.mayGrow ? [...own, ...marks] : own;
  const start = (await findMark(text(), candidates, isPacked)) ?? NOTHING_READ;
  return { run, file, text, start, isWhole: isPacked || !file.mayGrow };
}

async function holding(files: GatewayLogs, file: GatewayLogFile): Promise<() => Pieces> {
  if (file.sizeBytes > HELD_BYTES) return () => files.read(file);
  const held: Buffer[] = [];
  for await (const piece of files.read(file)) held.push(piece);
  // eslint-disable-next-line @typescript-eslint/require-await -- read like a file on a disk
  return async function* () {
    yield* held;
  };
}

/** An array, and an object written over several lines, is one document; everything else is one object per line. */
async function shapeOf(text: Pieces): Promise<'lines' | 'document' | 'other'> {
  let head = '';
  for await (const piece of text) {
    head = (head + piece.toString('latin1')).trimStart();
    if (head !== '' && (head.includes('\n') || head.length > HEAD_CHARACTERS)) break;
  }
  if (head === '') return 'lines';
  if (head.startsWith('[')) return 'document';
  if (!head.startsWith('{')) return 'other';
  const [first = ''] = head.split('\n', 1);
  return first.trim() === '{' ? 'document' : 'lines';
}
