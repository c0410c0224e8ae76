import PDFDocument from 'pdfkit';
import { printable } from './printable.ts';

type Pdf = PDFKit.PDFDocument;

export const COLOURS = {
  ink: '#1b1f24',
  muted: '#5b6570',
  rule: '#c9d0d6',
  band: '#eef1f4',
  accent: '#1f3a5f',
  met: '#1d6b3a',
  exception: '#a4262c',
  not_tested: '#8a5a00',
  not_applicable: '#5b6570',
} as const;

const FONTS = { body: 'Helvetica', bold: 'Helvetica-Bold', mono: 'Courier' } as const;
const MARGIN = { top: 72, bottom: 64, left: 56, right: 56 } as const;

interface TextStyle {
  readonly font: keyof typeof FONTS;
  readonly size: number;
  readonly colour: string;
  readonly before: number;
  readonly after: number;
}

const STYLES = {
  title: { font: 'bold', size: 24, colour: COLOURS.accent, before: 0, after: 6 },
  subtitle: { font: 'body', size: 12, colour: COLOURS.muted, before: 0, after: 18 },
  h1: { font: 'bold', size: 16, colour: COLOURS.accent, before: 0, after: 8 },
  h2: { font: 'bold', size: 11.5, colour: COLOURS.accent, before: 12, after: 4 },
  h3: { font: 'bold', size: 9.5, colour: COLOURS.ink, before: 8, after: 2 },
  body: { font: 'body', size: 9.5, colour: COLOURS.ink, before: 0, after: 5 },
  note: { font: 'body', size: 8, colour: COLOURS.muted, before: 0, after: 5 },
} as const satisfies Record<string, TextStyle>;

export type StyleName = keyof typeof STYLES;

const STRUCTURE: Readonly<Record<StyleName, string>> = {
  title: 'H1',
  subtitle: 'P',
  h1: 'H1',
  h2: 'H2',
  h3: 'H3',
  body: 'P',
  note: 'P',
};

/** Space that must be left below a heading for its first block, in points. */
const KEEP_WITH_NEXT = { title: 0, subtitle: 0, h1: 120, h2: 80, h3: 60, body: 0, note: 0 } as const;

/** A PDF document that is filled from top to bottom, with the left edge and width of its text. */
export interface Sheet {
  readonly pdf: Pdf;
  readonly left: number;
  readonly width: number;
}

export interface SheetOptions {
  readonly title: string;
  readonly subject: string;
  readonly createdAt: Date;
}

/** A4 and tagged; its metadata depends only on the options, so that the same input gives the same bytes. */
export function openSheet({ title, subject, createdAt }: SheetOptions): Sheet {
  const pdf = new PDFDocument({
    size: 'A4',
    margins: MARGIN,
    bufferPages: true,
    tagged: true,
    lang: 'en-GB',
    displayTitle: true,
    pdfVersion: '1.7',
    info: {
      Title: title,
      Subject: subject,
      Creator: 'Affidavit',
      CreationDate: createdAt,
      ModDate: createdAt,
    },
  });
  return { pdf, left: MARGIN.left, width: pdf.page.width - MARGIN.left - MARGIN.right };
}

export function newPage({ pdf }: Sheet): void {
  pdf.addPage();
}

/** Last y that a block may reach. */
export function bottomOf({ pdf }: Sheet): number {
  return pdf.page.height - MARGIN.bottom;
}

/** Starts a new page unless `height` points are left on this one. */
export function ensureRoom(sheet: Sheet, height: number): void {
  if (sheet.pdf.y + height > bottomOf(sheet)) newPage(sheet);
}

export function useFont({ pdf }: Sheet, font: keyof typeof FONTS, size: number, colour: string): Pdf {
  return pdf.font(FONTS[font]).fontSize(size).fillColor(colour);
}

/** A heading or paragraph in one of the styles, over the full width. */
export function write(sheet: Sheet, style: StyleName, text: string, colour?: string): void {
  const { font, size, before, after, colour: ink } = STYLES[style];
  const { pdf, left, width } = sheet;
  if (KEEP_WITH_NEXT[style] > 0) ensureRoom(sheet, KEEP_WITH_NEXT[style]);
  pdf.y += before;
  useFont(sheet, font, size, colour ?? ink);
  const lines = text.split('\n').map(printable).join('\n');
  tagged(sheet, STRUCTURE[style], () => pdf.text(lines, left, pdf.y, { width, lineGap: 1.5 }));
  pdf.y += after;
}

/** A paragraph with a dash in front, hanging indent. */
export function writeItem(sheet: Sheet, text: string): void {
  const { pdf, left, width } = sheet;
  ensureRoom(sheet, 14);
  useFont(sheet, 'body', 9.5, COLOURS.ink);
  const top = pdf.y;
  tagged(sheet, 'P', () => {
    pdf.text('–', left, top, { width: 10, lineBreak: false });
    pdf.text(printable(text), left + 12, top, { width: width - 12, lineGap: 1.5 });
  });
  pdf.y += 3;
}

/** Machine text in a monospaced font on a grey band; long lines wrap, and a band may cross pages. */
export function writeMono(sheet: Sheet, text: string): void {
  const { pdf, left, width } = sheet;
  const size = 7.5;
  const inner = width - 12;
  const lines = text.trimEnd().split('\n').map(printable);
  const blocks = lines.map((line) => (line === '' ? ' ' : line));
  for (const line of blocks) {
    useFont(sheet, 'mono', size, COLOURS.ink);
    const height = pdf.heightOfString(line, { width: inner, lineGap: 1 });
    ensureRoom(sheet, height);
    const top = pdf.y;
    artifact(sheet, () => pdf.rect(left, top, width, height).fill(COLOURS.band));
    useFont(sheet, 'mono', size, COLOURS.ink);
    tagged(sheet, 'Code', () => pdf.text(line, left + 6, top, { width: inner, lineGap: 1 }));
    pdf.y = top + height;
  }
  pdf.y += 6;
}

/** Content for readers and assistive technology alike. */
export function tagged({ pdf }: Sheet, role: string, draw: () => unknown): void {
  pdf.addStructure(pdf.struct(role, {}, draw));
}

/** Lines, bands and running titles that assistive technology passes over. */
export function artifact({ pdf }: Sheet, draw: () => unknown): void {
  pdf.markContent('Artifact', { type: 'Layout' });
  draw();
  pdf.endMarkedContent();
}

/** Running title and page number on every page; call last. */
export function writeRunningLines(sheet: Sheet, header: string, footer: string): void {
  const { pdf, left, width } = sheet;
  const { count } = pdf.bufferedPageRange();
  for (let page = 0; page < count; page += 1) {
    pdf.switchToPage(page);
    // A margin of zero keeps pdfkit from opening a new page for text below the body.
    pdf.page.margins = { ...MARGIN, bottom: 0, top: 0 };
    artifact(sheet, () => {
      const top = MARGIN.top - 34;
      const end = pdf.page.height - MARGIN.bottom + 20;
      useFont(sheet, 'body', 7.5, COLOURS.muted);
      pdf.text(header, left, top, { width, lineBreak: false });
      pdf.text(footer, left, end, { width, lineBreak: false });
      const number = `page ${page + 1} of ${count}`;
      pdf.text(number, left, end, { width, align: 'right', lineBreak: false });
      pdf.lineWidth(0.5).strokeColor(COLOURS.rule);
      pdf
        .moveTo(left, top + 12)
        .lineTo(left + width, top + 12)
        .stroke();
      pdf
        .moveTo(left, end - 6)
        .lineTo(left + width, end - 6)
        .stroke();
    });
  }
}
