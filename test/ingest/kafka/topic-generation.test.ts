import { expect, it } from 'vitest';
import { isGenerationOf, nameOfTopic, nextGeneration } from '../../../ingest/kafka/topic-generation.ts';

it('names the topic, and after each word of an operator the next topic of that name', () => {
  const first = nameOfTopic('affidavit.envelopes');
  expect(first).toBe('kafka-name:affidavit.envelopes');
  expect(nextGeneration(first)).toBe('kafka-name:affidavit.envelopes#2');
  expect(nextGeneration('kafka-name:affidavit.envelopes#2')).toBe('kafka-name:affidavit.envelopes#3');
});

it.each(['lmdb:0a1b', 'kafka:6f1c-0000', 'kafka-name:', 'kafka-name:a#b', 'kafka-name:a#01', ''])(
  'gives %j no next one',
  (eventLog) => {
    expect(nextGeneration(eventLog)).toBeUndefined();
  },
);

it('takes a name for a generation of its own topic alone', () => {
  const names = ['kafka-name:a', 'kafka-name:a#12', 'kafka-name:b#2', 'kafka-name:a#', 'kafka:a', 'a'];
  expect(names.filter((name) => isGenerationOf('a', name))).toEqual(['kafka-name:a', 'kafka-name:a#12']);
});
