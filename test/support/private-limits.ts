/** Finds the limits of the program that have no configuration key, as constants of its sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDERS = ['app', 'schemas', 'connectors', 'ingest', 'store', 'reports', 'api', 'commands'];

export interface PrivateLimit {
  readonly name: string;
  readonly value: number;
  readonly file: string;
  /** The comment above the constant; '' if it has none. */
  readonly meaning: string;
}

/** A constant is a limit by its name: a time, a size, or a smallest or largest number. */
const TIME = /_(MS|S|SECONDS|DAYS)$/;
const SIZE = /_(BYTES|CHARACTERS)$/;
const BOUND = /^(MAX|MIN)_/;
/** Units are not limits. */
const UNIT = /^(ONE_)?(SECOND|MINUTE|HOUR|DAY|WEEK|YEAR)S?_(MS|S)$/;
/** A smaller size is a part of a format, unless its name says that it is a bound. */
const SMALLEST_SIZE = 1024;

/** Every limit in the order of files and lines. */
export function findPrivateLimits(): PrivateLimit[] {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  );
  return ['cli.ts', 'config.ts', ...files.sort()].flatMap(limitsOf);
}

function limitsOf(file: string): PrivateLimit[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const values = new Map<string, number>();
  const limits: PrivateLimit[] = [];
  for (const statement of tree.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name) || initializer === undefined) continue;
      const meaning = commentOf(statement, text);
      if (name.text.endsWith('LIMITS') && ts.isObjectLiteralExpression(initializer)) {
        limits.push(...membersOf(name.text, initializer).map((member) => ({ ...member, file, meaning })));
      }
      const value = evaluate(initializer, values);
      if (value === undefined) continue;
      values.set(name.text, value);
      if (isLimit(name.text, value)) {
        limits.push({ name: name.text, value, file, meaning });
      }
    }
  }
  return limits;
}

/** Members of an object of limits that are written as numbers; a member that names a constant is listed there. */
function membersOf(
  owner: string,
  { properties }: ts.ObjectLiteralExpression,
): Pick<PrivateLimit, 'name' | 'value'>[] {
  return properties.flatMap((property) => {
    if (!ts.isPropertyAssignment(property) || !ts.isIdentifier(property.name)) return [];
    const value = evaluate(property.initializer, new Map());
    return value === undefined ? [] : [{ name: `${owner}.${property.name.text}`, value }];
  });
}

function isLimit(name: string, value: number): boolean {
  if (UNIT.test(name)) return false;
  return TIME.test(name) || BOUND.test(name) || (SIZE.test(name) && value >= SMALLEST_SIZE);
}

/** The number of an expression of literals and of constants above it; undefined for any other expression. */
function evaluate(node: ts.Expression, values: ReadonlyMap<string, number>): number | undefined {
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (ts.isIdentifier(node)) return values.get(node.text);
  if (ts.isParenthesizedExpression(node)) return evaluate(node.expression, values);
  if (!ts.isBinaryExpression(node)) return undefined;
  const left = evaluate(node.left, values);
  const right = evaluate(node.right, values);
  if (left === undefined || right === undefined) return undefined;
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.PlusToken:
      return left + right;
    case ts.SyntaxKind.MinusToken:
      return left - right;
    case ts.SyntaxKind.AsteriskToken:
      return left * right;
    case ts.SyntaxKind.AsteriskAsteriskToken:
      return left ** right;
    case ts.SyntaxKind.SlashToken:
      return left / right;
    default:
      return undefined;
  }
}

function commentOf(statement: ts.Statement, text: string): string {
  const ranges = ts.getLeadingCommentRanges(text, statement.pos) ?? [];
  const last = ranges.at(-1);
  // A comment before an empty line, such as the header of the file, belongs to nothing below it.
  if (last === undefined || /\n\s*\n/.test(text.slice(last.end, statement.getStart()))) return '';
  return text
    .slice(last.pos, last.end)
    .replaceAll(/^\/\*\*?|\*\/$|^\/\/ ?/gm, '')
    .replaceAll(/^\s*\* ?/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The value in the largest unit that it fills: 300000 ms are 5 min, 65536 bytes are 64 KiB. */
export function describeLimit({ name, value }: PrivateLimit): string {
  if (/(_MS|[a-z]Ms)$/.test(name))
    return inUnits(value, 'ms', [
      [1000, 's'],
      [60, 'min'],
      [60, 'h'],
      [24, 'days'],
    ]);
  if (/_(S|SECONDS)$/.test(name))
    return inUnits(value, 's', [
      [60, 'min'],
      [60, 'h'],
      [24, 'days'],
    ]);
  if (name.endsWith('_DAYS')) return `${String(value)} days`;
  if (/(_BYTES|[a-z]Bytes)$/.test(name))
    return inUnits(value, 'bytes', [
      [1024, 'KiB'],
      [1024, 'MiB'],
      [1024, 'GiB'],
    ]);
  if (name.endsWith('_CHARACTERS')) return `${String(value)} characters`;
  if (name.endsWith('_PERCENT')) return `${String(value)} %`;
  return String(value);
}

function inUnits(value: number, unit: string, larger: readonly (readonly [number, string])[]): string {
  let [left, name] = [value, unit];
  for (const [factor, next] of larger) {
    if (left < factor || left % factor !== 0) break;
    [left, name] = [left / factor, next];
  }
  return left === 1 && name === 'days' ? '1 day' : `${String(left)} ${name}`;
}
