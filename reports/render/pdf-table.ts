import { artifact, bottomOf, COLOURS, ensureRoom, newPage, type Sheet, useFont } from './pdf-sheet.ts';
import { printable, shortened } from './printable.ts';

export interface Column {
  readonly title: string;
  /** Share of the table's width; shares need not sum to one. */
  readonly share: number;
  readonly mono?: boolean;
}

export interface Cell {
  readonly text: string;
  readonly colour?: string;
  readonly strong?: boolean;
}

export type TableRow = readonly (string | Cell)[];

const TEXT_SIZE = 7.5;
const PADDING = 3;
/** Longer cells are cut, with a note of how much; the machine-readable files have the whole text. */
const MAX_CELL_CHARACTERS = 420;

interface PlacedCell {
  readonly cell: Cell;
  readonly column: Column;
  readonly left: number;
  readonly width: number;
}

/** A table over the full width whose head is repeated on each page; rows are never split. */
export function writeTable(sheet: Sheet, columns: readonly Column[], rows: readonly TableRow[]): void {
  const { pdf } = sheet;
  const table = pdf.struct('Table');
  pdf.addStructure(table);
  const head = columns.map(({ title }) => ({ text: title, strong: true, colour: COLOURS.muted }));
  const drawHead = () => drawRow(sheet, table, place(sheet, columns, head), 'TH');
  ensureRoom(sheet, 60);
  drawHead();
  for (const row of rows) {
    const cells = row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell));
    const placed = place(sheet, columns, cells);
    if (pdf.y + heightOf(sheet, placed) > bottomOf(sheet)) {
      newPage(sheet);
      drawHead();
    }
    drawRow(sheet, table, placed, 'TD');
  }
  table.end();
  pdf.y += 8;
}

function place(sheet: Sheet, columns: readonly Column[], cells: readonly Cell[]): PlacedCell[] {
  const total = columns.reduce((sum, { share }) => sum + share, 0);
  let left = sheet.left;
  return columns.map((column, at) => {
    const width = (sheet.width * column.share) / total;
    const raw = cells[at] ?? { text: '' };
    const placed = { cell: { ...raw, text: cellText(raw.text) }, column, left, width };
    left += width;
    return placed;
  });
}

function cellText(text: string): string {
  return printable(shortened(text, MAX_CELL_CHARACTERS));
}

function heightOf(sheet: Sheet, placed: readonly PlacedCell[]): number {
  const heights = placed.map(({ cell, column, width }) => {
    applyFont(sheet, cell, column);
    return sheet.pdf.heightOfString(cell.text, { width: width - 2 * PADDING });
  });
  return Math.max(TEXT_SIZE, ...heights) + 2 * PADDING;
}

function drawRow(
  sheet: Sheet,
  table: PDFKit.PDFStructureElement,
  placed: readonly PlacedCell[],
  role: 'TH' | 'TD',
): void {
  const { pdf, left, width } = sheet;
  const top = pdf.y;
  const height = heightOf(sheet, placed);
  artifact(sheet, () => {
    if (role === 'TH') pdf.rect(left, top, width, height).fill(COLOURS.band);
    pdf.lineWidth(0.4).strokeColor(COLOURS.rule);
    pdf
      .moveTo(left, top + height)
      .lineTo(left + width, top + height)
      .stroke();
  });
  const row = pdf.struct('TR');
  table.add(row);
  for (const { cell, column, left: cellLeft, width: cellWidth } of placed) {
    const draw = () => {
      applyFont(sheet, cell, column);
      pdf.text(cell.text, cellLeft + PADDING, top + PADDING, { width: cellWidth - 2 * PADDING });
    };
    row.add(pdf.struct(role, {}, draw));
  }
  row.end();
  pdf.y = top + height;
}

function applyFont(sheet: Sheet, cell: Cell, column: Column): void {
  const font = column.mono === true && cell.strong !== true ? 'mono' : cell.strong === true ? 'bold' : 'body';
  useFont(sheet, font, column.mono === true ? TEXT_SIZE - 1 : TEXT_SIZE, cell.colour ?? COLOURS.ink);
}
