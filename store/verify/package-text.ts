/** Text files of a package as streams. Memory holds one line or CSV row at a time. Bad bytes throw RangeError. */

/** Lines are far below this. A longer one is refused before it fills the memory. */
const MAX_LINE_CHARS = 256 * 1024 * 1024;

/** Lines without their newline. SPEC: UTF-8, each line ended by a newline, the last one too. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  for await (const text of decoded(chunks)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) throw new RangeError('a line is too long');
    yield* lines;
  }
  if (rest !== '') throw new RangeError('the last line has no newline');
}

/** Whole text of a small file. */
export async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let all = '';
  for await (const text of decoded(chunks)) all += text;
  return all;
}

/** Rows of RFC 4180; line ends may be CRLF or LF. */
export async function* readCsv(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let row: string | undefined;
  for await (const line of readLines(chunks)) {
    row = row === undefined ? line : `${row}\n${line}`;
    // A line break inside quotes belongs to the cell; outside, quotes come in pairs.
    if (row.split('"').length % 2 === 0) continue;
    yield splitRow(row.endsWith('\r') ? row.slice(0, -1) : row);
    row = undefined;
  }
  if (row !== undefined) throw new RangeError('a quoted cell does not end');
}

function splitRow(row: string): string[] {
  const cells: string[] = [];
  const cell = /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = cell.exec(row);
    if (match === null) throw new RangeError('a row has a quote inside a bare cell');
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return cells;
  }
}

async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } catch (cause) {
    if (cause instanceof RangeError) throw cause;
    throw new RangeError('the file is not UTF-8 text', { cause });
  }
}
