import { describe, expect, it } from 'vitest';
import { encodeExportResponse } from '../../../connectors/wire/otlp/export-response.ts';
import { statusMessage } from '../../../ingest/receivers/rpc-status.ts';
import { PipelineError } from '../../../schemas/errors.ts';

const SIGNALS = [
  ['logs', 'rejectedLogRecords'],
  ['metrics', 'rejectedDataPoints'],
  ['traces', 'rejectedSpans'],
] as const;

describe('OTLP answers', () => {
  it.each(SIGNALS)('says nothing for %s when nothing was rejected', (signal) => {
    const none = { count: 0, message: '' };
    expect(encodeExportResponse(signal, 'application/json', none).body.toString()).toBe('{}');
    expect(encodeExportResponse(signal, 'application/x-protobuf', none).body.length).toBe(0);
  });

  it.each(SIGNALS)('names rejected items of %s as that signal does', (signal, member) => {
    const { body } = encodeExportResponse(signal, 'application/json', { count: 3, message: 'why' });
    expect(JSON.parse(body.toString())).toEqual({ partialSuccess: { [member]: '3', errorMessage: 'why' } });
  });

  it('writes partial success in protobuf', () => {
    const { body } = encodeExportResponse('logs', 'application/x-protobuf', { count: 300, message: 'é' });
    // Member 1, 7 bytes: member 1 varint 300 = ac 02, member 2 string of the 2 bytes of "é".
    expect(body.toString('hex')).toBe('0a0708ac021202c3a9');
  });

  it('writes lengths beyond 127 in two bytes', () => {
    const body = statusMessage(new PipelineError('LOG_PUSHBACK', 'x'.repeat(200)));
    expect(body.subarray(0, 5).toString('hex')).toBe('080e12c801');
    expect(body.length).toBe(205);
  });

  it.each([
    ['AUTH_MISSING', 16],
    ['AUTH_FORBIDDEN', 7],
    ['BODY_MALFORMED', 3],
    ['BODY_TOO_LARGE', 3],
    ['LOG_UNAVAILABLE', 14],
    ['INTERNAL', 13],
  ] as const)('gives %s the code %d', (code, expected) => {
    const body = statusMessage(new PipelineError(code, 'detail', { place: 'byte 3' }));
    expect([...body.subarray(0, 2)]).toEqual([0x08, expected]);
    expect(body.subarray(4).toString()).toBe('detail (byte 3)');
  });
});
