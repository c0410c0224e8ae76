import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { omitMembers, openMembers, toExactInstant, copyWithout } from '../../../connectors/drafts/members.ts';
import { filePathOf, mcpServerOf } from '../../../connectors/drafts/tool-facts.ts';
import type { JsonObject } from '../../../schemas/json.ts';

const parsed = (text: string) => JSON.parse(text) as JsonObject;

describe('openMembers', () => {
  it('reads own members before shared ones, and leaves out of both what the fact says', () => {
    const members = openMembers({ a: '1', b: 'x' }, { a: 1, b: 'y', c: 'z' });
    expect([members.count('a'), members.text('b')]).toEqual([1, 'x']);
    expect(members.rest()).toEqual({});
    expect(members.sharedRest()).toEqual({ b: 'y', c: 'z' });
  });

  it('goes on to the next name where a value is of no use, and keeps that value', () => {
    const members = openMembers({ a: null, b: '', c: 2.4 });
    expect(members.count('a', 'b', 'c')).toBe(2);
    expect(members.rest()).toEqual({ a: null, b: '', c: 2.4 });
  });

  it('yields the objects themselves where no fact took anything', () => {
    const [own, shared] = [{ a: 1 }, { b: 2 }];
    const members = openMembers(own, shared);
    expect(members.text('c')).toBeUndefined();
    expect([members.rest(), members.sharedRest()]).toEqual([own, shared]);
    expect(members.sharedRest()).toBe(shared);
  });
});

describe('omitMembers and copyWithout', () => {
  it('keep a member that is named __proto__ as a member', () => {
    const object = parsed('{"a":1,"__proto__":{"b":2}}');
    for (const omit of [omitMembers, copyWithout]) {
      expect(JSON.stringify(omit(object, new Set(['a'])))).toBe('{"__proto__":{"b":2}}');
    }
  });

  it('leave the object that they were given as it is', () => {
    const object = { a: 1, b: 2 };
    const parts = copyWithout(object, new Set(['x']));
    parts['c'] = 3;
    expect(omitMembers(object, new Set(['a']))).toEqual({ b: 2 });
    expect(object).toEqual({ a: 1, b: 2 });
  });
});

describe('toExactInstant', () => {
  it('names the nanosecond exactly, for any that 64 bits hold', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), (nanos) => {
        const instant = toExactInstant(nanos.toString()) ?? '';
        const [seconds = '', fraction = ''] = instant.slice(0, -1).split('.');
        const whole = BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n;
        expect(whole + BigInt(fraction.padEnd(9, '0'))).toBe(nanos);
        expect(fraction.length === 3 || !fraction.endsWith('0')).toBe(true);
      }),
    );
  });

  it.each([
    [5, '1970-01-01T00:00:00.000000005Z'],
    ['1000000', '1970-01-01T00:00:00.001Z'],
    ['0', undefined],
    ['-1', undefined],
    [undefined, undefined],
  ])('takes %j for %j', (nanos, instant) => {
    expect(toExactInstant(nanos)).toBe(instant);
  });
});

describe('facts out of the name of a tool', () => {
  it.each([
    ['mcp__github__list', 'github'],
    ['mcp__github', 'github'],
    ['mcp____x', undefined],
    ['mcp', undefined],
    ['xmcp__a__b', undefined],
  ])('%s is of the server %s', (tool, server) => {
    expect(mcpServerOf(tool)).toBe(server);
  });

  it('takes no name that every object has for one of the file tools', () => {
    expect(filePathOf('constructor', { file_path: '/etc/passwd' })).toBeUndefined();
    expect(filePathOf('Read', { file_path: '/etc/passwd' })).toBe('/etc/passwd');
  });
});
