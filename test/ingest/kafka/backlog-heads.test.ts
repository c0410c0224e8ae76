import { expect, it } from 'vitest';
import { BacklogHeads } from '../../../ingest/kafka/backlog-heads.ts';
import type { FetchedMessage, MessagePlace } from '../../../ingest/kafka/client.ts';
import { encodeEnvelope } from '../../../ingest/framing.ts';
import { envelopeOf } from '../../contract/envelope.ts';

const FIRST = '2026-03-02T10:00:01.000Z';
const SECOND = '2026-03-02T10:00:02.000Z';

function messageOf(offset: bigint, received_at: string): FetchedMessage {
  return { offset, key: null, value: encodeEnvelope({ ...envelopeOf('e'), received_at }) };
}

/** Heads over a reader that answers as asked, and the places that were read. */
function headsOver(
  answer: (place: MessagePlace) => Promise<readonly FetchedMessage[]>,
  nowMs = Date.parse(SECOND),
) {
  const places: string[] = [];
  const messages = {
    readFrom: (place: MessagePlace) => {
      places.push(`${String(place.partition)} ${String(place.from)}`);
      return answer(place);
    },
  };
  const clock = () => nowMs;
  return { places, heads: new BacklogHeads({ messages, topic: 'events', clock, deadlineMs: 50 }) };
}

const waitingAt = (partition: number, from: bigint) => ({ partition, from, envelopes: 2 });

it('reads the first waiting message of each partition, and none again while the place is the same', async () => {
  const { heads, places } = headsOver(({ partition, from }) =>
    Promise.resolve([messageOf(from, partition === 0 ? FIRST : SECOND), messageOf(from + 1n, SECOND)]),
  );
  const found = new Map([
    [0, FIRST],
    [3, SECOND],
  ]);
  expect(await heads.read([waitingAt(0, 5n), waitingAt(3, 7n)])).toEqual(found);
  expect(await heads.read([waitingAt(0, 5n), waitingAt(3, 7n)])).toEqual(found);
  expect(places).toEqual(['0 5', '3 7']);
  await heads.read([waitingAt(0, 6n), waitingAt(3, 7n)]);
  expect(places).toEqual(['0 5', '3 7', '0 6']);
});

it('lets callers at the same time wait for one read', async () => {
  const { heads, places } = headsOver(({ from }) => Promise.resolve([messageOf(from, FIRST)]));
  await Promise.all([heads.read([waitingAt(0, 5n)]), heads.read([waitingAt(0, 5n)])]);
  expect(places).toEqual(['0 5']);
});

it('passes over messages of other programs', async () => {
  const stranger = { offset: 5n, key: null, value: Buffer.from('hello') };
  const { heads } = headsOver(() => Promise.resolve([stranger, messageOf(6n, SECOND)]));
  expect(await heads.read([waitingAt(0, 5n)])).toEqual(new Map([[0, SECOND]]));
});

it('leaves out a partition whose first envelope was received in the future, beyond what clocks differ', async () => {
  const atMs = Date.parse(FIRST);
  const read = (nowMs: number) =>
    headsOver(({ from }) => Promise.resolve([messageOf(from, FIRST)]), nowMs).heads.read([waitingAt(0, 5n)]);
  expect(await read(atMs - 600_000)).toEqual(new Map([[0, FIRST]]));
  expect(await read(atMs - 600_001)).toEqual(new Map());
});

it('leaves out a partition that fails, does not answer in time or holds no envelope, and asks it again', async () => {
  const { heads, places } = headsOver(({ partition, from }) => {
    if (partition === 0) return Promise.reject(new Error('no leader'));
    if (partition === 1) return new Promise(() => undefined);
    if (partition === 2) return Promise.resolve([]);
    return Promise.resolve([messageOf(from, FIRST)]);
  });
  const backlogs = [0, 1, 2, 3].map((partition) => waitingAt(partition, 5n));
  expect(await heads.read(backlogs)).toEqual(new Map([[3, FIRST]]));
  expect(await heads.read(backlogs)).toEqual(new Map([[3, FIRST]]));
  expect(places).toEqual(['0 5', '1 5', '2 5', '3 5', '0 5', '2 5']);
});
