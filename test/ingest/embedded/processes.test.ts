import { randomUUID } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventLog } from '../../../ingest/event-log.ts';
import { openEmbeddedEventLog } from '../../../ingest/embedded/event-log.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { consumeCount } from '../../contract/event-log.contract.ts';

const CHILD = join(import.meta.dirname, 'children', 'append.ts');
const LIMITS = { maxBacklogBytes: 256 * 1024 * 1024, maxBacklogEnvelopes: 1_000_000 };

interface Appender {
  readonly child: ChildProcess;
  readonly acknowledged: string[];
  readonly refused: string[];
  /** Resolves once at least `count` appends were answered. */
  answers(count: number): Promise<void>;
  readonly ended: Promise<void>;
}

function startAppender(dir: string, args: readonly string[], shellPrefix?: string): Appender {
  const node = [process.execPath, '--import', 'tsx', CHILD, dir, ...args];
  const child =
    shellPrefix === undefined
      ? spawn(node[0]!, node.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] })
      : spawn('sh', ['-c', `${shellPrefix} exec "$@"`, 'sh', ...node], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
  const acknowledged: string[] = [];
  const refused: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const words = line.split(' ');
    if (words[0] === 'ok') acknowledged.push(words[1]!);
    if (words[0] === 'no') refused.push(words[1]!);
    for (const one of waiting) if (acknowledged.length + refused.length >= one.count) one.resolve();
  });
  return {
    child,
    acknowledged,
    refused,
    answers: (count) => new Promise((resolve) => waiting.push({ count, resolve })),
    ended: new Promise((resolve) => child.once('close', () => resolve())),
  };
}

async function remainingIds(log: EventLog): Promise<string[]> {
  const { envelopes } = await log.lag();
  if (envelopes === 0) return [];
  const consumed = await consumeCount(log, envelopes);
  return consumed.envelopes.map((one) => one.envelope.envelope_id);
}

describe('the embedded event log and other processes', () => {
  let dir: string;
  const handles: EventLog[] = [];
  const open = async (): Promise<EventLog> => {
    const log = await openEmbeddedEventLog({ newId: randomUUID, dir, ...LIMITS });
    handles.push(log);
    return log;
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'affidavit-event-log-'));
  });
  afterEach(async () => {
    for (const handle of handles.splice(0)) await handle.close();
    await rm(dir, { recursive: true });
  });

  it('holds every acknowledged envelope after a process is killed while it appends', async () => {
    const appender = startAppender(dir, ['killed']);
    await appender.answers(200);
    appender.child.kill('SIGKILL');
    await appender.ended;
    const stored = await remainingIds(await open());
    expect(appender.acknowledged.length).toBeGreaterThanOrEqual(200);
    expect(appender.refused).toEqual([]);
    expect(new Set(stored)).toEqual(new Set([...stored, ...appender.acknowledged]));
    expect(new Set(stored).size).toBe(stored.length);
  });

  it('keeps working in this process when another one is killed inside a transaction', async () => {
    const log = await open();
    for (let round = 0; round < 3; round += 1) {
      const appender = startAppender(dir, [`round${round}-`, '0', '200000']);
      await appender.answers(20);
      const ours = log.append([envelopeOf(`ours${round}`)]);
      appender.child.kill('SIGKILL');
      await Promise.all([ours, appender.ended]);
      await log.append([envelopeOf(`after${round}`)]);
      const stored = await remainingIds(log);
      const expected = [...appender.acknowledged, `ours${round}`, `after${round}`];
      expect(stored).toEqual(expect.arrayContaining(expected));
      expect(stored.at(-1)).toBe(`after${round}`);
    }
  });

  it('delivers the appends of other processes to a consumer, each once, at rising offsets', async () => {
    const log = await open();
    const appenders = [startAppender(dir, ['a', '150']), startAppender(dir, ['b', '150'])];
    const consuming = consumeCount(log, 350);
    for (let index = 0; index < 50; index += 1) await log.append([envelopeOf(`here${index}`)]);
    const { envelopes } = await consuming;
    await Promise.all(appenders.map((one) => one.ended));
    const ids = envelopes.map((one) => one.envelope.envelope_id);
    expect(new Set(ids).size).toBe(350);
    expect(ids).toEqual(expect.arrayContaining(appenders.flatMap((one) => one.acknowledged)));
    expect(envelopes.every((one, index) => one.offset === BigInt(index))).toBe(true);
    expect(ids.filter((id) => id.startsWith('here'))).toEqual(
      Array.from({ length: 50 }, (_, i) => `here${i}`),
    );
  });

  it('refuses with LOG_UNAVAILABLE when the file cannot grow, and keeps what it acknowledged', async () => {
    // A file size limit fails writes the way a full disk does; its signal is ignored, so that writes return errors.
    const appender = startAppender(dir, ['full', '60', '100000'], `trap '' XFSZ; ulimit -f 4000;`);
    await appender.ended;
    expect(appender.acknowledged.length).toBeGreaterThan(5);
    expect(appender.refused.length).toBeGreaterThan(5);
    expect(new Set(appender.refused)).toEqual(new Set(['LOG_UNAVAILABLE']));
    const log = await open();
    await log.append([envelopeOf('room again')]);
    expect(await remainingIds(log)).toEqual([...appender.acknowledged, 'room again']);
  });
});
