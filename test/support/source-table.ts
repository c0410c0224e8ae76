import type { Source } from '../../connectors/drafts/source.ts';

const HEAD = ['system', 'route', 'bodies', 'proof of the sender', 'answer', 'source'];

const BODIES: Readonly<Record<Source['contentTypes'][number], string>> = {
  'application/json': 'JSON',
  'application/x-ndjson': 'NDJSON',
  'application/x-protobuf': 'protobuf',
  'application/x-www-form-urlencoded': 'form',
};

/** The table of docs/sources.md, laid out as the formatter of documents does. */
export function sourceTable(sources: readonly Source[]): string {
  const rows = [HEAD, ...sources.map(toCells)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => toLine(row.map((cell, column) => cell.padEnd(widths[column]!))));
  const [head, ...body] = lines;
  return [head, toLine(widths.map((width) => '-'.repeat(width))), ...body].join('\n');
}

function toCells({ title, route, contentTypes, proof, otlp, answer, name }: Source): string[] {
  return [
    title,
    otlp === undefined ? `\`${route}\`` : `\`${route}\`, gRPC`,
    contentTypes.map((type) => BODIES[type]).join(', '),
    proof === 'bearer' ? 'bearer token' : proof.description,
    answer.description,
    `\`${name}\``,
  ];
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
