/**
 * The order in which a server makes things durable, by its system calls: `kill -9` cannot show a missing flush, because
 * the kernel keeps what a killed process wrote. Only a power cut would.
 */
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTempDir, post, startServer } from '../support/server.ts';
import {
  descriptorPath,
  hasSucceeded,
  namedPaths,
  noTracerBecause,
  readTrace,
  tracerInto,
  type SystemCall,
} from './system-calls.ts';

const PAGE_BYTES = 4096;

const refusal = noTracerBecause();
if (refusal !== undefined) process.stderr.write(`the order of durability is not tested: ${refusal}\n`);

/** A new name for a file: `link` of an object of the archive, `rename` of a file of the keys. */
interface Placed {
  readonly from: string;
  readonly to: string;
  readonly call: SystemCall;
}

const isFlush = ({ name }: SystemCall) => name === 'fsync' || name === 'fdatasync';
const isWrite = ({ name }: SystemCall) => /^(?:write|writev|pwrite64|pwritev|sendto|sendmsg)$/.test(name);

describe.skipIf(refusal !== undefined)('a server that takes two requests, one after the other', () => {
  let folder: Awaited<ReturnType<typeof makeTempDir>>;
  let data = '';
  let calls: SystemCall[] = [];
  let port = '';
  const at = (...names: string[]) => join(data, ...names);

  beforeAll(async () => {
    folder = await makeTempDir();
    data = join(folder.path, 'new', 'data');
    const trace = join(folder.path, 'trace');
    const server = await startServer(data, { AFFIDAVIT_LOG_LEVEL: 'error' }, tracerInto(trace));
    port = new URL(server.ingestUrl).port;
    for (const session_id of ['first', 'second']) {
      const body = JSON.stringify({ type: 'trace.test', session_id, content: { text: 'a' } });
      const answer = await post(server, { path: '/v1/events', contentType: 'application/json', body });
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
      await server.sealed();
    }
    expect(await server.stop()).toBe(0);
    calls = (await readTrace(trace, server.process.pid!)).filter(hasSucceeded);
  });
  afterAll(() => folder.remove());

  const between = (after: number, before: number) =>
    calls.filter(({ begin, end }) => begin > after && end < before);
  const isFlushed = (path: string, after: number, before: number) =>
    between(after, before).some((call) => isFlush(call) && descriptorPath(call) === path);
  const placed = (name: RegExp, below: string): Placed[] =>
    calls
      .filter((call) => name.test(call.name))
      .map((call) => {
        const [from = '', to = ''] = namedPaths(call);
        return { from, to, call };
      })
      .filter(({ to }) => to.startsWith(`${below}/`));
  const objects = () => placed(/^link/, at('archive', 'log'));
  const dataKeys = () => placed(/^link/, at('key-store'));
  const renamed = () => placed(/^rename/, at('keys'));
  /** Objects of one folder of the log of records in the order in which they got their names, without lock files. */
  const objectsIn = (kind: string) =>
    objects().filter(({ to }) => to.includes(`/log/p0/${kind}/`) && !to.endsWith('.lock'));

  /** Requests are answered through a socket of the receivers' port. */
  const answers = () =>
    calls.filter(
      (call) => isWrite(call) && call.args.includes(`:${port}->`) && call.args.includes('HTTP/1.1 200'),
    );
  const accepted = () =>
    calls.findIndex((call) => call.name.startsWith('accept') && call.args.includes(`:${port}`));

  it('is seen whole: two answers, two bundles, two checkpoints, each with its frames', () => {
    expect(answers()).toHaveLength(2);
    // Facts and content are locked for different times, so their frames lie in two objects.
    expect(objectsIn('payload')).toHaveLength(4);
    for (const kind of ['bundle', 'checkpoint']) expect(objectsIn(kind)).toHaveLength(2);
    expect(dataKeys().length).toBeGreaterThan(2);
    expect(accepted()).toBeGreaterThan(0);
  });

  /** Descriptors whose writes are on stable storage when they return. */
  const throughDescriptors = () =>
    calls
      .filter(({ name, args }) => name === 'openat' && args.includes('O_DSYNC'))
      .map(({ result }) => /^\d+/.exec(result ?? '')?.[0]);
  const isThrough = ({ args }: SystemCall) => throughDescriptors().includes(/^\d+/.exec(args)?.[0]);
  const writesTo = (file: string) => calls.filter((call) => isWrite(call) && descriptorPath(call) === file);
  /** LMDB writes pages as a whole. Its meta page, which shows a commit to readers, it writes in part. */
  const isMeta = ({ args }: SystemCall) =>
    Number(/, (\d+), \d+$/.exec(args)?.[1] ?? PAGE_BYTES) % PAGE_BYTES > 0;

  it('shows a commit of the event log to readers when its pages are flushed', () => {
    const file = at('event-log', 'data.mdb');
    const writes = writesTo(file);
    const metas = writes.filter(isMeta);
    expect(metas.length).toBeGreaterThan(2);
    for (const meta of metas) {
      const page = writes.findLast((call) => call.begin < meta.begin && !isMeta(call))!;
      expect(isThrough(meta), meta.args).toBe(true);
      expect(isFlushed(file, page.end, meta.begin), meta.args).toBe(true);
    }
  });

  it('answers when the event log has shown the commit of the request', () => {
    const log = at('event-log', 'data.mdb');
    let from = calls[accepted()]!.begin;
    for (const answer of answers()) {
      const own = writesTo(log).filter(({ begin, end }) => begin > from && end < answer.begin);
      const page = own.find((call) => !isMeta(call))!;
      expect(own.some((call) => isMeta(call) && call.begin > page.end)).toBe(true);
      // The second request comes when the first is sealed.
      from = objectsIn('checkpoint')[0]!.call.end;
    }
  });

  it('flushes each object and each lock before it gets its name', () => {
    const early = objects().filter(({ from, call }) => {
      const writes = calls.filter((one) => isWrite(one) && descriptorPath(one) === from);
      return writes.length === 0 || !isFlushed(from, writes.at(-1)!.end, call.begin);
    });
    expect(early.map(({ to }) => to)).toEqual([]);
  });

  it('flushes the folder of each lock before the object gets its name', () => {
    for (const { to, call } of objects().filter(({ to }) => !to.endsWith('.lock'))) {
      const lock = objects().find((other) => other.to.startsWith(`${to}.`) && other.call.end < call.begin);
      expect(lock && isFlushed(dirname(to), lock.call.end, call.begin), to).toBe(true);
    }
  });

  it.each([
    ['payload', 'bundle'],
    ['bundle', 'checkpoint'],
  ])('flushes the folder of %s before the %s that depends on it gets its name', (kind, dependent) => {
    for (const { to, call } of objectsIn(kind)) {
      const next = objectsIn(dependent).find((one) => one.call.begin > call.end)!.call;
      expect(isFlushed(dirname(to), call.end, next.begin), to).toBe(true);
    }
  });

  it('flushes each new data key before it gets its name, and its folder before a frame under it is written', () => {
    const payloads = objectsIn('payload');
    for (const { from, to, call } of dataKeys()) {
      const opened = calls.findLast(
        (one) => one.name === 'openat' && one.args.includes(`"${from}"`) && one.end < call.begin,
      );
      expect(isFlushed(from, opened!.end, call.begin), from).toBe(true);
      const frame = payloads.find((one) => one.call.begin > call.end)!;
      const staged = calls.find((one) => one.name === 'openat' && one.args.includes(`"${frame.from}"`))!;
      expect(isFlushed(dirname(to), call.end, staged.begin), to).toBe(true);
    }
  });

  it('flushes the folder of a checkpoint before the next bundle gets its name', () => {
    const [{ to, call }, [, next]] = [objectsIn('checkpoint')[0]!, objectsIn('bundle')];
    expect(isFlushed(dirname(to), call.end, next!.call.begin)).toBe(true);
  });

  it('flushes the genesis and its folder before the deployment names the log', () => {
    const genesis = objects().find(({ to }) => to.endsWith('/genesis'))!;
    const deployment = renamed().find(({ to }) => to.endsWith('/deployment.json'))!;
    expect(isFlushed(dirname(genesis.to), genesis.call.end, deployment.call.begin)).toBe(true);
  });

  it('creates objects by link alone: no file of the archive is opened for writing or renamed over', () => {
    const log = at('archive', 'log');
    const opened = calls.filter(
      ({ name, args }) =>
        name === 'openat' && args.includes(`"${log}`) && /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(args),
    );
    expect([...opened.map(({ args }) => args), ...placed(/^rename/, log).map(({ to }) => to)]).toEqual([]);
  });

  it('flushes each secret file before it gets its name, and its folder afterwards', () => {
    expect(renamed().length).toBeGreaterThan(4);
    for (const { from, to, call } of renamed()) {
      const opened = calls.findLast(
        (one) => one.name === 'openat' && one.args.includes(`"${from}"`) && one.end < call.begin,
      );
      expect(isFlushed(from, opened!.end, call.begin), from).toBe(true);
      expect(isFlushed(dirname(to), call.end, Infinity), to).toBe(true);
    }
  });

  it('remembers a head, its folder flushed, before the checkpoint of that head is made', () => {
    const guards = renamed().filter(({ to }) => to.endsWith('/head-guard.json'));
    objectsIn('checkpoint').forEach(({ from, call }, position) => {
      const { to, call: rename } = guards[position]!;
      const staged = calls.find((one) => one.name === 'openat' && one.args.includes(`"${from}"`));
      expect(isFlushed(dirname(to), rename.end, (staged ?? call).begin), to).toBe(true);
    });
  });

  it('flushes each new folder in the one above before anything in it counts', () => {
    /** Made again from the archive, or swept at the next start. */
    const derived = [at('records'), at('packages'), at('archive', '.staging')];
    const made = calls
      .filter(({ name }) => name.startsWith('mkdir'))
      .map((call) => ({ path: namedPaths(call)[0] ?? '', call }))
      .filter(({ path }) => path.startsWith(dirname(data)))
      .filter(({ path }) => !derived.some((one) => path === one || path.startsWith(`${one}/`)));
    expect(made.map(({ path }) => path)).toContain(data);
    const uses = [...dataKeys(), ...objects(), ...renamed()];
    const early = made.filter(({ path, call }) => {
      const use = uses.find(({ to }) => to.startsWith(`${path}/`))?.call ?? answers()[0]!;
      return !isFlushed(dirname(path), call.end, use.begin);
    });
    expect(early.map(({ path }) => path)).toEqual([]);
  });
});
