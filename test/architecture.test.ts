import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import {
  ADAPTERS,
  BUILT_UPON,
  FOLDERS,
  PORTS_AMONG_ADAPTERS,
  ALLOWED,
  SDK_HOMES,
  VALIDATORS,
} from './support/architecture-rules.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** A program of its own: it must start in a few milliseconds and stand alone, so it binds its world itself. */
const HOOK_ENTRY = 'ingest/hook/main.ts';

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

function sources(): string[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith('.ts') && name !== 'vitest.config.ts');
  const below = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  return [...top, ...below];
}

const FILES = sources();
const TEXTS = new Map(FILES.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));

function importsOf(file: string): Import[] {
  const tree = ts.createSourceFile(file, TEXTS.get(file)!, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (specifier: ts.Expression, isTypeOnly: boolean) => {
    if (!ts.isStringLiteral(specifier)) return;
    const { text } = specifier;
    const to = text.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), text)) : text;
    found.push({ from: file, to, isTypeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeImport(node));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
      add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0]!, false);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = importClause?.namedBindings;
  if (importClause?.name !== undefined || named === undefined || !ts.isNamedImports(named)) return false;
  return named.elements.every(({ isTypeOnly }) => isTypeOnly);
}

const IMPORTS = FILES.flatMap(importsOf);
const isLocal = ({ to }: Import) => FILES.includes(to);
const isBelow = (file: string, prefix: string) =>
  file === prefix || file.startsWith(prefix.endsWith('.ts') || prefix === '' ? prefix : `${prefix}/`);
const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
const show = ({ from, to }: Import) => `${from} → ${to}`;

describe('the architecture', () => {
  it('has no import against the flow', () => {
    const against = IMPORTS.filter(isLocal).filter(({ from, to }) => {
      const rule = Object.keys(ALLOWED)
        .filter((prefix) => isBelow(from, prefix))
        .sort((a, b) => b.length - a.length)[0];
      return rule === undefined || !ALLOWED[rule]!.some((prefix) => isBelow(to, prefix));
    });
    expect(against.map(show)).toEqual([]);
  });

  it('imports every local file by a path that exists', () => {
    const missing = IMPORTS.filter(
      (edge) => /\.[cm]?[jt]s$/.test(edge.to) && !edge.to.includes('node_modules'),
    )
      .filter((edge) => !isLocal(edge))
      .filter(({ to }) => !/^[@a-z]/.test(to) || FOLDERS.some((folder) => to.startsWith(`${folder}/`)));
    expect(missing.map(show)).toEqual([]);
  });

  it('lets nobody but the composition root import adapters', () => {
    const leaks = IMPORTS.filter(isLocal).filter(({ from, to }) => {
      const home = ADAPTERS.find((adapter) => isBelow(to, adapter));
      return (
        home !== undefined &&
        !PORTS_AMONG_ADAPTERS.includes(to) &&
        !BUILT_UPON.some(([builder, base]) => isBelow(from, builder) && isBelow(to, base)) &&
        !isBelow(from, home) &&
        !isBelow(from, 'app') &&
        !isBelow(from, 'commands/init.ts')
      );
    });
    expect(leaks.map(show)).toEqual([]);
  });

  it('verifies with nothing but schemas and the chain', () => {
    // Comparing the record store with the archive needs the store: `verify --store`.
    const OFFLINE = FILES.filter(
      (file) => isBelow(file, 'store/verify') && !isBelow(file, 'store/verify/store'),
    );
    const reached = new Set<string>();
    const walk = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      IMPORTS.filter(({ from, isTypeOnly }) => from === file && !isTypeOnly)
        .filter(isLocal)
        .forEach(({ to }) => walk(to));
    };
    OFFLINE.forEach(walk);
    expect(
      [...reached].filter(
        (file) => !['schemas', 'store/chain', 'store/verify'].some((home) => isBelow(file, home)),
      ),
    ).toEqual([]);
  });

  it('gives each SDK one home, and declares every package it imports', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object };
    const outside = IMPORTS.filter(
      (edge) => !isLocal(edge) && !edge.to.startsWith('node:') && !/^\.|\.ts$/.test(edge.to),
    );
    const strays = outside.filter(({ from, to, isTypeOnly }) => {
      const name = packageOf(to);
      if (!(name in manifest.dependencies)) return true;
      if (isTypeOnly && name === 'pino') return false;
      return !SDK_HOMES[name]?.some((home) => isBelow(from, home));
    });
    expect(strays.map(show)).toEqual([]);
    const bare = outside.filter(({ to }) => builtinModules.includes(to));
    expect(bare.map(show)).toEqual([]);
  });

  it('uses one validator for each purpose', () => {
    const strays = IMPORTS.filter(({ from, to }) => {
      const users = VALIDATORS[to];
      return users !== undefined && !isBelow(from, 'schemas') && !users.some((user) => isBelow(from, user));
    }).filter(({ isTypeOnly }) => !isTypeOnly);
    expect(strays.map(show)).toEqual([]);
  });

  it('has no cycles among what its files load', () => {
    const edges = new Map(
      FILES.map((file) => [
        file,
        IMPORTS.filter((edge) => edge.from === file && isLocal(edge) && !edge.isTypeOnly).map(({ to }) => to),
      ]),
    );
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        edges.get(file)!.forEach((to) => visit(to, [...path, file]));
        done.add(file);
      }
    };
    FILES.forEach((file) => visit(file, []));
    expect(cycles).toEqual([]);
  });

  it('has no cycles among the folders of store, types included', () => {
    const ROOMS = Object.keys(ALLOWED)
      .filter((prefix) => isBelow(prefix, 'store'))
      .sort((a, b) => b.length - a.length);
    const roomOf = (file: string) => ROOMS.find((room) => isBelow(file, room));
    const edges = IMPORTS.filter(isLocal).filter(({ from, to }) => roomOf(from) && roomOf(to));
    const reaches = (from: string | undefined, to: string | undefined, seen = new Set<string>()): boolean =>
      edges
        .filter((edge) => roomOf(edge.from) === from && roomOf(edge.to) !== from)
        .map((edge) => roomOf(edge.to)!)
        .some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
    expect(ROOMS.filter((room) => reaches(room, room))).toEqual([]);
  });

  it('reads the environment in config.ts and the entry of the hook client alone', () => {
    const readers = FILES.filter((file) => /process\.env|process\[['"]env/.test(TEXTS.get(file)!));
    expect(readers).toEqual(['config.ts', HOOK_ENTRY]);
  });

  it('binds clock, ids and randomness in the composition root and the entry of the hook client alone', () => {
    const isBound = (text: string) =>
      /\bDate\.now\b|new Date\(\)|Math\.random|import \{[^}]*\brandom(Bytes|UUID)\b[^}]*\} from/.test(text);
    const withoutComments = (file: string) => TEXTS.get(file)!.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');
    const binders = FILES.filter((file) => !isBelow(file, 'app') && isBound(withoutComments(file)));
    expect(binders).toEqual([HOOK_ENTRY]);
  });

  it('has no barrel files but the explicit lists of sources and frameworks', () => {
    expect(FILES.filter((file) => /(^|\/)index\.ts$/.test(file))).toEqual([
      'connectors/sources/index.ts',
      'reports/frameworks/index.ts',
    ]);
  });

  it('keeps ports at no more than five methods besides those that close', () => {
    const ports = [
      'store/archive/archive.ts',
      'store/records/record-store.ts',
      ...['key-objects', 'key-store', 'master-key'].map((name) => `store/data-keys/${name}.ts`),
      'store/keys/signer.ts',
      'ingest/event-log.ts',
      'ingest/seen-ids.ts',
      'store/ledger/projection.ts',
    ];
    for (const file of ports) {
      const tree = ts.createSourceFile(file, TEXTS.get(file)!, ts.ScriptTarget.Latest, true);
      const interfaces = tree.statements.filter(ts.isInterfaceDeclaration);
      for (const { name, members } of interfaces) {
        expect(members.filter(ts.isMethodSignature).length, `${file} ${name.text}`).toBeLessThanOrEqual(5);
      }
    }
  });
});
