import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configKeys } from '../config.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const COMPOSE = read('docker-compose.yml');

describe('the container files', () => {
  it('set only variables that the configuration knows', () => {
    const known = new Set(configKeys().map(({ variable }) => variable));
    const named = [...`${COMPOSE}${read('Dockerfile')}`.matchAll(/\bAFFIDAVIT_[A-Z0-9_]+/g)].map(
      ([name]) => name,
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it('have no secret of their own', () => {
    const secrets = [
      ...COMPOSE.matchAll(/(?:PASSWORD|TOKEN|SECRET_ACCESS_KEY|ACCESS_KEY_ID|ROOT_USER): (.*)$/gm),
    ];
    expect(secrets.length).toBeGreaterThan(6);
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{[A-Z0-9_]+:\?\}$/);
  });

  it('publish ports on loopback alone', () => {
    const ports = [...COMPOSE.matchAll(/ports: \[(.*)\]/g)].map(([, list]) => list);
    expect(ports.length).toBe(3);
    const published = ports.flatMap((list) => list!.split(', '));
    expect(published.length).toBe(4);
    for (const port of published) expect(port).toMatch(/^'127\.0\.0\.1:/);
  });

  it('begin a history by `init` alone, never by a server', () => {
    expect(COMPOSE).toMatch(/^ {2}init:\n(?: {4}.*\n)*? {4}command: \[init\]$/m);
    expect(`${COMPOSE}${read('Dockerfile')}`).not.toContain('--init');
    expect(read('Dockerfile')).toMatch(/^CMD \["serve"\]$/m);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => scripts[name]?.includes('--init'))).toEqual(['start']);
  });

  it('run no process of ours as root or with a file system that it can change', () => {
    expect(read('Dockerfile')).toMatch(/^USER node$/m);
    expect(COMPOSE.match(/image: affidavit$/gm)?.length).toBe(COMPOSE.match(/read_only: true/g)?.length);
  });
});
