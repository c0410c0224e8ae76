import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFileMasterKeys } from '../../../../store/data-keys/local/file-master-keys.ts';
import { openLocalKeyObjects } from '../../../../store/data-keys/local/key-objects.ts';
import { addressOf, everything, fingerprints, openTestKeyStore } from '../../../support/key-store.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'support', 'make-keys-until-killed.ts');
const ROUNDS = 3;

describe('two processes that make keys and are killed', () => {
  it('lose no key that they gave, and leave only objects that read', { timeout: 120_000 }, async () => {
    const root = await mkdtemp(join(tmpdir(), 'affidavit-keys-'));
    const given = new Map<string, string>();
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const texts = await Promise.all([runUntilKilled(root, 20 + round * 7), runUntilKilled(root, 11)]);
        // The last line of a killed process may be cut.
        const lines = texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => line.split(' '));
        for (const [subject = '', key = ''] of lines) given.set(subject, key);
        const objects = await openLocalKeyObjects({
          dir: join(root, 'store'),
          purpose: 'begin',
          clock: Date.now,
          newId: randomUUID,
        });
        const masterKeys = openFileMasterKeys({ dir: join(root, 'master-keys'), randomBytes });
        const store = await openTestKeyStore(objects, masterKeys);
        const found = await store.find([...given.keys()].map((subject) => addressOf(subject)));
        expect(fingerprints(found)).toEqual([...given.values()]);
        for (const [name, bytes] of await everything(objects)) {
          expect(() => void JSON.parse(bytes.toString()), name).not.toThrow();
        }
      }
      expect(given.size).toBeGreaterThan(ROUNDS * 25);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

async function runUntilKilled(root: string, lineCount: number): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.split('\n').length > lineCount) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return text;
}
