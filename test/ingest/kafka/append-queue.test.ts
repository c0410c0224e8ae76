import type { Kafka, Producer, ProducerBatch, RecordMetadata } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { createFrameReader } from '../../../ingest/frame-reader.ts';
import { FrameWriter } from '../../../ingest/frame-writer.ts';
import { encodeForWriter } from '../../../ingest/framing.ts';
import { AppendQueue, type AppendQueueOptions } from '../../../ingest/kafka/append-queue.ts';
import type { OutgoingMessage, RequestWriter } from '../../../ingest/kafka/client.ts';
import { createRequestWriter } from '../../../ingest/kafka/kafkajs/request-writer.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { FRAME_KEY, NUMBERING } from '../../support/numbering.ts';
import { silent } from './subject.ts';

/** The batches that one producer was asked to send. */
interface Connected {
  readonly batches: string[][];
  isDisconnected: boolean;
}

/** A client whose producers do as `answer` does; the acknowledgement is a promise of the test's. */
function fakeClient(answer: (names: readonly string[]) => Promise<void>): {
  kafka: Kafka;
  made: Connected[];
} {
  const made: Connected[] = [];
  const producer = (): Partial<Producer> => {
    const connected: Connected = { batches: [], isDisconnected: false };
    made.push(connected);
    return {
      connect: () => Promise.resolve(),
      disconnect: () => {
        connected.isDisconnected = true;
        return Promise.resolve();
      },
      sendBatch: async ({ topicMessages = [] }: ProducerBatch): Promise<RecordMetadata[]> => {
        const names = topicMessages.flatMap(({ messages }) => messages.map(({ value }) => String(value)));
        connected.batches.push(names);
        await answer(names);
        return [{ topicName: 't', partition: 0, errorCode: 0, baseOffset: '0' }];
      },
    };
  };
  return { kafka: { producer } as unknown as Kafka, made };
}

const named = (name: string, bytes = 10, partition = 0): OutgoingMessage => ({
  topic: 't',
  partition,
  key: 'k',
  value: Buffer.from(name),
  headers: {},
  bytes,
});

function queueOf(kafka: Kafka, deadlineMs = 10_000, changes: Partial<AppendQueueOptions> = {}): AppendQueue {
  return new AppendQueue({
    openWriter: () => createRequestWriter(kafka, { compression: 'none', deadlineMs }),
    deadlineMs,
    maxMessageBytes: 1_000,
    maxWaitingBytes: 5_000,
    logger: silent,
    onWritten: () => undefined,
    ...changes,
  });
}

describe('the queue of appends with kafkajs', () => {
  it('sends appends together that arrive while a request is on its way, in order and within the bounds', async () => {
    const { kafka, made } = fakeClient(() => Promise.resolve());
    const queue = queueOf(kafka);
    const appends = [[named('a')], [named('b'), named('c', 600), named('d', 600)], [named('e')]];
    await Promise.all(appends.map((messages) => queue.append(messages)));
    expect(made.map(({ batches }) => batches)).toEqual([[['a'], ['b', 'c'], ['d', 'e']]]);
  });

  describe('with numbered frames', () => {
    const frame = (name: string, bytes = 10, partition = 0) => ({
      ...named(name, bytes, partition),
      value: encodeForWriter(envelopeOf(name)),
    });
    /** Number and first abandoned number of each frame that was sent, by partition. */
    async function sendAll(run: (queue: AppendQueue) => Promise<void>, answer: () => Promise<void>) {
      const sent: { partition: number; value: Buffer }[] = [];
      const openWriter = (): RequestWriter => ({
        write: async (messages) => {
          for (const { partition, value } of messages) sent.push({ partition, value: Buffer.from(value!) });
          await answer();
          return [];
        },
        close: () => Promise.resolve(),
      });
      const openFrames = (_topic: string, partition: number) =>
        new FrameWriter({ ...NUMBERING, place: { logId: '', partition } });
      await run(queueOf(fakeClient(answer).kafka, 10_000, { openWriter, openFrames }));
      return sent.map(({ partition, value }) => {
        const place = { logId: '', partition };
        const entry = createFrameReader({ key: FRAME_KEY, place, mayBeUnnumbered: false })(value, 0n);
        if (!('mark' in entry)) throw new Error(JSON.stringify(entry));
        return [partition, entry.mark.number, entry.mark.abandonedFrom];
      });
    }

    it('numbers the frames of each partition in the order in which they are sent', async () => {
      const sent = await sendAll(
        async (queue) => {
          const appends = [[frame('a')], [frame('b'), frame('c', 10, 1)], [frame('d')]];
          await Promise.all(appends.map((messages) => queue.append(messages)));
        },
        () => Promise.resolve(),
      );
      expect(sent.filter(([partition]) => partition === 0).map(([, number]) => number)).toEqual([1, 2, 3]);
      expect(sent.filter(([partition]) => partition === 1)).toEqual([[1, 1, 1]]);
    });

    it('declares frames abandoned whose request failed, and gives no number to a refused append', async () => {
      let isFailing = false;
      const sent = await sendAll(
        async (queue) => {
          await queue.append([frame('a')]);
          isFailing = true;
          await expect(queue.append([frame('b'), frame('c')])).rejects.toThrow();
          isFailing = false;
          const waiting = queue.append([frame('d')]);
          await expect(queue.append([frame('refused', 6_000)])).rejects.toMatchObject({
            code: 'LOG_PUSHBACK',
          });
          await waiting;
          await queue.append([frame('e')]);
        },
        () => (isFailing ? Promise.reject(new Error('lost')) : Promise.resolve()),
      );
      expect(sent).toEqual([
        [0, 1, 1],
        [0, 2, 2],
        [0, 3, 3],
        [0, 4, 2],
        [0, 5, 5],
      ]);
    });
  });

  it('goes on where an append follows upon another, however soon', async () => {
    const { kafka, made } = fakeClient(() => Promise.resolve());
    const queue = queueOf(kafka);
    for (let turns = 0; turns < 12; turns += 1) {
      await queue.append([named(String(turns))]);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    }
    expect(made[0]!.batches).toHaveLength(12);
  });

  it('never uses a producer again that failed: the broker could take the next append for a repetition', async () => {
    let isFailing = true;
    const { kafka, made } = fakeClient(() =>
      isFailing ? Promise.reject(new Error('lost')) : Promise.resolve(),
    );
    const queue = queueOf(kafka);
    await expect(queue.append([named('kept or not')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    isFailing = false;
    await queue.append([named('next')]);
    expect(made).toEqual([
      { batches: [['kept or not']], isDisconnected: true },
      { batches: [['next']], isDisconnected: false },
    ]);
  });

  it('refuses only the append that failed, not one that waits behind it', async () => {
    const { kafka } = fakeClient((names) =>
      names.includes('bad') ? Promise.reject(new Error('lost')) : Promise.resolve(),
    );
    const queue = queueOf(kafka);
    const outcomes = await Promise.allSettled([queue.append([named('bad')]), queue.append([named('good')])]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('refuses an append after the deadline, and further ones at once until the late request is settled', async () => {
    let settle: (() => void) | undefined;
    const late = new Promise<void>((resolve) => (settle = resolve));
    const { kafka, made } = fakeClient((names) => (names.includes('late') ? late : Promise.resolve()));
    const queue = queueOf(kafka, 20);
    const [first, behind] = [queue.append([named('late')]), queue.append([named('behind')])];
    await expect(first).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(behind).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(queue.append([named('refused')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    settle!();
    await expect
      .poll(() =>
        queue.append([named('again')]).then(
          () => 'sent',
          () => 'refused',
        ),
      )
      .toBe('sent');
    expect(made[0]!.batches.flat()).toEqual(['late', 'again']);
  });

  it('goes on with another producer where one never answers', async () => {
    const { kafka, made } = fakeClient((names) =>
      names.includes('never') ? new Promise<void>(() => undefined) : Promise.resolve(),
    );
    const queue = queueOf(kafka, 20);
    await expect(queue.append([named('never')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect
      .poll(() =>
        queue.append([named('again')]).then(
          () => 'sent',
          () => 'refused',
        ),
      )
      .toBe('sent');
    expect(made).toEqual([
      { batches: [['never']], isDisconnected: true },
      { batches: [['again']], isDisconnected: false },
    ]);
  });

  it('holds up no append of another partition where the leader of one hangs, and keeps a producer for each', async () => {
    const { kafka, made } = fakeClient((names) =>
      names.includes('hangs') ? new Promise<void>(() => undefined) : Promise.resolve(),
    );
    const queue = queueOf(kafka, 2_000);
    const hanging = queue.append([named('hangs', 10, 0)]);
    hanging.catch(() => undefined);
    const beganAtMs = performance.now();
    for (const name of ['a', 'b', 'c']) await queue.append([named(name, 10, 1), named(name, 10, 2)]);
    expect(performance.now() - beganAtMs).toBeLessThan(1_000);
    expect(made.map(({ batches }) => batches)).toEqual([
      [['hangs']],
      [['a'], ['b'], ['c']],
      [['a'], ['b'], ['c']],
    ]);
    const both = queue.append([named('behind', 10, 0), named('beside', 10, 1)]);
    await expect(both).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(hanging).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(made[1]!.batches.at(-1)).toEqual(['beside']);
  });

  it('lets the bytes that wait for one partition not take the room of the others', async () => {
    const { kafka } = fakeClient((names) =>
      names.includes('hangs') ? new Promise<void>(() => undefined) : Promise.resolve(),
    );
    const queue = queueOf(kafka, 500);
    const hanging = Promise.allSettled([
      queue.append([named('hangs', 600)]),
      ...Array.from({ length: 7 }, () => queue.append([named('waits', 600)])),
    ]);
    await expect(queue.append([named('too many', 600)])).rejects.toMatchObject({ code: 'LOG_PUSHBACK' });
    await queue.append([named('other', 600, 1)]);
    expect((await hanging).map(({ status }) => status)).toEqual(Array(8).fill('rejected'));
    await expect(queue.append([named('refused', 600)])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });

  it('refuses for good only the message that the topic does not take alone', async () => {
    const tooLarge = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
    const { kafka } = fakeClient((names) =>
      names.includes('large') || names.length > 2 ? Promise.reject(tooLarge) : Promise.resolve(),
    );
    const queue = queueOf(kafka);
    const outcomeOf = (name: string) =>
      queue.append([named(name)]).then(
        () => 'kept',
        (error: unknown) => (error as { code?: unknown }).code,
      );
    // The first goes alone, and the others together.
    expect(await Promise.all(['a', 'b', 'large', 'c'].map(outcomeOf))).toEqual([
      'kept',
      'LOG_UNAVAILABLE',
      'LOG_UNAVAILABLE',
      'LOG_UNAVAILABLE',
    ]);
    await expect
      .poll(() => Promise.all(['b', 'large', 'c'].map(outcomeOf)))
      .toEqual(['kept', 'BODY_TOO_LARGE', 'kept']);
  });
});
