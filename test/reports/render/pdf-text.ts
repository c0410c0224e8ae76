import { inflateSync } from 'node:zlib';

/** Text of each page of a PDF that pdfkit wrote with the standard fonts, in drawing order. */
export function pdfPages(pdf: Buffer): string[] {
  const source = pdf.toString('latin1');
  const objects = new Map<string, string>();
  for (const [, id, body] of source.matchAll(/(\d+) 0 obj\n([\s\S]*?)\nendobj/g)) objects.set(id!, body!);
  const pages = [...objects.values()].filter((body) => body.includes('/Type /Page\n'));
  return pages.map((page) => {
    const [, content] = /\/Contents (\d+) 0 R/.exec(page)!;
    return textOf(streamOf(objects.get(content!)!));
  });
}

function streamOf(body: string): string {
  const raw = body.slice(body.indexOf('stream\n') + 7, body.lastIndexOf('\nendstream'));
  return inflateSync(Buffer.from(raw, 'latin1')).toString('latin1');
}

/** Each TJ operator shows one run; its numbers are kerning only. */
function textOf(content: string): string {
  const runs = [...content.matchAll(/\[([^\]]*)\] TJ/g)].map(([, run]) =>
    [...run!.matchAll(/<([0-9a-f]*)>/g)]
      .map(([, hex]) => Buffer.from(hex!, 'hex').toString('latin1'))
      .join(''),
  );
  return runs.join('\n');
}
