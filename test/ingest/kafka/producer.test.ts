import type { Kafka, Producer, ProducerBatch, RecordMetadata } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import type { Outgoing } from '../../../ingest/kafka/messages.ts';
import { createSender, type Sender } from '../../../ingest/kafka/producer.ts';
import { silent } from './subject.ts';

/** What one producer was asked to send, and how it answers. */
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

const named = (name: string, bytes = 10): Outgoing => ({
  topic: 't',
  partition: 0,
  message: { key: 'k', value: name },
  bytes,
});

function senderOf(kafka: Kafka, deadlineMs = 10_000): Sender {
  return createSender({
    kafka,
    compression: 'none',
    deadlineMs,
    maxMessageBytes: 1_000,
    logger: silent,
    onWritten: () => undefined,
  });
}

describe('what is sent to the brokers', () => {
  it('goes together while one request is on its way, in order and within the bounds of a request', async () => {
    const { kafka, made } = fakeClient(() => Promise.resolve());
    const sender = senderOf(kafka);
    const appends = [[named('a')], [named('b'), named('c', 600), named('d', 600)], [named('e')]];
    await Promise.all(appends.map((messages) => sender.send(messages)));
    expect(made.map(({ batches }) => batches)).toEqual([[['a'], ['b', 'c'], ['d', 'e']]]);
  });

  it('is never sent by a producer that failed: the broker could take it for a repetition and drop it', async () => {
    let isFailing = true;
    const { kafka, made } = fakeClient(() =>
      isFailing ? Promise.reject(new Error('lost')) : Promise.resolve(),
    );
    const sender = senderOf(kafka);
    await expect(sender.send([named('kept or not')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    isFailing = false;
    await sender.send([named('next')]);
    expect(made).toEqual([
      { batches: [['kept or not']], isDisconnected: true },
      { batches: [['next']], isDisconnected: false },
    ]);
  });

  it('refuses only the append that failed, not one that waits behind it', async () => {
    const { kafka } = fakeClient((names) =>
      names.includes('bad') ? Promise.reject(new Error('lost')) : Promise.resolve(),
    );
    const sender = senderOf(kafka);
    const outcomes = await Promise.allSettled([sender.send([named('bad')]), sender.send([named('good')])]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('is refused after the deadline, and at once until the late request is settled', async () => {
    let settle: (() => void) | undefined;
    const late = new Promise<void>((resolve) => (settle = resolve));
    const { kafka, made } = fakeClient((names) => (names.includes('late') ? late : Promise.resolve()));
    const sender = senderOf(kafka, 20);
    const [first, behind] = [sender.send([named('late')]), sender.send([named('behind')])];
    await expect(first).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(behind).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(sender.send([named('refused')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    settle!();
    await expect
      .poll(() =>
        sender.send([named('again')]).then(
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
    const sender = senderOf(kafka, 20);
    await expect(sender.send([named('never')])).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect
      .poll(() =>
        sender.send([named('again')]).then(
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
});
