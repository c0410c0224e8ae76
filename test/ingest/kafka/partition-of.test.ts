import { compatibilityPartitioner } from '@platformatic/kafka';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../../ingest/kafka/partition-of.ts';

const PARTITIONS = 12;

function ofKafkajs(key: string): number {
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  return choose({ topic: 't', partitionMetadata, message: { key, value: null } });
}

function ofPlatformatic(key: string): number {
  return compatibilityPartitioner({ topic: 't' }, Buffer.from(key)) % PARTITIONS;
}

const keys = fc.string({ unit: 'binary', maxLength: 40 });

describe('the partition of a key', () => {
  it.each([
    ['kafkajs', ofKafkajs],
    ['@platformatic/kafka', ofPlatformatic],
  ])('is the one that %s chooses', (_, theirs) => {
    fc.assert(
      fc.property(keys, (key) => partitionOf(key, PARTITIONS) === theirs(key)),
      { numRuns: 5_000 },
    );
  });

  it('stays what it was', () => {
    const fixed = ['', 'a', 'session-1', 'käse', '01JABCDEFGHJKMNPQRSTVWXYZ0'];
    expect(fixed.map((key) => partitionOf(key, 6))).toEqual([3, 4, 4, 1, 2]);
  });
});
