import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** Turns of phrase that hide who does what. Each has a plain form, given beside it. */
const UNPLAIN: readonly (readonly [RegExp, string])[] = [
  [/(?<!\bthere )\bis no\b(?! (?:longer|more than|less than)\b)/i, 'write "is not a"'],
  [/(?<!\bthere )\b(?:is|are) none\b(?! of\b)/i, 'write "is not one" or "does not count"'],
  [/\bwhoever\b/i, 'name who it is'],
  [/\btells? of\b/i, 'write "reports" or "describes"'],
  [/\btold of\b/i, 'write "reported"'],
  [/\ball the same\b/i, 'write "anyway" or leave it out'],
  [
    /\bof (?:its|their|our) own(?=$|["'.,;:)!?]| (?:and|as|at|because|beside|by|for|from|in|of|on|or|so|that|to|where|which|with)\b)/i,
    'write "its own" or "separate"',
  ],
  [/\banew\b/i, 'write "again" or "rebuilt"'],
  [/\bin the place of\b/i, 'write "instead of" or "replaces"'],
  [/\bstands? (?:in for|for it)\b/i, 'write "replaces" or "represents"'],
  [/\bha(?:s|ve) need of\b/i, 'write "needs"'],
];

/** A sentence whose subject is a clause: "What a receiver knows is …". Questions and headings are allowed. */
const CLAUSE_AS_SUBJECT = /^(?:What|Who)\b(?! (?:if|turns)\b)[^?]*$/;

/** The words of most tests are not judged yet. */
const UNCOVERED = 'test/';
/** Tests that are plain already. */
const COVERED_TESTS = /^test\/(?:bench|connectors\/detect|connectors\/simulation|ingest\/hook)\//;

interface Phrase {
  readonly place: string;
  readonly text: string;
}

const FOREIGN: ReadonlySet<string> = new Set(['.git', 'node_modules', 'dist', 'data']);

const files = readdirSync(ROOT, { withFileTypes: true })
  .filter(({ name }) => !FOREIGN.has(name))
  .flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(join(ROOT, entry.name), { recursive: true, encoding: 'utf8' }).map((path) =>
          join(entry.name, path),
        )
      : [entry.name],
  )
  .filter(
    (file) =>
      /\.(?:ts|md|yml)$|^\.ci\/run$/.test(file) && (!file.startsWith(UNCOVERED) || COVERED_TESTS.test(file)),
  )
  .sort();

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** Comments, string literals and templates; expressions inside a template are read as "…". */
function phrasesOfCode(file: string): Phrase[] {
  const text = read(file);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  const phrases = commentsOf(text, source);
  const visit = (node: ts.Node): void => {
    const isText = ts.isStringLiteral(node) || ts.isTemplateLiteral(node);
    const literal = isText ? node.getText(source).replaceAll(/\$\{[^{}]*\}/g, '…') : '';
    if (/[a-z] [a-z]+ [a-z]/.test(literal)) phrases.push([node.getStart(source), literal.slice(1, -1)]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return phrases.map(([at, words]) => ({
    place: `${file}:${String(text.slice(0, at).split('\n').length)}`,
    text: words,
  }));
}

/** Comments with their place; comments on lines that follow each other are one text. */
function commentsOf(text: string, source: ts.SourceFile): [number, string][] {
  const ranges = new Map<number, number>();
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(source);
    if (children.length > 0) children.forEach(visit);
    const around = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
    ];
    if (children.length === 0) for (const { pos, end } of around) ranges.set(pos, end);
  };
  visit(source);
  const comments: [number, string][] = [];
  let previousEnd = -1;
  for (const [pos, end] of [...ranges].sort(([a], [b]) => a - b)) {
    const words = text
      .slice(pos, end)
      .replaceAll(/^\s*(?:\/\*+|\/\/|\*(?!\/))|\*\/$/gm, '')
      .replaceAll(/\s+/g, ' ')
      .trim();
    const last = comments.at(-1);
    if (last !== undefined && /^\s*$/.test(text.slice(previousEnd, pos))) last[1] += ` ${words}`;
    else comments.push([pos, words]);
    previousEnd = end;
  }
  return comments;
}

/** Paragraphs, list items and table rows of a page, without code and headings. */
function phrasesOfPage(file: string): Phrase[] {
  let isCode = false;
  return read(file)
    .split('\n')
    .flatMap((line, index) => {
      if (line.startsWith('```')) isCode = !isCode;
      if (isCode || line.startsWith('#')) return [];
      const words = line.replace(/^\s*(?:[-*>]|\d+\.) /, '').replaceAll(/`[^`]*`/g, '`…`');
      return [{ place: `${file}:${String(index + 1)}`, text: words }];
    });
}

/** Comments that begin with a number sign. */
function phrasesOfScript(file: string): Phrase[] {
  return read(file)
    .split('\n')
    .flatMap((line, index) => {
      const comment = /^\s*#(?!!)(.*)/.exec(line)?.[1];
      return comment === undefined ? [] : [{ place: `${file}:${String(index + 1)}`, text: comment.trim() }];
    });
}

function unplain(phrases: readonly Phrase[]): string[] {
  return phrases.flatMap(({ place, text }) => [
    ...UNPLAIN.filter(([turn]) => turn.test(text)).map(
      ([turn, instead]) => `${place}: ${turn.exec(text)?.[0] ?? ''}: ${instead}`,
    ),
    ...text
      .split(/(?<=[.;:!?])\s+/)
      .filter((sentence) => CLAUSE_AS_SUBJECT.test(sentence))
      .map((sentence) => `${place}: "${sentence.slice(0, 60)}": give the sentence a subject`),
  ]);
}

describe('the words of the project', () => {
  it('are plain in the comments and texts of the code', () => {
    expect(unplain(files.filter((file) => file.endsWith('.ts')).flatMap(phrasesOfCode))).toEqual([]);
  });

  it('are plain in the documents', () => {
    expect(unplain(files.filter((file) => file.endsWith('.md')).flatMap(phrasesOfPage))).toEqual([]);
  });

  it('are plain in scripts and descriptions of containers', () => {
    const scripts = files.filter((file) => /^\.ci\/|\.yml$|^Dockerfile$/.test(file));
    expect(unplain(scripts.flatMap(phrasesOfScript))).toEqual([]);
  });

  it.each([
    'It is no record.',
    'Whoever seals tells of it.',
    'A token of its own for each.',
    'What a receiver knows is kept.',
    'It is kept. Who reads it is counted.',
  ])('are found wanting in: %s', (text) => {
    expect(unplain([{ place: 'a', text }])).not.toEqual([]);
  });

  it.each(['There is no such log.', 'It keeps records of its own log.', 'What is a record? One event.'])(
    'are plain in: %s',
    (text) => {
      expect(unplain([{ place: 'a', text }])).toEqual([]);
    },
  );
});
