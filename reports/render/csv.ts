import type { CellValue } from '../controls/control.ts';

/** First characters that make spreadsheet programs read a cell as a formula; the apostrophe keeps the rule reversible. */
const GUARDED_STARTS = new Set(['=', '+', '-', '@', '\t', '\r', "'"]);

/**
 * One line of RFC 4180 with its CRLF. A text that a spreadsheet could run as a formula, or that begins with an
 * apostrophe, gets an apostrophe in front: removing exactly one gives the original. Lists are separated by spaces,
 * and an absent value is an empty cell.
 */
export function csvLine(values: readonly CellValue[]): string {
  return `${values.map(csvCell).join(',')}\r\n`;
}

function csvCell(value: CellValue): string {
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
