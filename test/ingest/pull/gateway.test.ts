import {
  appendFile,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectGateway } from '../../../commands/collect-gateway.ts';
import { loadConfig } from '../../../config.ts';
import { createNormaliser } from '../../../ingest/normalise.ts';
import { buildReceivers } from '../../../ingest/receivers/app.ts';
import { createSurrogates } from '../../../ingest/surrogates.ts';
import { prepareBench, TOKEN } from '../receivers/setup.ts';
import { makeTempDir } from '../../support/server.ts';
import { startStub, type Mishap, type Stub, type Taken } from './receivers-stub.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let stub: Stub;
const closing: (() => Promise<unknown>)[] = [];
const logs = (...names: string[]) => join(folder.path, 'logs', ...names);

beforeEach(async () => {
  folder = await makeTempDir();
  await mkdir(logs());
  await start();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await folder.remove();
});

async function start(mishap?: (request: Taken, count: number) => Mishap | undefined): Promise<void> {
  const started = await startStub(mishap);
  closing.push(() => started.close());
  stub = started;
}

interface Run {
  readonly isWhole: boolean;
  readonly told: Record<string, unknown>;
}

const CONFIG = { ...loadConfig(undefined, {}), collector_token: TOKEN };

async function run(options: object = {}, signal = new AbortController().signal): Promise<Run> {
  const lines: string[] = [];
  const output = { isTerminal: false, write: (text: string) => void lines.push(text) };
  const config = { ...CONFIG, data: folder.path, ingest: { ...CONFIG.ingest, max_inflated_bytes: 4096 } };
  const chosen = { from: logs(), to: stub.url, once: false, json: true, ...options };
  const isWhole = await collectGateway(config, 'litellm', chosen, output, signal);
  return { isWhole, told: JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

const line = (id: string | number, more: object = {}) => `${JSON.stringify({ id: String(id), ...more })}\n`;
const linesOf = (from: number, to: number, more: object = {}) =>
  Array.from({ length: to - from }, (_, index) => line(from + index, more)).join('');
const idsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index));
const REFUSED = { status: 400, body: { code: 'BODY_MALFORMED' } };

describe('a pull of files in a folder', () => {
  it('delivers whole lines in order of file names, in folders below too, and tells of itself', async () => {
    await mkdir(logs('b'));
    await writeFile(logs('b', 'x.ndjson'), linesOf(2, 4));
    await writeFile(logs('a.log'), linesOf(0, 2));
    await writeFile(logs('c.json'), JSON.stringify([{ id: '4' }, { id: '5' }]));
    await writeFile(logs('d.json'), JSON.stringify({ id: '6' }, null, 2));
    await writeFile(logs('e.jsonl.gz'), gzipSync(linesOf(7, 9)));
    await writeFile(logs('.hidden'), 'not for others');
    const { isWhole, told } = await run();
    expect(isWhole).toBe(true);
    expect(stub.ids()).toEqual(idsOf(0, 9));
    expect(stub.taken.map(({ path, contentType }) => `${path} ${contentType}`)).toEqual([
      ...['ndjson', 'ndjson', 'json', 'json', 'ndjson'].map(
        (kind) => `/v1/gateways/litellm application/${kind === 'json' ? '' : 'x-'}${kind}`,
      ),
      '/v1/events application/json',
    ]);
    expect(told).toEqual({
      from: logs(),
      start_cursor: null,
      last_cursor: { file: 'e.jsonl.gz', bytes: linesOf(7, 9).length },
      ...{ files_seen: 5, files: 5, requests: 5, accepted: 9, quarantined: 0, waiting: 0 },
      ...{ problem_count: 0, problems: [], stopped: false },
    });
    expect(stub.pulled()).toEqual([{ source: 'gateway:litellm', ...told }]);
  });

  it('delivers nothing again, and asks no file that is as it was', async () => {
    await writeFile(logs('a.log'), linesOf(0, 3));
    await run();
    const { told } = await run();
    expect(stub.ids()).toEqual(idsOf(0, 3));
    expect(told).toMatchObject({ files_seen: 1, files: 0, requests: 0, accepted: 0 });
    expect(told['start_cursor']).toEqual({ file: 'a.log', bytes: linesOf(0, 3).length });
  });

  it('leaves a line without its end for later, and goes on behind what it delivered', async () => {
    const half = line(2, { text: 'x'.repeat(50) });
    await writeFile(logs('a.log'), linesOf(0, 2) + half.slice(0, 20));
    expect((await run()).told).toMatchObject({ accepted: 2, waiting: 1, problem_count: 0 });
    await appendFile(logs('a.log'), half.slice(20) + line(3));
    expect((await run()).told).toMatchObject({ accepted: 2, waiting: 0 });
    expect(stub.ids()).toEqual(idsOf(0, 4));
  });

  it('takes the last line without its end where it is an object as it stands', async () => {
    await writeFile(logs('a.log'), line(0) + line(1).trimEnd());
    expect((await run()).told).toMatchObject({ accepted: 2, waiting: 0 });
    await appendFile(logs('a.log'), `\n${line(2)}`);
    await run();
    expect(stub.ids()).toEqual(idsOf(0, 3));
  });

  it('says that a line never got its end, until it does', async () => {
    await writeFile(logs('a.log'), `${line(0)}{"id":`);
    expect((await run()).isWhole).toBe(true);
    for (let look = 0; look < 2; look += 1) {
      const { isWhole, told } = await run();
      expect(isWhole).toBe(false);
      expect(told['problems']).toEqual([{ file: 'a.log', reason: 'line_unfinished' }]);
    }
    await appendFile(logs('a.log'), '"1"}\n');
    expect((await run()).isWhole).toBe(true);
    expect(stub.ids()).toEqual(['0', '1']);
  });

  it('knows a file that was renamed or packed by what it holds', async () => {
    await writeFile(logs('a.log'), linesOf(0, 3));
    await run();
    await appendFile(logs('a.log'), line(3));
    await rename(logs('a.log'), logs('a.log.1'));
    await writeFile(logs('a.log'), line(4));
    expect((await run()).told).toMatchObject({ files: 2, accepted: 2 });
    const text = await readFile(logs('a.log.1'));
    await writeFile(logs('a.log.2.gz'), gzipSync(text));
    await rm(logs('a.log.1'));
    expect((await run()).told).toMatchObject({ files: 0, accepted: 0 });
    expect(stub.ids()).toEqual(['0', '1', '2', '4', '3']);
  });

  it('reads a file anew that was rewritten, shorter or not', async () => {
    await writeFile(logs('a.log'), linesOf(0, 3));
    await run();
    await writeFile(logs('a.log'), linesOf(10, 12));
    await run();
    await writeFile(logs('a.log'), linesOf(20, 25));
    await run();
    expect(stub.ids()).toEqual([...idsOf(0, 3), ...idsOf(10, 12), ...idsOf(20, 25)]);
  });

  it('reads a file anew that was cut off and begun again, whatever its time says', async () => {
    const times = [new Date(1_700_000_000_000), new Date(1_700_000_000_000)] as const;
    await writeFile(logs('a.log'), linesOf(0, 3));
    await utimes(logs('a.log'), ...times);
    await run();
    await truncate(logs('a.log'), 0);
    await writeFile(logs('a.log'), linesOf(3, 6));
    await utimes(logs('a.log'), ...times);
    await run();
    expect(stub.ids()).toEqual(idsOf(0, 6));
  });

  it('delivers nothing of gzip that is cut short, says so each time, and all of it once it is whole', async () => {
    const packed = gzipSync(linesOf(0, 200));
    await writeFile(logs('a.gz'), packed.subarray(0, packed.length - 9));
    await writeFile(logs('b.log'), line('b'));
    for (let look = 0; look < 2; look += 1) {
      const { isWhole, told } = await run();
      expect(isWhole).toBe(false);
      expect(told['problems']).toEqual([{ file: 'a.gz', reason: 'gzip_broken' }]);
    }
    expect(stub.ids()).toEqual(['b']);
    await writeFile(logs('a.gz'), packed);
    expect((await run()).isWhole).toBe(true);
    expect(stub.ids()).toEqual(['b', ...idsOf(0, 200)]);
  });

  it.each([
    ['followed by something else', Buffer.concat([gzipSync(line(0)), Buffer.from('rest')])],
    ['of other bytes than it says', flipped(gzipSync(linesOf(0, 50)))],
    ['empty', Buffer.alloc(0)],
  ])('says of gzip that is %s that it is broken', async (_, bytes) => {
    await writeFile(logs('a.log.gz'), bytes);
    expect((await run()).told['problems']).toEqual([{ file: 'a.log.gz', reason: 'gzip_broken' }]);
    expect(stub.ids()).toEqual([]);
  });

  it('reads gzip of several members, and by its bytes rather than its name', async () => {
    await writeFile(logs('a.gz'), Buffer.concat([gzipSync(linesOf(0, 2)), gzipSync(linesOf(2, 4))]));
    await writeFile(logs('b'), gzipSync(line(4)));
    await run();
    expect(stub.ids()).toEqual(idsOf(0, 5));
  });

  it('passes over a line that no receiver would take, delivers the rest and tells which it was, once', async () => {
    const long = line(1, { text: 'x'.repeat(5000) });
    await writeFile(logs('a.log'), line(0) + long + linesOf(2, 4));
    const { isWhole, told } = await run();
    expect(isWhole).toBe(false);
    expect(told['problems']).toEqual([{ file: 'a.log', line: 2, reason: 'line_too_large' }]);
    expect(stub.ids()).toEqual(['0', '2', '3']);
    expect(stub.pulled()[0]).toMatchObject({ problem_count: 1, problems: told['problems'] });
    expect((await run()).isWhole).toBe(true);
  });

  it('finds the lines that are refused among many, and delivers all others', async () => {
    await start(({ text }) => (/"id":"(7|13)"/.test(text) ? REFUSED : undefined));
    await writeFile(logs('a.log'), linesOf(0, 20));
    const { isWhole, told } = await run();
    expect(isWhole).toBe(false);
    expect(told['problems']).toEqual(
      [8, 14].map((at) => ({ file: 'a.log', line: at, reason: 'line_refused', code: 'BODY_MALFORMED' })),
    );
    expect(stub.ids()).toEqual(idsOf(0, 20).filter((id) => id !== '7' && id !== '13'));
  });

  it('gives a file up of which line after line is refused, and goes on with the next', async () => {
    await start(({ text }) => (text.includes('"bad"') ? REFUSED : undefined));
    await writeFile(logs('a.log'), linesOf(0, 150, { bad: true }));
    await writeFile(logs('b.log'), line('b'));
    const { told } = await run();
    expect(told).toMatchObject({ problem_count: 102 });
    expect(told['problems']).toContainEqual({ file: 'a.log', reason: 'too_many_refused' });
    expect(stub.ids()).toEqual(['b']);
  });

  it.each([
    ['no JSON', 'a.csv', 'a,b\n1,2\n', 'not_json'],
    ['an array that is still being written', 'a.json', '[{"id":"1"},', 'document_unfinished'],
    [
      'an array that is too large',
      'a.json',
      JSON.stringify([{ id: 'x'.repeat(5000) }]),
      'document_too_large',
    ],
  ])('says each time of %s that it was not taken', async (_, name, text, reason) => {
    await writeFile(logs(name), text);
    await writeFile(logs('z.log'), line('z'));
    for (let look = 0; look < 2; look += 1) {
      const { isWhole, told } = await run();
      expect(isWhole).toBe(false);
      expect(told['problems']).toEqual([{ file: name, reason }]);
    }
    expect(stub.ids()).toEqual(['z']);
  });

  it('says of a document that is refused that it was, and takes it once it is another', async () => {
    await start(({ text }) => (text.includes('bad') ? REFUSED : undefined));
    await writeFile(logs('a.json'), '[{"id":"bad"}]');
    expect((await run()).told['problems']).toEqual([{ file: 'a.json', reason: 'document_refused' }]);
    await writeFile(logs('a.json'), '[{"id":"good"}]');
    expect((await run()).isWhole).toBe(true);
    expect(stub.ids()).toEqual(['good']);
  });

  it('does not follow links', async () => {
    await writeFile(join(folder.path, 'elsewhere'), line(0));
    await symlink(join(folder.path, 'elsewhere'), logs('a.log'));
    expect((await run()).told).toMatchObject({ files_seen: 0 });
  });
});

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[Math.floor(bytes.length / 2)]! ^= 0x10;
  return changed;
}

describe('a pull whose receivers or own process fail', () => {
  const MORE = { text: 'x'.repeat(200) };
  /** Three files of several requests each. */
  async function writeFiles(): Promise<string[]> {
    await writeFile(logs('a.log'), linesOf(0, 60, MORE));
    await writeFile(logs('b.log.gz'), gzipSync(linesOf(60, 120, MORE)));
    await writeFile(logs('c.json'), JSON.stringify([{ id: '120' }, { id: '121' }]));
    return idsOf(0, 122);
  }

  it('loses nothing and passes nothing wherever it dies, before an answer or after', async () => {
    const all = await writeFiles();
    await run();
    const requests = stub.asked();
    expect(requests).toBeGreaterThan(8);
    for (let at = 1; at <= requests; at += 1) {
      for (const death of ['hang_before', 'hang_after'] as const) {
        let hung: (() => void) | undefined;
        const dead = new Promise<void>((resolve) => (hung = resolve));
        await start((_, count) => {
          if (count !== at) return undefined;
          hung?.();
          return death;
        });
        const state = join(folder.path, `${death}-${String(at)}.json`);
        // Never ends: what it had not written by then is not written.
        run({ state }).catch(() => undefined);
        await dead;
        const before = [...stub.ids()];
        await start();
        await run({ state });
        const delivered = new Set([...before, ...stub.ids()]);
        expect([at, death, all.filter((id) => !delivered.has(id))]).toEqual([at, death, []]);
        expect(stub.ids()).toEqual(all.slice(all.length - stub.ids().length));
        await run({ state });
        expect(stub.pulled().at(-1)).toMatchObject({ requests: 0 });
      }
    }
  }, 60_000);

  it('tells of a refused line after all, where it died before it could', async () => {
    await start(({ text, path }) =>
      path === '/v1/events' ? 'hang_before' : text.includes('"bad"') ? REFUSED : undefined,
    );
    await writeFile(logs('a.log'), linesOf(0, 3) + line('x', { bad: true }) + linesOf(3, 6));
    const state = join(folder.path, 'state.json');
    run({ state }).catch(() => undefined);
    await expect.poll(() => stub.paths, { timeout: 10_000 }).toContain('/v1/events');
    await start();
    const { isWhole, told } = await run({ state });
    expect(isWhole).toBe(false);
    expect(told['problems']).toMatchObject([{ file: 'a.log', line: 4, reason: 'line_refused' }]);
    expect(stub.pulled()).toMatchObject([{ problem_count: 1 }]);
    expect((await run({ state })).isWhole).toBe(true);
  });

  it('tries again what was not answered, cut, or asked to come later', async () => {
    const all = await writeFiles();
    const mishaps: readonly Mishap[] = [
      { status: 503, headers: { 'retry-after': '0' }, body: {} },
      'cut_before',
      { status: 429, headers: { 'retry-after': '0' }, body: {} },
      'cut_after',
      { status: 500, headers: { 'retry-after': '0' }, body: {} },
    ];
    await start((_, count) => (count % 2 === 1 ? mishaps[((count - 1) / 2) % mishaps.length] : undefined));
    expect((await run()).isWhole).toBe(true);
    expect([...new Set(stub.ids())]).toEqual(all);
  });

  it('waits as long as Retry-After asks', async () => {
    await writeFile(logs('a.log'), line(0));
    const atMs: number[] = [];
    await start((_, count) => {
      atMs.push(performance.now());
      return count === 1 ? { status: 429, headers: { 'retry-after': '1' }, body: {} } : undefined;
    });
    await run();
    expect(atMs[1]! - atMs[0]!).toBeGreaterThan(950);
  });

  it.each([
    [401, 'AUTH_INVALID'],
    [403, 'AUTH_INVALID'],
    [404, 'USAGE_INVALID'],
    [415, 'STORE_UNAVAILABLE'],
  ])('ends at %i with %s, and has passed nothing', async (status, code) => {
    await writeFile(logs('a.log'), line(0));
    await start(() => ({ status, body: {} }));
    await expect(run()).rejects.toMatchObject({ code });
    await start();
    await run();
    expect(stub.ids()).toEqual(['0']);
  });

  it('ends in good order where it is stopped while it waits', async () => {
    await writeFile(logs('a.log'), line(0));
    const stop = new AbortController();
    await start((_, count) => {
      if (count > 1) return undefined;
      setTimeout(() => stop.abort(), 50);
      return { status: 503, headers: { 'retry-after': '30' }, body: {} };
    });
    const { told } = await run({}, stop.signal);
    expect(told).toMatchObject({ requests: 0, stopped: true });
    await run();
    expect(stub.ids()).toEqual(['0']);
  });

  it('follows a folder until it is stopped, and tells only of looks that found something', async () => {
    await writeFile(logs('a.log'), line(0));
    const stop = new AbortController();
    const following = run({ follow: '1' }, stop.signal);
    await expect.poll(() => stub.pulled().length, { timeout: 10_000 }).toBe(1);
    await appendFile(logs('a.log'), line(1));
    await expect.poll(() => stub.ids(), { timeout: 10_000 }).toEqual(['0', '1']);
    stop.abort();
    expect((await following).isWhole).toBe(true);
    expect(stub.pulled().map(({ accepted }) => accepted)).toEqual([1, 1]);
  });

  it('refuses what it cannot make sense of', async () => {
    for (const options of [{ follow: '0' }, { follow: 'x' }, { from: 'ftp://host/logs' }]) {
      await expect(run(options)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    }
    await expect(run({ from: logs('absent') })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const state = join(folder.path, 'state.json');
    await run({ state });
    await mkdir(logs('other'));
    await expect(run({ state, from: logs('other') })).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    await writeFile(state, '{}');
    await expect(run({ state })).rejects.toMatchObject({ code: 'START_REFUSED' });
  });
});

describe('a pull into real receivers', () => {
  it('makes records of calls and of the run, and keeps what is no call', async () => {
    const bench = prepareBench();
    const app = buildReceivers(bench.options);
    closing.push(() => app.close());
    await app.listen({ host: '127.0.0.1', port: 0 });
    const to = `http://127.0.0.1:${String((app.server.address() as AddressInfo).port)}`;
    const call = { litellm_call_id: 'c-1', status: 'success', model: 'm', messages: [] };
    await writeFile(logs('a.log'), `${JSON.stringify(call)}\n\n{"id":1e999}\n{broken\n`);
    const { isWhole, told } = await run({ to });
    expect(isWhole).toBe(false);
    expect(told).toMatchObject({
      ...{ accepted: 1, quarantined: 1, problem_count: 1 },
      problems: [{ file: 'a.log', line: 4, reason: 'line_refused', code: 'BODY_MALFORMED' }],
    });
    const normalise = createNormaliser({
      surrogates: createSurrogates(Buffer.alloc(32, 7)),
    });
    const records = bench.appended.flatMap((envelope) => normalise(envelope).records);
    expect(records.map(({ type }) => type)).toEqual(['model.called', 'quarantined', 'collector.pulled']);
    expect(records.at(-1)!.content).toEqual({ source: 'gateway:litellm', ...told });
  });
});
