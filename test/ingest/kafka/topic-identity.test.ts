import { describe, expect, it } from 'vitest';
import type { EntryMark } from '../../../ingest/event-log.ts';
import { createFrameReader } from '../../../ingest/frame-reader.ts';
import { FrameWriter } from '../../../ingest/frame-writer.ts';
import { encodeForWriter } from '../../../ingest/framing.ts';
import type { FetchedMessage } from '../../../ingest/kafka/client.ts';
import { identifyTopic } from '../../../ingest/kafka/topic-identity.ts';
import { envelopeOf } from '../../contract/envelope.ts';
import { FRAME_KEY, NUMBERING } from '../../support/numbering.ts';

const TOPIC = 'envelopes';
const PLACE = { logId: `kafka-name:${TOPIC}`, partition: 0 };

/** Messages of one writer, numbered from 1; an undefined one is of another program. */
function messagesOf(count: number, foreign: readonly number[] = []): FetchedMessage[] {
  const turn = new FrameWriter({ ...NUMBERING, place: PLACE }).begin();
  return Array.from({ length: count }, (_, n) => {
    const frame = encodeForWriter(envelopeOf(`e${n}`));
    if (!foreign.includes(n)) turn.seal(frame);
    return { offset: BigInt(n), key: null, value: foreign.includes(n) ? Buffer.from('foreign') : frame };
  });
}

interface Brokers {
  readonly ids?: readonly (string | undefined)[];
  readonly messages?: readonly FetchedMessage[];
  readonly accepted?: string;
}

/** Brokers that give these ids, one for each question, and answer two messages at a time. */
function identify({ ids = [undefined], messages = [], accepted }: Brokers) {
  const left = [...ids];
  const client = {
    topics: { idOf: () => Promise.resolve(left.length > 1 ? left.shift() : left[0]) } as never,
    messages: {
      readFrom: ({ from }: { from: bigint }) =>
        Promise.resolve(messages.filter(({ offset }) => offset >= from).slice(0, 2)),
    },
  };
  return identifyTopic({ client, topic: TOPIC, accepted });
}

const upTo = (number: number) => (mark: EntryMark) => mark.number <= number;
const placeAt = (from: bigint, sealed: number, low = 0n) => ({
  partition: 0,
  from,
  low,
  read: createFrameReader({ key: FRAME_KEY, place: PLACE, mayBeUnnumbered: false }),
  isSealed: upTo(sealed),
});

describe('a topic whose brokers give ids', () => {
  it('is named by its id, which MACs bind, whatever was accepted', async () => {
    const { eventLog, boundTo } = await identify({ ids: ['a'], accepted: `kafka-name:${TOPIC}#2` });
    expect([eventLog, boundTo]).toEqual(['kafka:a', 'kafka:a']);
  });

  it('is another one where the id changes or is gone', async () => {
    for (const later of ['b', undefined]) {
      const topic = await identify({ ids: ['a', 'a', later] });
      await topic.requireSame();
      await expect(topic.requireSame()).rejects.toMatchObject({ code: 'EVENT_LOG_REPLACED' });
    }
  });

  it('is not asked for its entries', async () => {
    const topic = await identify({ ids: ['a'], messages: messagesOf(20) });
    await topic.requireSealedBefore(placeAt(10n, 0));
  });
});

describe('a topic whose brokers give no ids', () => {
  it('is named by its name, and by the generation that the operator accepted; MACs bind the name', async () => {
    const names = [undefined, `kafka-name:${TOPIC}#3`, 'kafka-name:other#3', 'kafka:a'].map((accepted) =>
      identify(accepted === undefined ? {} : { accepted }),
    );
    expect((await Promise.all(names)).map(({ eventLog }) => eventLog)).toEqual([
      `kafka-name:${TOPIC}`,
      `kafka-name:${TOPIC}#3`,
      `kafka-name:${TOPIC}`,
      `kafka-name:${TOPIC}`,
    ]);
    expect((await names[1]!).boundTo).toBe(`kafka-name:${TOPIC}`);
  });

  const cases: readonly (readonly [string, Brokers, ReturnType<typeof placeAt>, 'same' | 'another'])[] = [
    ['the entry before the place was sealed', { messages: messagesOf(40) }, placeAt(31n, 31), 'same'],
    ['no entry before the place was sealed', { messages: messagesOf(40) }, placeAt(31n, 0), 'another'],
    ['the ledger has read nothing', { messages: messagesOf(40) }, placeAt(0n, 0), 'same'],
    ['retention left nothing before the place', { messages: messagesOf(40) }, placeAt(31n, 0, 31n), 'same'],
    ['retention left one entry', { messages: messagesOf(40) }, placeAt(31n, 0, 30n), 'another'],
    [
      'a message of another program lies before the place',
      { messages: messagesOf(40, [30]) },
      placeAt(31n, 30),
      'same',
    ],
    ['it lies there in another topic', { messages: messagesOf(40, [30]) }, placeAt(31n, 0), 'another'],
    [
      'messages of other programs alone lie there',
      {
        messages: messagesOf(
          40,
          Array.from({ length: 31 }, (_, n) => n),
        ),
      },
      placeAt(31n, 0),
      'same',
    ],
    [
      'a sealed entry lies not far before the place, as behind copies of old entries',
      { messages: messagesOf(40) },
      placeAt(31n, 20),
      'same',
    ],
  ];
  it.each(cases)('where %s', async (_, brokers, place, answer) => {
    const asked = (await identify(brokers)).requireSealedBefore(place);
    if (answer === 'same') await asked;
    else await expect(asked).rejects.toMatchObject({ code: 'EVENT_LOG_REPLACED' });
  });
});
