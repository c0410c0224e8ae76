import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { cutValues } from '../../../../connectors/wire/json/cut-values.ts';
import { MAX_JSON_DEPTH, parseStrict } from '../../../../connectors/wire/json/strict-json.ts';
import { isExactNumber } from '../../../../connectors/wire/json/numbers.ts';
import { PipelineError } from '../../../../schemas/errors.ts';
import { leastCpuOf } from '../../../support/cpu-time.ts';

const NO_BYTES = new Uint8Array();
/** The work is linear: the two texts have the same length. Work that grows with their square takes a thousand times as long. */
const MOST_RATIO = 20;
/** Less than this says nothing, because the clock is as coarse. */
const LEAST_MICROSECONDS = 2_000;

const bytesOf = (text: string) => new TextEncoder().encode(text);
const problemsOf = (text: string) => parseStrict(bytesOf(text)).problems;

function malformedPlace(bytes: Uint8Array): string | undefined {
  try {
    parseStrict(bytes);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(PipelineError);
    expect((error as PipelineError).code).toBe('BODY_MALFORMED');
    return (error as PipelineError).place;
  }
}

describe('parseStrict on sound text', () => {
  it('yields what JSON.parse yields and no problem, for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        const parsed = parseStrict(bytesOf(text));
        expect(parsed.value).toEqual(JSON.parse(text));
        expect(parsed.problems).toEqual([]);
      }),
    );
  });

  it('takes escaped surrogate pairs, exponents, negative zero and long exact decimals for what they are', () => {
    const text = '{"\\ud83d\\ude00":[1e3,-0,0.1,1795248800000000000,1e21,0e9999,"\\\\ud800"]}';
    expect(problemsOf(text)).toEqual([]);
  });

  it('reads strings that end in escaped quotes and backslashes', () => {
    const text = JSON.stringify({ a: 'x\\', 'b"': '\\"', c: '"{[:,"' });
    expect(parseStrict(bytesOf(text)).value).toEqual(JSON.parse(text));
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('parseStrict on text without an exact canonical form', () => {
  it.each([
    ['a repeated name', '{"a":{"b":1,"b":2}}', '/a/b', 'json_duplicate_key'],
    ['a name repeated through an escape', '{"a":1,"\\u0061":2}', '/a', 'json_duplicate_key'],
    ['a lone surrogate in a value', '[0,{"b":"x\\ud800"}]', '/1/b', 'json_lone_surrogate'],
    ['a lone surrogate in a name', '{"\\udc00":1}', '/\ufffd', 'json_lone_surrogate'],
    ['an integer that a double rounds', '{"n":9007199254740993}', '/n', 'json_inexact_number'],
    ['a number beyond the range', '[1,-1e400]', '/1', 'json_inexact_number'],
    ['a number below the range', '[1e-400]', '/0', 'json_inexact_number'],
    ['a decimal with more digits than a double', '[0.1000000000000000055]', '/0', 'json_inexact_number'],
    ['a short token that an exponent pushes out', '[1e999]', '/0', 'json_inexact_number'],
    ['names that need pointer escapes', '{"a/b":{"c~d":1e999}}', '/a~1b/c~0d', 'json_inexact_number'],
  ])('names the place of %s', (_, text, pointer, reason) => {
    expect(problemsOf(text)).toEqual([{ pointer, reason }]);
  });

  it('allows the deepest permitted nesting and names the first container beyond it once', () => {
    const nest = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(problemsOf(nest(MAX_JSON_DEPTH))).toEqual([]);
    const [problem, ...others] = problemsOf(nest(MAX_JSON_DEPTH + 5));
    expect(problem).toEqual({ pointer: '/0'.repeat(MAX_JSON_DEPTH), reason: 'json_too_deep' });
    expect(others).toEqual([]);
  });

  it('goes on behind a container that is too deep', () => {
    const text = `{"deep":${'['.repeat(100_000)}"]"${']'.repeat(100_000)},"n":1e999}`;
    expect(problemsOf(text).map(({ reason }) => reason)).toEqual(['json_too_deep', 'json_inexact_number']);
  });

  it.each([
    ['alone', '', ''],
    ['beside another problem and a sound value', '{"n":1e999,"sound":[7],"deep":', '}'],
    ['behind more problems than are listed', `[${'1e999,'.repeat(2_000)}`, ']'],
  ])('parses nothing of a container that is too deep, %s', (_, before, behind) => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    const parse = vi.spyOn(JSON, 'parse');
    const { problems } = parseStrict(bytesOf(before + deep + behind));
    const parsed = parse.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
    parse.mockRestore();
    expect(problems.length).toBeGreaterThan(0);
    expect(parsed).toBeLessThan(before.length + behind.length + 3 * MAX_JSON_DEPTH);
  });

  it('reads the sound values beside a container that is too deep', () => {
    const deep = '['.repeat(100) + ']'.repeat(100);
    const { value } = parseStrict(bytesOf(`[{"a":1},${deep},{"b":${deep},"c":2},3]`));
    expect(value).toMatchObject([{ a: 1 }, expect.anything(), { c: 2 }, 3]);
  });

  it.each([
    ['one that is not closed', '{"a":'.repeat(70)],
    ['one that another bracket closes', `${'{"a":'.repeat(64)}[1${'}'.repeat(64)}`],
  ])('refuses text with a container that is too deep, %s', (__, text) => {
    expect(malformedPlace(bytesOf(text))).toBe(`line 1 column ${place(text)} (byte ${place(text) - 1})`);
    function place(sent: string): number {
      return sent.includes('[') ? sent.indexOf('}') + 1 : sent.length + 1;
    }
  });

  it('finds every duplicate that a reference count of names finds', () => {
    const name = fc.constantFrom('a', 'b', '\\u0061', 'c', '__proto__');
    const tree = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('1', '"x"', 'null'),
        fc
          .array(fc.tuple(name, tie('value')), { maxLength: 4 })
          .map((members) => `{${members.map(([key, value]) => `"${key}":${value}`).join(',')}}`),
        fc.array(tie('value'), { maxLength: 3 }).map((elements) => `[${elements.join(', ')}]`),
      ),
    })).value;
    fc.assert(
      fc.property(tree, (text) => {
        const spelled = text.replaceAll('\\u0061', 'a');
        // JSON.parse keeps one of two equal names, so printing what it read is shorter exactly if one was repeated.
        const hasDuplicate =
          JSON.stringify(JSON.parse(spelled)).length < spelled.replaceAll(', ', ',').length;
        expect(problemsOf(text).length > 0).toBe(hasDuplicate);
      }),
    );
  });

  it('judges a body with very many problems as a whole', () => {
    const problems = problemsOf(`[${'1e999,'.repeat(5_000)}1]`);
    expect(problems.at(-1)).toEqual({ pointer: '', reason: 'json_inexact_number' });
    expect(problems.length).toBeLessThan(2_000);
  });

  it('takes a number of a million digits for what it is', () => {
    const digits = '1'.repeat(1_000_000);
    expect(problemsOf(`[${digits}]`)).toEqual([{ pointer: '/0', reason: 'json_inexact_number' }]);
    expect(problemsOf(`[0.${'0'.repeat(1_000_000)}]`)).toEqual([]);
  });

  it('looks at numbers behind text that is not ASCII', () => {
    expect(problemsOf('{"é😀":[1795248800000000000,"ü",1e999]}')).toMatchObject([
      { pointer: '/é😀/2', reason: 'json_inexact_number' },
    ]);
  });

  it('cuts long names in pointers, so that problems stay small', () => {
    const [problem] = problemsOf(`{"${'k'.repeat(100_000)}":1e999}`);
    expect(problem?.pointer.length).toBeLessThan(500);
  });
});

describe('isExactNumber', () => {
  it('accepts the shortest form of every double, however it is written', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(isExactNumber(String(number))).toBe(true);
        expect(isExactNumber(number.toExponential())).toBe(true);
      }),
    );
  });

  it('agrees with big integers about which integers survive', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (integer) => {
        const survives = decimalOf(Number(integer)) === integer;
        expect(isExactNumber(integer.toString())).toBe(survives);
      }),
    );
  });

  function decimalOf(number: number): bigint {
    const [mantissa = '', power = '0'] = String(number).split('e');
    const [whole = '', fraction = ''] = mantissa.split('.');
    return BigInt(whole + fraction.padEnd(Number(power), '0'));
  }
});

describe('parseStrict on what is not JSON', () => {
  it.each([
    ['', 'line 1 column 1 (byte 0)'],
    ['{"a":1,,}', 'line 1 column 8 (byte 7)'],
    ['{"a":\n  tru}', 'line 2 column 3 (byte 8)'],
    ['{"ä":x}', 'line 1 column 6 (byte 6)'],
    ['["\\x"]', 'line 1 column 3 (byte 2)'],
    ['["a\tb"]', 'line 1 column 4 (byte 3)'],
    ['[01]', 'line 1 column 3 (byte 2)'],
    ['[1.]', 'line 1 column 4 (byte 3)'],
    ['[-]', 'line 1 column 3 (byte 2)'],
    ['[1e+]', 'line 1 column 5 (byte 4)'],
    ['{"a":1', 'line 1 column 7 (byte 6)'],
    ['[1]]', 'line 1 column 4 (byte 3)'],
    ['\ufeff{}', 'line 1 column 1 (byte 0)'],
    ['{a:1}', 'line 1 column 2 (byte 1)'],
    ['[1,]', 'line 1 column 4 (byte 3)'],
  ])('refuses %j and names the place', (text, place) => {
    expect(malformedPlace(bytesOf(text))).toBe(place);
  });

  it.each([
    ['a bad continuation', [0x22, 0xc3, 0x28, 0x22], 'line 1 column 2 (byte 1)'],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22], 'line 1 column 2 (byte 1)'],
    ['an overlong form', [0x0a, 0xc0, 0xaf], 'line 2 column 1 (byte 1)'],
    ['a sequence cut short', [0x22, 0xe2, 0x82], 'line 1 column 2 (byte 1)'],
    ['a code point beyond Unicode', [0x22, 0xf4, 0x90, 0x80, 0x80], 'line 1 column 2 (byte 1)'],
  ])('refuses bytes with %s and names the place', (_, bytes, place) => {
    expect(malformedPlace(Uint8Array.from(bytes))).toBe(place);
  });

  it('accepts exactly what JSON.parse accepts, for mutilated text', () => {
    const text = '{"a":[1,-2.5e+3,true,null,"x\\u00e4\\n"],"b":{"c":{}}}';
    fc.assert(
      fc.property(
        fc.nat(text.length),
        fc.nat(3),
        fc.constantFrom('', '"', '{', ']', ',', '0', '\\', 'e'),
        (...cut) => {
          const [at, length, inserted] = cut;
          const mutilated = text.slice(0, at) + inserted + text.slice(at + length);
          const place = malformedPlace(bytesOf(mutilated));
          expect(place === 'accepted').toBe(isParsable(mutilated));
        },
      ),
      { numRuns: 500 },
    );
  });

  function isParsable(text: string): boolean {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  it('survives a hundred thousand open brackets', () => {
    expect(malformedPlace(bytesOf('[{"a":'.repeat(100_000)))).toMatch(/^line 1 column 600001 /);
  });
});

describe('cutValues', () => {
  it('cuts each element of an array byte for byte', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), (elements) => {
        const text = `{"x": 1, "list" : [ ${elements.map((element) => JSON.stringify(element)).join(' ,\n')} ]}`;
        const pointers = elements.map((_, index) => `/list/${index}`);
        const cuts = cutValues(text, bytesOf(text), new Set(pointers));
        const texts = pointers.map((pointer) => new TextDecoder().decode(cuts.get(pointer)));
        expect(texts).toEqual(elements.map((element) => JSON.stringify(element)));
      }),
    );
  });

  it('answers with the whole text for the root and for places that do not exist', () => {
    const whole = bytesOf('{"a":[1]}');
    const cuts = cutValues('{"a":[1]}', whole, new Set(['', '/a/7']));
    expect([cuts.get(''), cuts.get('/a/7')]).toEqual([whole, whole]);
  });

  it('takes the last value where a name is repeated, and no value below a name that holds a slash', () => {
    const text = '{"a":[1,2],"a":[3],"a/0":4,"0":[5]}';
    const cuts = cutValues(text, bytesOf(text), new Set(['/a', '/a/0', '/a/1', '/0/0']));
    expect([...cuts.values()].map((cut) => new TextDecoder().decode(cut))).toEqual(['[3]', '3', '2', '5']);
  });

  it('takes no longer for a long name above many values than for a long value beside them', () => {
    const long = 'k'.repeat(100_000);
    const values = `[${'1,'.repeat(50_000)}1]`;
    const cut = (text: string) => () => cutValues(`{"a":[1],${text}}`, NO_BYTES, new Set(['/a/0']));
    const above = leastCpuOf(cut(`"${long}":${values}`));
    const beside = leastCpuOf(cut(`"k":${values},"l":"${long}"`));
    expect(above / Math.max(beside, LEAST_MICROSECONDS)).toBeLessThan(MOST_RATIO);
  });
});
