import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Script } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { readCompose } from './support/compose-check.ts';
import { buildGoProgram } from './support/go-program.ts';

interface Project {
  readonly services: Readonly<Record<string, Service>>;
}

interface Service {
  readonly image?: string;
  readonly healthcheck?: { readonly test?: readonly string[] };
}

const FILE = resolve(import.meta.dirname, '../docker-compose.yml');
const TEXT = readFileSync(FILE, 'utf8');
const REQUIRED = [...new Set([...TEXT.matchAll(/\$\{([A-Z0-9_]+):\?/g)].map(([, name]) => name!))];
const VALUES = Object.fromEntries(REQUIRED.map((name) => [name, `value-of-${name}`]));
const ROLES = ['api', 'ingest', 'report', 'sequence'];

const folder = await mkdtemp(join(tmpdir(), 'affidavit-compose-'));
const program = buildGoProgram('compose-check', folder).path;
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(program === undefined)('docker-compose.yml, read as docker compose reads it', () => {
  const project = () => {
    const { code, stdout, stderr } = readCompose(program!, FILE, VALUES);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as Project;
  };

  it('is valid and has every service', () => {
    const others = ['bucket', 'clickhouse', 'init', 'kafka', 'minio'];
    expect(Object.keys(project().services).sort()).toEqual([...ROLES, ...others].sort());
  });

  it('asks each role for its health with a program that Node can read', () => {
    const { services } = project();
    for (const role of ROLES) {
      const [kind, command, option, source, ...rest] = services[role]?.healthcheck?.test ?? [];
      expect([kind, command, option, rest]).toEqual(['CMD', 'node', '-e', []]);
      expect(() => new Script(source!)).not.toThrow();
    }
  });

  it('asks for each variable that has no default', () => {
    expect(REQUIRED.length).toBeGreaterThan(5);
    for (const name of REQUIRED) {
      const others = Object.entries(VALUES).filter(([other]) => other !== name);
      const { code, stderr } = readCompose(program!, FILE, Object.fromEntries(others));
      expect(code).toBe(1);
      expect(stderr).toContain(`required variable ${name} is missing a value`);
    }
  });

  it('is refused where YAML reads the program of a health check as a mapping', async () => {
    const broken = join(folder, 'broken.yml');
    const item = /^ {6}- (?:'|")?fetch\(.*$/m;
    expect(TEXT).toMatch(item);
    await writeFile(broken, TEXT.replace(item, '      - fetch(answer.ok ? 0: 1)'));
    const { code, stderr } = readCompose(program!, broken, VALUES);
    expect(code).toBe(1);
    expect(stderr).toContain('healthcheck.test.3 must be a string');
  });
});
