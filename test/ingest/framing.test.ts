import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope, encodeEnvelope } from '../../ingest/framing.ts';
import type { Envelope } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { envelopeOf } from '../contract/envelope.ts';

const envelopes = fc
  .record({
    name: fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
    body: fc.uint8Array({ maxLength: 300 }),
    idempotency_key: fc.option(fc.string({ maxLength: 256 })),
    keyed: fc.record(
      {
        partition_key: fc.string({ unit: 'grapheme' }),
        part: fc.record({
          of_sha256: fc.constant('a'.repeat(64)),
          number: fc.integer({ min: 1 }),
          count: fc.integer({ min: 2 }),
        }),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ name, body, idempotency_key, keyed }): Envelope => ({
    ...envelopeOf(name, body),
    idempotency_key,
    ...keyed,
  }));

describe('the frame of a stored envelope', () => {
  it('gives back every member and byte', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const { body, ...header } = decodeEnvelope(encodeEnvelope(envelope), 0n);
        expect({ ...header, body: new Uint8Array(body) }).toEqual(envelope);
      }),
    );
  });

  it('reads what was written before envelopes had partition keys', () => {
    const frame = Buffer.from(
      '0182892362000000ce7b2276223a312c22656e76656c6f70655f6964223a2261222c22736f75726365223a226e6174697665222c227265636569766572223a222f76312f6576656e7473222c227072696e636970616c223a22636f6c6c6563746f722d31222c2272656365697665645f6174223a22323032362d30312d30325430333a30343a30352e3637385a222c22636f6e74656e745f74797065223a226170706c69636174696f6e2f6a736f6e222c226974656d5f636f756e74223a312c226964656d706f74656e63795f6b6579223a6e756c6c7d61',
      'hex',
    );
    const { body, ...header } = decodeEnvelope(frame, 0n);
    expect({ ...header, body: Buffer.from(body).toString() }).toEqual({ ...envelopeOf('a'), body: 'a' });
  });

  it('refuses any frame with a changed byte, naming the offset', () => {
    fc.assert(
      fc.property(envelopes, fc.nat(), fc.integer({ min: 1, max: 255 }), (envelope, position, flip) => {
        const frame = encodeEnvelope(envelope);
        const at = position % frame.length;
        frame[at] = frame[at]! ^ flip;
        const reading = (): Envelope => decodeEnvelope(frame, 7n);
        expect(reading).toThrow(PipelineError);
        expect(reading).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED', place: 'offset 7' }));
      }),
    );
  });

  const header = envelopeOf('a');
  it.each([
    ['no time of receipt', { ...header, received_at: undefined }],
    ['a word for a time of receipt', { ...header, received_at: 'yesterday' }],
    ['a day that does not exist', { ...header, received_at: '2026-02-30T03:04:05.678Z' }],
    ['a year that the record store cannot hold', { ...header, received_at: '2300-01-02T03:04:05.678Z' }],
    ['a time of receipt without milliseconds', { ...header, received_at: '2026-01-02T03:04:05Z' }],
    ['another version', { ...header, v: 2 }],
    ['an unknown content type', { ...header, content_type: 'text/plain' }],
    ['a member that no schema has', { ...header, secret_of_a_sender: 1 }],
  ])('refuses a frame whose header has %s, and quotes nothing of it', (_name, wrong) => {
    const frame = encodeEnvelope(wrong as Envelope);
    const reading = (): Envelope => decodeEnvelope(frame, 7n);
    expect(reading).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED', place: 'offset 7' }));
    expect(reading).not.toThrow(/yesterday|secret_of_a_sender|text\/plain/);
  });

  it('refuses a frame that is cut short', () => {
    const frame = encodeEnvelope(envelopeOf('a', Buffer.from('some body')));
    for (let length = 0; length < frame.length; length += 1) {
      expect(() => decodeEnvelope(frame.subarray(0, length), 0n)).toThrow(PipelineError);
    }
  });
});
