import { describe, expect, it } from 'vitest';
import { MAX_REPEATED_BYTES, splitBySession } from '../../../../ingest/receivers/split.ts';
import { native } from '../../../../connectors/sources/native/native.ts';
import { otlpLogs } from '../../../../connectors/sources/otlp/otlp.ts';
import { keyOf, type Envelope } from '../../../../schemas/envelope.ts';
import type { JsonObject } from '../../../../schemas/json.ts';
import { toProtobuf } from '../../../connectors/wire/otlp/to-protobuf.ts';
import { envelope } from '../../../connectors/sources/recorded.ts';
import { expectSoundParts, partsOf, recordsOf } from './parts.ts';
import { field, fixed64Field, group, pair, varintField } from './wire.ts';

const session = (name: string, value: string, key = 'session.id') =>
  `{"key":"${key}","value":{"${name}":${value}}}`;
const record = (attributes: string, more = '') => `{"attributes":[${attributes}]${more}}`;
const inScope = (...records: readonly string[]) =>
  `{"scope":{"name":"s"},"logRecords":[${records.join(',')}]}`;
const logs = (text: string) => envelope('otlp-logs', `{"resourceLogs":[${text}]}`);
const inGroup = (attributes: string, ...records: readonly string[]) =>
  logs(`{"resource":{"attributes":[${attributes}]},"scopeLogs":[${inScope(...records)}]}`);
const metrics = (...texts: readonly string[]) =>
  envelope('otlp-metrics', `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${texts.join(',')}]}]}]}`);
const textOf = ({ body }: Envelope) => Buffer.from(body).toString();

function soundPartsOf(whole: Envelope): Envelope[] {
  const parts = partsOf(whole);
  expectSoundParts(whole, parts);
  return parts;
}
const keysOf = (whole: Envelope) => soundPartsOf(whole).map(keyOf);
const NO_SESSION = 'source:otlp-logs';
const NO_SESSION_IN = (source: string) => `source:${source}`;

describe('the session of an OTLP item', () => {
  const A = session('stringValue', '"a"');
  it.each([
    ['an attribute of its own', '', A, 'session:a'],
    ['its resource', A, '', 'session:a'],
    ['its own before its resource', A, session('stringValue', '"b"'), 'session:b'],
    ['a conversation', '', session('stringValue', '"c"', 'gen_ai.conversation.id'), 'session:c'],
    [
      'a session before a conversation',
      '',
      `${session('stringValue', '"c"', 'gen_ai.conversation.id')},${A}`,
      'session:a',
    ],
    [
      'the session of its resource before a conversation of its own',
      A,
      session('stringValue', '"c"', 'gen_ai.conversation.id'),
      'session:a',
    ],
    ['an integer', '', session('intValue', '"9007199254740993"'), 'session:9007199254740993'],
    ['a double', '', session('doubleValue', '0.50'), 'session:0.5'],
    ['a boolean', '', session('boolValue', 'true'), 'session:true'],
    ['bytes', '', session('bytesValue', '"-_8"'), 'session:+/8='],
    ['escaped text', '', session('stringValue', '"\\u00fc\\n\\ud83d\\ude00"'), 'session:ü\n😀'],
    ['an escaped name', '', session('stringValue', '"a"', 'session\\u002eid'), 'session:a'],
    ['text beyond ASCII', '', session('stringValue', '"ü😀"'), 'session:ü😀'],
    ['empty text of its own, which hides its resource', A, session('stringValue', '""'), NO_SESSION],
    ['null, which hides its resource', A, '{"key":"session.id","value":null}', NO_SESSION],
    [
      'no usable session but a conversation',
      '',
      `{"key":"session.id"},${session('stringValue', '"c"', 'gen_ai.conversation.id')}`,
      'session:c',
    ],
    ['a list', '', session('arrayValue', '{"values":[]}'), NO_SESSION],
    ['text too long for an identifier', '', session('stringValue', `"${'x'.repeat(4097)}"`), NO_SESSION],
    [
      'a text with members unknown here',
      '',
      '{"key":"session.id","value":{"stringValue":"a","x":1}}',
      NO_SESSION,
    ],
    ['a name that only ends like it', '', session('stringValue', '"a"', 'my.session.id'), NO_SESSION],
    [
      "a collector's name, which it cannot pass for",
      '',
      session('stringValue', '"source:otlp-logs"'),
      'session:source:otlp-logs',
    ],
  ])('is %s', (_, ofResource, own, key) => {
    const whole = inGroup(ofResource, record(own));
    expect(keysOf(whole)).toEqual([key]);
    // The same of the item in protobuf, which has no room for members unknown here.
    const binary = toProtobuf('logs', JSON.parse(textOf(whole)) as JsonObject);
    soundPartsOf(envelope('otlp-logs', binary, { content_type: 'application/x-protobuf' }));
  });

  it('is looked for where the connector does: not in bodies, events, or nested values', () => {
    const nested = `{"key":"x","value":{"kvlistValue":{"values":[${A}]}}}`;
    expect(keysOf(inGroup('', record(nested, `,"body":{"kvlistValue":{"values":[${A}]}}`)))).toEqual([
      NO_SESSION,
    ]);
  });
});

describe('an OTLP/JSON body of several sessions', () => {
  const A = record(session('stringValue', '"a"'));
  const B = record(session('stringValue', '"b"'));

  it('keeps the bytes of items and of what stands around them', () => {
    const exact = `{ "attributes" : [${session('stringValue', '"a"')}], "body":{"doubleValue":1.50e0}, "later":[1e2,"\\u0041"] }`;
    const text = `{"x":null,"resourceLogs" : [ {"scopeLogs":[{"logRecords":[ ${exact} , ${B},${A} ],"y":{"z":0.10}}],"resource":{"attributes":[]}} ],"w":[]}`;
    const parts = soundPartsOf(envelope('otlp-logs', text));
    expect(parts.map(textOf)).toEqual([
      `{"x":null,"resourceLogs" : [{"scopeLogs":[{"logRecords":[${exact},${A}],"y":{"z":0.10}}],"resource":{"attributes":[]}}],"w":[]}`,
      `{"x":null,"resourceLogs" : [{"scopeLogs":[{"logRecords":[${B}],"y":{"z":0.10}}],"resource":{"attributes":[]}}],"w":[]}`,
    ]);
    expect(parts.map(({ item_count }) => item_count)).toEqual([2, 1]);
  });

  it('sends members of the request that no item carries to the collector, each as an item', () => {
    const text = `{ "x" : 1,"resourceLogs": [{"scopeLogs":[{"logRecords":[${A},${B}]}]}] ,"w":[],"y":{"z":0.10}}`;
    const parts = soundPartsOf(envelope('otlp-logs', text));
    expect(parts.map(keyOf)).toEqual(['session:a', 'session:b', NO_SESSION]);
    expect(parts.map(textOf)).toEqual([
      `{"resourceLogs": [{"scopeLogs":[{"logRecords":[${A}]}]}],"w":[]}`,
      `{"resourceLogs": [{"scopeLogs":[{"logRecords":[${B}]}]}]}`,
      `{"x" : 1,"y":{"z":0.10}}`,
    ]);
    expect(parts.map(({ item_count }) => item_count)).toEqual([1, 1, 2]);
  });

  it.each(['é', '\u0000', '\uffff😀', 'two\nlines', 'a/b', 'a~b', '\\'])(
    'finds such a member whatever its name has, as in %j',
    (name) => {
      const text = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${A},${B}]}]}],${JSON.stringify(name)}:[1]}`;
      const parts = soundPartsOf(envelope('otlp-logs', text));
      expect(parts.map(keyOf)).toEqual(['session:a', 'session:b', NO_SESSION]);
      const [{ content } = { content: null }] = recordsOf(parts[2]!);
      expect(Buffer.from(content!['body_base64'] as string, 'base64').toString()).toBe('[1]');
    },
  );

  it('sends items and groups that will be quarantined to the collector, with their own bytes', () => {
    const duplicate = `{"attributes":[${session('stringValue', '"a"')}],"x":1,"x":2}`;
    const whole = logs(
      `{"scopeLogs":[${inScope(A, duplicate, '5', B)},{"logRecords":7}]},{"resource":3,"scopeLogs":[${inScope(A)}]}`,
    );
    const parts = soundPartsOf(whole);
    expect(parts.map(keyOf)).toEqual(['session:a', NO_SESSION, 'session:b']);
    expect(parts.map(({ item_count }) => item_count)).toEqual([1, 4, 1]);
    const reasons = recordsOf(parts[1]!).map(({ facts }) => facts.quarantine_reason);
    expect(reasons).toEqual(['json_duplicate_key', ...Array<string>(3).fill('item_shape_invalid')]);
    const { content } = recordsOf(parts[1]!)[0]!;
    expect(Buffer.from(content!['body_base64'] as string, 'base64').toString()).toBe(duplicate);
  });

  it('keeps groups without items, with what comes first', () => {
    const empty = '{"resource":{"attributes":[]},"scopeLogs":[{"logRecords":null},{}],"e":null}';
    const parts = soundPartsOf(logs(`${empty},{"scopeLogs":null},{"scopeLogs":[${inScope(A, B)}]}`));
    expect(parts.map(keyOf)).toEqual(['session:a', 'session:b']);
    expect(parts.map((part) => textOf(part).includes('"e":null'))).toEqual([true, false]);
  });

  it('tells metrics without points, of kinds to come, and with null for a kind as the connector does', () => {
    const point = (value: string) => `{"asInt":"1","attributes":[${session('stringValue', value)}]}`;
    const whole = metrics(
      `{"gauge":null,"sum":{"dataPoints":[${point('"a"')},${point('"b"')}],"isMonotonic":true},"name":"m"}`,
      '{"name":"no kind"}',
      '{"name":"no points","histogram":{}}',
      '{"name":"later kind","marvel":{"dataPoints":[]}}',
      `{"name":"two kinds","gauge":{"dataPoints":[${point('"a"')}]},"sum":{}}`,
      `{"name":"one bad point","summary":{"dataPoints":[4,${point('"b"')}]}}`,
    );
    const parts = soundPartsOf(whole);
    expect(parts.map(keyOf)).toEqual(['session:a', 'session:b', NO_SESSION_IN('otlp-metrics')]);
    expect(parts.map(({ item_count }) => item_count)).toEqual([1, 2, 3]);
  });

  it('finds the ends of texts with backslashes and brackets in them', () => {
    const texts = ['\\', '"]}', '}]{[', '\\"]', '', '\\\\'].map((text) => JSON.stringify(text));
    const records = texts.flatMap((text) => [
      record(`${session('stringValue', '"a"')},{"key":"x","value":{"stringValue":${text}}}`),
      record(`{"key":"y","value":{"stringValue":${text}}},${session('stringValue', '"b"')}`, `,"z":${text}`),
    ]);
    expect(soundPartsOf(inGroup('', ...records)).map(({ item_count }) => item_count)).toEqual([6, 6]);
  });

  it('reads structural names that are escaped', () => {
    const text = `{"resource\\u004cogs":[{"scopeLog\\u0073":[{"logR\\u0065cords":[${A},${B}]}]}]}`;
    expect(keysOf(envelope('otlp-logs', text))).toEqual(['session:a', 'session:b']);
  });
});

describe('an OTLP body in protobuf of several sessions', () => {
  const item = (name: string, ...more: Buffer[]) => field(2, pair(6, 'session.id', name), ...more);
  const proto = (source: 'otlp-logs' | 'otlp-metrics', ...parts: Buffer[]) =>
    envelope(source, Buffer.concat(parts), { content_type: 'application/x-protobuf' });

  it('keeps fields unknown here at every level, and an item byte for byte', () => {
    const odd = item('a', varintField(200, 5), group(201, varintField(1, 1), group(2)), varintField(5, 3));
    const scope = field(1, field(1, 's'));
    const whole = proto(
      'otlp-logs',
      varintField(50, 1),
      field(
        1,
        field(2, scope, odd, item('b'), fixed64Field(60, 7n)),
        field(1, pair(1, 'k', 'v')),
        varintField(70, 2),
      ),
      varintField(1, 9),
    );
    const parts = soundPartsOf(whole);
    expect(parts.map(keyOf)).toEqual(['session:a', 'session:b', NO_SESSION]);
    expect(Buffer.from(parts[0]!.body).includes(odd)).toBe(true);
    for (const { body } of parts.slice(0, 2)) {
      for (const around of [fixed64Field(60, 7n), varintField(70, 2)]) {
        expect(Buffer.from(body).includes(around)).toBe(true);
      }
    }
    // Fields of the request belong to no item, so they are one.
    expect(Buffer.from(parts[2]!.body)).toEqual(Buffer.concat([varintField(50, 1), varintField(1, 9)]));
    expect(parts[2]!.item_count).toBe(1);
  });

  it('merges a resource, an attribute, a scope and a kind that come twice, as the decoder does', () => {
    const attribute = field(
      6,
      field(1, 'nonsense'),
      field(1, 'session.id'),
      field(2, field(1, 'x')),
      field(2, field(1, 'c')),
    );
    const whole = proto(
      'otlp-logs',
      field(
        1,
        field(1, pair(1, 'session.id', 'a')),
        field(
          2,
          field(1, field(1, 's')),
          field(2),
          item('b'),
          field(2, attribute),
          field(1, field(2, '1.0')),
        ),
        field(1, pair(1, 'k', 'v')),
      ),
    );
    expect(keysOf(whole)).toEqual(['session:a', 'session:b', 'session:c']);

    const point = (name: string, value: bigint) =>
      field(1, fixed64Field(6, value), pair(7, 'session.id', name));
    const metric = field(
      2,
      field(7, point('a', 1n), varintField(2, 2)),
      field(1, 'name'),
      field(7, point('b', 2n), point('a', 3n), varintField(3, 1)),
    );
    const laterKind = field(2, field(1, 'later'), field(33, point('a', 1n)));
    const noPoints = field(2, field(1, 'none'), field(5, varintField(9, 9)));
    const twoKinds = field(2, field(5, point('a', 4n)), field(7, point('a', 5n)));
    const parts = soundPartsOf(
      proto('otlp-metrics', field(1, field(2, noPoints, metric, laterKind, twoKinds, field(2)))),
    );
    expect(parts.map(keyOf)).toEqual([NO_SESSION_IN('otlp-metrics'), 'session:a', 'session:b']);
    expect(parts.map(({ item_count }) => item_count)).toEqual([3, 2, 1]);
  });

  it('sends an item that will be quarantined to its source', () => {
    const twice = field(2, pair(6, 'session.id', 'a'), pair(6, 'session.id', 'a'));
    const parts = soundPartsOf(proto('otlp-logs', field(1, field(2, item('a'), twice, item('a')))));
    expect(parts.map(keyOf)).toEqual(['session:a', NO_SESSION]);
  });
});

describe('a native body', () => {
  it('keys items as their schema takes them, and sends those it does not take to its source', () => {
    const items = [
      '{"type":"a","session_id":"s"}',
      '{"session_id":"s"}',
      '7',
      '{"type":"a"}',
      '{"type":"a","session\\u005fid":"\\u0073"}',
    ];
    const parts = soundPartsOf(envelope('native', ` [ ${items.join(' , ')} ] `));
    expect(parts.map(keyOf)).toEqual(['session:s', NO_SESSION_IN('native')]);
    expect(parts.map(textOf)).toEqual([` [${items[0]},${items[4]}] `, ` [${items[1]},7,${items[3]}] `]);
  });

  it('of one item is not taken apart, whatever the item', () => {
    for (const item of ['{"type":"a","session_id":"s"}', '{"type":"a","session_id":5}']) {
      for (const [text, content_type] of [
        [item, 'application/json'],
        [`[${item}]`, 'application/json'],
        [`\n${item}\n`, 'application/x-ndjson'],
      ] as const) {
        expect(keysOf(envelope('native', text, { content_type }))).toEqual([
          item.includes('5') ? NO_SESSION_IN('native') : 'session:s',
        ]);
      }
    }
  });
});

describe('a hook', () => {
  const call = '{"tool_name":"Read","tool_use_id":"t","session_id":"of the call"}';
  it.each([
    ['its session', '{"session_id":"s","hook_event_name":"Stop"}', 'session:s'],
    ['its session where it is a number', '{"hook_event_name":"Stop","session_id":12}', 'session:12'],
    [
      'the session of the batch',
      `{"session_id":"s","hook_event_name":"PostToolBatch","tool_calls":[${call},7]}`,
      'session:s',
    ],
    ['its source without a session', '{"hook_event_name":"Stop"}', NO_SESSION_IN('claude-code-hook')],
    [
      'its source where the batch names no session',
      `{"hook_event_name":"PostToolBatch","tool_calls":[${call},${call}]}`,
      NO_SESSION_IN('claude-code-hook'),
    ],
    [
      'its source where it will be quarantined',
      '{"session_id":"s","hook_event_name":"Stop","n":1e999}',
      NO_SESSION_IN('claude-code-hook'),
    ],
  ])('goes whole, by %s', (_, text, key) => {
    const parts = partsOf(envelope('claude-code-hook', text));
    expect(parts.map(keyOf)).toEqual([key]);
    expect(textOf(parts[0]!)).toBe(text);
  });
});

describe('a body that is not split', () => {
  const twoSessions = (around: string) =>
    `{${around}"resourceLogs":[{"scopeLogs":[${inScope(record(session('stringValue', '"a"')), record(session('stringValue', '"b"')))}]}]}`;

  it('is the same buffer, where it has one key', () => {
    const body = Buffer.from('[{"type":"a","session_id":"s"},{"type":"b","session_id":"s"}]');
    const [part] = splitBySession({ body, read: native.read(envelope('native', body)), source: 'native' });
    expect(part?.body).toBe(body);
  });

  it('goes to its source, where all of it will be quarantined', () => {
    expect(keysOf(envelope('otlp-logs', twoSessions('"x":1e999,')))).toEqual([NO_SESSION]);
  });

  it('goes to its source, where its parts would repeat too much', () => {
    const space = ' '.repeat(MAX_REPEATED_BYTES);
    expect(partsOf(envelope('otlp-logs', twoSessions(space))).map(keyOf)).toEqual([NO_SESSION]);
    const less = ' '.repeat(MAX_REPEATED_BYTES - 1000);
    expect(partsOf(envelope('otlp-logs', twoSessions(less))).map(keyOf)).toEqual(['session:a', 'session:b']);
  });

  it('goes to its source, where its pieces are not as many as its items', () => {
    const body = Buffer.from(twoSessions(''));
    const read = otlpLogs.read(envelope('otlp-logs', body));
    const items = () => [...read.items(), { recordCount: 1, session: 'c' }];
    const [part, ...others] = splitBySession({ body, read: { ...read, items }, source: 'otlp-logs' });
    expect([part?.key, others]).toEqual(['source:otlp-logs', []]);
  });
});
