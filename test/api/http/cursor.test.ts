import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../../api/http/cursor.ts';

const Position = Type.Object({ log: Type.String(), leaf_index: Type.Integer({ minimum: 0 }) });
const scope = { list: 'records', type: ['tool.completed'], session_id: 's-1' };
const after = { log: 'p0', leaf_index: 41 };

const refusal = expect.objectContaining({ code: 'CURSOR_INVALID' }) as Error;

describe('cursor', () => {
  it('gives back the position it was made from, for any position and filter', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.string({ unit: 'binary' }), (log, leaf_index, session_id) => {
        const cursor = encodeCursor({ list: 'records', session_id }, { log, leaf_index });
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(decodeCursor({ list: 'records', session_id }, cursor, Position)).toEqual({ log, leaf_index });
      }),
    );
  });

  it('does not depend on the order of filters nor on filters that are not set', () => {
    const cursor = encodeCursor(scope, after);
    const same = { session_id: 's-1', source: undefined, type: ['tool.completed'], list: 'records' };
    expect(decodeCursor(same, cursor, Position)).toEqual(after);
  });

  it.each([
    ['another filter value', { ...scope, session_id: 's-2' }],
    ['one filter more', { ...scope, source: 'hook' }],
    ['one filter less', { list: 'records', type: ['tool.completed'] }],
    ['another list', { ...scope, list: 'sessions' }],
  ])('is refused for %s', (_case, other) => {
    expect(() => decodeCursor(other, encodeCursor(scope, after), Position)).toThrow(refusal);
  });

  it.each([
    ['nothing', ''],
    ['noise', '%%%'],
    ['base64 of something else', Buffer.from('hello').toString('base64url')],
    ['JSON of another shape', Buffer.from('[1]').toString('base64url')],
    ['JSON null', Buffer.from('null').toString('base64url')],
    ['a position of another shape', encodeCursor(scope, { log: 'p0', leaf_index: -1 })],
  ])('is refused where it is %s', (_case, text) => {
    expect(() => decodeCursor(scope, text, Position)).toThrow(refusal);
  });

  it('never fails with anything but its own refusal, whatever text comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json().map(toBase64Url)), (text) => {
        expect(() => decodeCursor(scope, text, Position)).toThrow(refusal);
      }),
    );
  });
});

function toBase64Url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
