/** What a cell can hold; a list is written space separated, absent values as an empty cell. */
export type CsvValue = string | number | boolean | null | undefined | readonly string[];

/** First characters that make spreadsheet programs read a cell as a formula; the apostrophe keeps the rule reversible. */
const GUARDED_STARTS = new Set(['=', '+', '-', '@', '\t', '\r', "'"]);

/**
 * One line of RFC 4180 with its CRLF. A text that a spreadsheet could run as a formula, or that begins with an
 * apostrophe, gets an apostrophe in front: whoever needs the original removes exactly one.
 */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(csvCell).join(',')}\r\n`;
}

function csvCell(value: CsvValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return quoted(guarded(typeof value === 'string' ? value : value.join(' ')));
}

function guarded(text: string): string {
  return GUARDED_STARTS.has(text.charAt(0)) ? `'${text}` : text;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
