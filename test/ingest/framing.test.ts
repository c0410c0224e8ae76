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
  })
  .map(({ name, body, idempotency_key }): Envelope => ({ ...envelopeOf(name, body), idempotency_key }));

describe('the frame of a stored envelope', () => {
  it('gives back every member and byte', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const { body, ...header } = decodeEnvelope(encodeEnvelope(envelope), 0n);
        expect({ ...header, body: new Uint8Array(body) }).toEqual(envelope);
      }),
    );
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

  it('refuses a frame that is cut short', () => {
    const frame = encodeEnvelope(envelopeOf('a', Buffer.from('some body')));
    for (let length = 0; length < frame.length; length += 1) {
      expect(() => decodeEnvelope(frame.subarray(0, length), 0n)).toThrow(PipelineError);
    }
  });
});
