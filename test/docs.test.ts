import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configKeys } from '../config.ts';
import { ERRORS } from '../schemas/errors.ts';
import { FAILURES } from '../schemas/verification.ts';
import { describeLimit, findPrivateLimits } from './support/private-limits.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Compares a generated page with the one that is committed; `npm run docs` writes it. */
function expectPage(path: string, text: string): void {
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(ROOT, path), text);
  expect(existsSync(join(ROOT, path)) ? read(path) : '', `${path} is stale: run npm run docs`).toBe(text);
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (...cells: string[]) => `| ${cells.map(cell).join(' | ')} |\n`;

function configPage(): string {
  const rows = configKeys().map(({ path, variable, preset, description }) =>
    row(
      `\`${path.join('.')}\``,
      `\`${variable}\``,
      preset === undefined ? '' : `\`${JSON.stringify(preset)}\``,
      description,
    ),
  );
  const intro =
    'Defaults, then a JSON file (`--config FILE` or `AFFIDAVIT_CONFIG`), then the environment. ' +
    'All problems are reported at once; unknown keys and variables are problems. `affidavit config check` shows what is in force.';
  return `# Configuration\n\nGenerated from \`schemas/config.ts\` by \`npm run docs\`.\n\n${intro}\n\n${row('key', 'variable', 'default', 'meaning')}${row('---', '---', '---', '---')}${rows.join('')}`;
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, retry, title, hint }]) =>
    row(`\`${code}\``, String(status), retry, title, hint),
  );
  return `# Error codes\n\nGenerated from \`schemas/errors.ts\` by \`npm run docs\`. Codes are never reused. \`retry\` says whether the same request can succeed later.\n\n${row('code', 'HTTP status', 'retry', 'meaning', 'what to do')}${row('---', '---', '---', '---', '---')}${rows.join('')}`;
}

const LIMITS = findPrivateLimits();

function limitsPage(): string {
  const rows = LIMITS.map((limit) =>
    row(`\`${limit.name}\``, describeLimit(limit), `\`${limit.file}\``, limit.meaning),
  );
  const intro =
    'Times, sizes and numbers that bound the program and have no configuration key. ' +
    'A constant is listed if its name ends in a unit of time or size, or begins with `MAX_` or `MIN_`. ' +
    'The limits with a key are in [config.md](config.md).';
  return `# Private limits\n\nGenerated from the sources by \`npm run docs\`.\n\n${intro}\n\n${row('limit', 'value', 'file', 'meaning')}${row('---', '---', '---', '---')}${rows.join('')}`;
}

const PAGES = ['.', 'docs', 'docs/adr', 'docs/formats']
  .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.md'));

describe('the documents', () => {
  it('list every configuration key', () => expectPage('docs/config.md', configPage()));

  it('list every error code', () => expectPage('docs/errors.md', errorsPage()));

  it('list every private limit', () => {
    expectPage('docs/limits.md', limitsPage());
    expect(LIMITS.length).toBeGreaterThan(50);
  });

  it.each(['app', 'commands', 'config', 'cli', 'ingest/pull', 'ingest/send', 'schemas/config'])(
    'say of each private limit in %s what it bounds',
    (prefix) => {
      const silent = LIMITS.filter(({ file, meaning }) => file.startsWith(prefix) && meaning === '');
      expect(silent.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
    },
  );

  it('explain every verification failure', () => {
    const page = read('docs/formats/verification.md');
    expect(Object.keys(FAILURES).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });

  it.each(PAGES)('%s links to files that exist', (page) => {
    const prose = read(page)
      .replaceAll(/^```[^]*?^```/gm, '')
      .replaceAll(/`[^`\n]*`/g, '');
    const links = [...prose.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
    expect(links.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([]);
  });

  it('name in the README only scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read('README.md').matchAll(/npm run (?:-s )?([a-z0-9:]+)/g)].map(([, name]) => name!);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});
