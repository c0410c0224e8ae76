import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDelivery } from '../../../ingest/send/delivery.ts';
import { collectGateway } from '../../../commands/collect-gateway.ts';
import { pullTopic } from '../../../ingest/pull/topic-pull.ts';
import type { GatewayTopic, GatewayTopicBatch, GatewayTopicGap } from '../../../ingest/pull/gateway-topic.ts';
import { loadConfig } from '../../../config.ts';
import { PipelineError } from '../../../schemas/errors.ts';
import { startStub, type Mishap, type Stub, type Taken } from './receivers-stub.ts';

let stub: Stub;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => start());
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
async function start(mishap?: (request: Taken, count: number) => Mishap | undefined): Promise<void> {
  const started = await startStub(mishap);
  closing.push(() => started.close());
  stub = started;
}

/** A topic of one reader; `committed` are the places that the group was moved to. */
function fakeTopic(
  batches: readonly GatewayTopicBatch[],
  gaps: readonly GatewayTopicGap[] = [],
  failure?: Error,
) {
  const committed: [number, bigint][] = [];
  const topic: GatewayTopic = {
    read: async ({ onBatch, onGap, signal }) => {
      gaps.forEach(onGap);
      for (const batch of batches) {
        if (signal.aborted || !(await onBatch(batch))) return;
        committed.push([batch.partition, batch.next]);
      }
      if (failure !== undefined) throw failure;
    },
    close: () => Promise.resolve(),
  };
  return { topic, committed };
}

function batchOf(partition: number, from: number, ...values: (string | null)[]): GatewayTopicBatch {
  const messages = values.map((value, index) => ({
    offset: BigInt(from + index),
    value: value === null ? null : Buffer.from(value),
  }));
  return { partition, messages, next: BigInt(from + values.length) };
}

async function pull(topic: GatewayTopic, signal = new AbortController().signal) {
  const told: Record<string, unknown>[] = [];
  const clock = Date.now;
  const isWhole = await pullTopic({
    gateway: 'kong',
    from: 'kafka://b:9092/t?group=g',
    path: '/v1/gateways/kong',
    delivery: openDelivery({ to: stub.url, token: 'token', clock, signal, firstBackoffMs: 1 }),
    reporter: {
      progress: () => undefined,
      result: (pulled) => void told.push(JSON.parse(JSON.stringify(pulled)) as Record<string, unknown>),
    },
    clock,
    signal,
    topic,
    once: true,
  });
  return { isWhole, told };
}

const item = (id: string) => JSON.stringify({ id });

describe('a pull of a topic', () => {
  it('takes a message as an object, as lines or as an array, and tells where it began and ended', async () => {
    const { topic, committed } = fakeTopic([
      batchOf(0, 5, item('a'), `${item('b')}\n${item('c')}\n`, null),
      batchOf(1, 0, `[${item('d')},${item('e')}]`, JSON.stringify({ id: 'f' }, null, 2), item('g')),
    ]);
    const { isWhole, told } = await pull(topic);
    expect(isWhole).toBe(true);
    expect(stub.ids()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(told).toEqual([
      {
        from: 'kafka://b:9092/t?group=g',
        ...{ requests: 4, accepted: 7, quarantined: 0, messages: 6, empty: 1 },
        start_cursor: { 0: '5', 1: '0' },
        last_cursor: { 0: '8', 1: '3' },
        ...{ problem_count: 0, problems: [], stopped: false },
      },
    ]);
    expect(stub.pulled()).toEqual([{ source: 'gateway:kong', ...told[0] }]);
    expect(committed).toEqual([
      [0, 8n],
      [1, 3n],
    ]);
  });

  it('moves the group only behind what was acknowledged', async () => {
    await start(({ text }) => (text.includes('"c"') ? { status: 404, body: {} } : undefined));
    const { topic, committed } = fakeTopic([batchOf(0, 0, item('a'), item('b')), batchOf(0, 2, item('c'))]);
    await expect(pull(topic)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    expect(committed).toEqual([[0, 2n]]);
  });

  it('delivers a batch again that was cut in the middle, and stays where it was when it is stopped', async () => {
    const stop = new AbortController();
    await start(({ path }, count) => {
      if (path !== '/v1/gateways/kong') return undefined;
      if (count === 1) return 'cut_before';
      if (count === 2) return undefined;
      setTimeout(() => stop.abort(), 20);
      return { status: 503, headers: { 'retry-after': '30' }, body: {} };
    });
    const { topic, committed } = fakeTopic([batchOf(0, 0, item('a')), batchOf(0, 1, item('b'))]);
    const { told } = await pull(topic, stop.signal);
    expect(stub.ids()).toEqual(['a']);
    expect(committed).toEqual([[0, 1n]]);
    expect(told).toMatchObject([{ messages: 1, last_cursor: { 0: '1' }, stopped: true }]);
  });

  it('tells of a message that no receiver takes before the group moves behind it', async () => {
    await start(({ text }) =>
      text.includes('bad')
        ? { status: 400, body: { code: 'BODY_MALFORMED' } }
        : text.includes('huge')
          ? { status: 413, body: { code: 'BODY_TOO_LARGE' } }
          : undefined,
    );
    const values = [item('a'), `${item('b')}\n{bad`, item('c'), '[{"id":"bad"}]', item('huge'), item('d')];
    const { topic, committed } = fakeTopic([batchOf(0, 10, ...values), batchOf(0, 16, item('e'))]);
    const { isWhole, told } = await pull(topic);
    expect(isWhole).toBe(false);
    expect(stub.ids()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(told[0]).toMatchObject({
      problem_count: 3,
      problems: [
        { partition: 0, offset: '11', reason: 'message_refused', code: 'BODY_MALFORMED' },
        { partition: 0, offset: '13', reason: 'message_refused', code: 'BODY_MALFORMED' },
        { partition: 0, offset: '14', reason: 'message_too_large', code: 'BODY_TOO_LARGE' },
      ],
    });
    expect(told[1]).toMatchObject({ messages: 1, problem_count: 0 });
    expect(committed).toEqual([
      [0, 16n],
      [0, 17n],
    ]);
  });

  it('tells of messages that were removed before they were read', async () => {
    const { topic } = fakeTopic([batchOf(2, 9, item('a'))], [{ partition: 2, from: 4n, to: 9n }]);
    const { isWhole, told } = await pull(topic);
    expect(isWhole).toBe(false);
    expect(told[0]!['problems']).toEqual([{ partition: 2, offset: '4', reason: 'expired', code: '9' }]);
  });

  it('tells what it brought where the brokers went away', async () => {
    const failure = new PipelineError('LOG_UNAVAILABLE', 'gone');
    const { topic } = fakeTopic([batchOf(0, 0, item('a'))], [], failure);
    await expect(pull(topic)).rejects.toBe(failure);
    expect(stub.pulled()).toMatchObject([{ messages: 1 }]);
  });

  it.each([
    ['kafka://broker:9092'],
    ['kafka://broker:9092/'],
    ['kafka://broker:9092/topic/more'],
    ['kafka://broker:9092/topic?groupe=x'],
    ['kafka://broker:9092/topic?group='],
    ['kafka:///topic'],
  ])('refuses %s, which names no topic', async (from) => {
    const config = { ...loadConfig(undefined, {}), collector_token: 'token' };
    const options = { from, to: stub.url, once: true, json: true };
    const output = { isTerminal: false, write: () => undefined };
    const collected = collectGateway(config, 'kong', options, output, new AbortController().signal);
    await expect(collected).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});
