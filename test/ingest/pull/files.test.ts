import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStateFile } from '../../../app/pull-sources.ts';
import { openDelivery } from '../../../ingest/send/delivery.ts';
import { collectFiles } from '../../../ingest/pull/files.ts';
import { openFileStates } from '../../../ingest/pull/file-states.ts';
import type { GatewayLogFile, GatewayLogs } from '../../../ingest/pull/gateway-logs.ts';
import { PipelineError, type ErrorCode } from '../../../schemas/errors.ts';
import { makeTempDir } from '../../support/server.ts';
import { startStub, type Stub } from './receivers-stub.ts';

let folder: Awaited<ReturnType<typeof makeTempDir>>;
let stub: Stub;
beforeEach(async () => {
  [folder, stub] = [await makeTempDir(), await startStub()];
});
afterEach(async () => {
  await stub.close();
  await folder.remove();
});

interface Stored {
  readonly text: string;
  /** Thrown where reading would begin, or behind so many bytes. */
  readonly fails?: { readonly code: ErrorCode; readonly after?: number };
}

/** Objects of a bucket; `reads` counts how often each was read. */
function fakeBucket(objects: Readonly<Record<string, Stored>>) {
  const reads = new Map<string, number>();
  const files: GatewayLogs = {
    list: () =>
      Promise.resolve(
        Object.entries(objects).map(([name, { text }]): GatewayLogFile => {
          return { name, sizeBytes: text.length, version: `etag-of-${text}`, mayGrow: false };
        }),
      ),
    // eslint-disable-next-line @typescript-eslint/require-await -- as adapters read
    async *read({ name }) {
      const { text, fails } = objects[name]!;
      reads.set(name, (reads.get(name) ?? 0) + 1);
      const end = fails === undefined ? text.length : (fails.after ?? 0);
      if (end > 0) yield Buffer.from(text.slice(0, end));
      if (fails !== undefined) throw new PipelineError(fails.code, 'not today');
    },
    close: () => undefined,
  };
  return { files, reads };
}

async function collect(files: GatewayLogs) {
  const states = await openFileStates(openStateFile(`${folder.path}/state.json`), {
    gateway: 'kong',
    from: 's3://b/',
  });
  const signal = new AbortController().signal;
  const totals = await collectFiles({
    files,
    states,
    path: '/v1/gateways/kong',
    maxBodyBytes: 100_000,
    delivery: openDelivery({ to: stub.url, token: 'token', clock: Date.now, signal }),
    onProgress: () => undefined,
  });
  return { totals, unreported: states.unreported() };
}

const line = (id: string) => `${JSON.stringify({ id })}\n`;

describe('objects of a bucket', () => {
  it('are read once, to their end: nobody appends to them', async () => {
    const { files, reads } = fakeBucket({ a: { text: line('1') + line('2').trimEnd() }, b: { text: '' } });
    expect((await collect(files)).totals).toMatchObject({ accepted: 2, waiting: 0, problems: [] });
    await collect(files);
    expect(stub.ids()).toEqual(['1', '2']);
    expect(Object.fromEntries(reads)).toEqual({ a: 1, b: 1 });
  });

  it('go on where the old object was the beginning of the new one', async () => {
    await collect(fakeBucket({ a: { text: line('1') } }).files);
    await collect(fakeBucket({ a: { text: line('1') + line('2') } }).files);
    await collect(fakeBucket({ a: { text: line('3') } }).files);
    expect(stub.ids()).toEqual(['1', '2', '3']);
  });

  it.each([
    ['NOT_FOUND', 'changed'],
    ['AUTH_FORBIDDEN', 'unreadable'],
  ] as const)('are told where they cannot be read (%s), and looked at again', async (code, reason) => {
    const broken = fakeBucket({ a: { text: line('1'), fails: { code } }, b: { text: line('2') } });
    expect((await collect(broken.files)).totals.problems).toEqual([{ file: 'a', reason }]);
    expect(stub.ids()).toEqual(['2']);
    await collect(fakeBucket({ a: { text: line('1') }, b: { text: line('2') } }).files);
    expect(stub.ids()).toEqual(['2', '1']);
  });

  it('end the run where the store goes away, and what was delivered is not delivered again', async () => {
    const fails = { code: 'STORE_UNAVAILABLE', after: 3 } as const;
    const broken = fakeBucket({
      a: { text: line('1') },
      b: { text: line('2'), fails },
      c: { text: line('3') },
    });
    await expect(collect(broken.files)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(stub.ids()).toEqual(['1']);
    const whole = fakeBucket({ a: { text: line('1') }, b: { text: line('2') }, c: { text: line('3') } });
    await collect(whole.files);
    expect(stub.ids()).toEqual(['1', '2', '3']);
    expect(whole.reads.has('a')).toBe(false);
  });
});
