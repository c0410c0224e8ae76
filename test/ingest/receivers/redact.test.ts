import { describe, expect, it } from 'vitest';
import { decodeProtobuf } from '../../../connectors/wire/otlp/protobuf.ts';
import { fieldHeader } from '../../../connectors/wire/otlp/wire-fields.ts';
import { createFingerprint } from '../../../ingest/receivers/redact-text.ts';
import { redactBody } from '../../../ingest/receivers/redact.ts';
import { SECRET_TYPES, type DataClass } from '../../../schemas/data-class.ts';
import type { EnvelopeHeader } from '../../../schemas/envelope.ts';
import { PLANTED } from '../../connectors/detect/planted.ts';
import { encodeLogs } from './encode-logs.ts';

const fingerprint = createFingerprint(new Uint8Array(32).fill(7));
const KEY_ID = ['AK', 'IAIOSFODNN7EXAMPLE'].join('');
const MARK = `[secret:aws_access_key_id:${fingerprint(KEY_ID)}]`;
const SECRETS = PLANTED.filter(({ type }) => (SECRET_TYPES as readonly DataClass[]).includes(type));

type Kind = Pick<EnvelopeHeader, 'source' | 'content_type'>;
const HOOK: Kind = { source: 'claude-code-hook', content_type: 'application/json' };
const OTLP_JSON: Kind = { source: 'otlp-logs', content_type: 'application/json' };
const OTLP_PROTOBUF: Kind = { source: 'otlp-logs', content_type: 'application/x-protobuf' };
const LINES: Kind = { source: 'native', content_type: 'application/x-ndjson' };
const FORM: Kind = { source: 'github', content_type: 'application/x-www-form-urlencoded' };

const redact = (kind: Kind, body: string | Buffer) =>
  redactBody({ ...kind, body: Buffer.from(body) }, fingerprint);
const textOf = (kind: Kind, body: string | Buffer) => redact(kind, body)?.body.toString();

describe('redactBody of JSON', () => {
  it.each([
    ['no secret at all', '{"tool_input":{"command":"ls -l"}}'],
    ['what only looks like one', '{"a":"the token: see https:\\/\\/example.com \\u0041 AKIA"}'],
    ['a label that gives no value', '{"password":null,"token":"string"}'],
  ])('leaves a body with %s as it is', (_, body) => {
    expect(redact(HOOK, body)).toBeUndefined();
  });

  it('puts a mark in the place of a secret and keeps every other byte', () => {
    const body = `{ "a" : "\\u00e4\\/" ,\n "n":1.50, "b":["x ${KEY_ID} y"] }`;
    expect(redact(HOOK, body)).toEqual({
      body: Buffer.from(`{ "a" : "\\u00e4\\/" ,\n "n":1.50, "b":["x ${MARK} y"] }`),
      redacted: { count: 1, types: ['aws_access_key_id'] },
    });
  });

  it.each([
    ['letters as escapes', KEY_ID.replace('I', '\\u0049').replace('E', '\\u0045')],
    [
      'all letters as escapes',
      Array.from(KEY_ID, (one) => `\\u00${one.charCodeAt(0).toString(16)}`).join(''),
    ],
  ])('finds a secret that is written with %s', (_, written) => {
    expect(textOf(HOOK, `{"a":"${written}"}`)).toBe(`{"a":"${MARK}"}`);
  });

  it('finds a secret with escaped slashes', () => {
    const url = String.raw`{"u":"postgres:\/\/app:s3cr3t-pw@db\/x"}`;
    expect(textOf(HOOK, url)).toBe(
      `{"u":"postgres://app:[secret:url_password:${fingerprint('s3cr3t-pw')}]@db/x"}`,
    );
  });

  it('finds a secret in JSON text within a string', () => {
    const inner = JSON.stringify({ env: { password: 'hunt er2'.replace(' ', '') + '!' } });
    const redacted = textOf(HOOK, JSON.stringify({ tool_parameters: inner }));
    const { tool_parameters } = JSON.parse(redacted ?? '{}') as { tool_parameters: string };
    expect(JSON.parse(tool_parameters)).toEqual({
      env: { password: `[secret:labelled_secret:${fingerprint('hunter2!')}]` },
    });
  });

  it.each([
    ['a letter of a key is escaped', String.raw`{"command":"\u0041${KEY_ID.slice(1)}"}`, KEY_ID],
    ['slashes are escaped', String.raw`{"command":"psql postgres:\/\/bob:s3cretpw77@db\/x"}`, 's3cretpw77'],
    [
      'a letter beyond ASCII is escaped',
      String.raw`{"u":"postgres://bob:s3cr\u00e9tpw77@db/x"}`,
      's3crétpw77',
    ],
    ['the text is a list', String.raw`[ "\u0041${KEY_ID.slice(1)}" ]`, KEY_ID],
    ['the text is a string', String.raw`"\u0041${KEY_ID.slice(1)}"`, KEY_ID],
    ['a list has the name', '{"password" : ["hunter2abcD9"]}', 'hunter2abcD9'],
    ['a value has a quote', String.raw`{"password":"hunter2\"abcD9"}`, 'hunter2"abcD9'],
    ['the text goes on with other text', String.raw`{"a":"\u0041${KEY_ID.slice(1)}"} and more`, KEY_ID],
    ['the text was cut', String.raw`{"a":{"stringValue":"\u0041${KEY_ID.slice(1)}"},"b":"c`, KEY_ID],
  ])('finds a secret in JSON text within a string where %s', (_, inner, secret) => {
    for (const levels of [1, 2, 3, 8]) {
      let text = inner;
      for (let level = 1; level < levels; level += 1) text = JSON.stringify({ text });
      const json = textOf(HOOK, JSON.stringify({ arguments: text }))!;
      expect(json).toContain(`:${fingerprint(secret)}]`);
      const protobuf = redact(OTLP_PROTOBUF, encodeLogs({ arguments: text }))!.body;
      const sent = (JSON.parse(json) as { arguments: string }).arguments;
      expect(decodeProtobuf('logs', protobuf)).toEqual(
        decodeProtobuf('logs', encodeLogs({ arguments: sent })),
      );
    }
  });

  it('keeps the bytes of JSON text within a string around what it replaces', () => {
    const inner = String.raw`{ "a" : "\u00e4\/" , "n":1.50, "b":["x ${KEY_ID}"] }`;
    const redacted = textOf(HOOK, JSON.stringify({ inner })) ?? '{}';
    expect(JSON.parse(redacted)).toEqual({ inner: inner.replace(KEY_ID, MARK) });
  });

  it('counts a secret in JSON text within a string once', () => {
    const inner = JSON.stringify({ password: 'hunter2abcD9', url: 'db://u:s3cretpw77@h', id: KEY_ID });
    expect(redact(HOOK, JSON.stringify({ a: inner }))?.redacted.count).toBe(3);
  });

  it('leaves JSON text without a secret as it is, however deep it nests', () => {
    const deep = `${'['.repeat(20_000)}"${'\u0041'.repeat(3)}"${']'.repeat(20_000)}`;
    expect(redact(HOOK, JSON.stringify({ deep, other: '{"a":"\u0041"' }))).toBeUndefined();
  });

  it('takes the elements of a list for secrets by the name of the list', () => {
    const mark = `[secret:labelled_secret:${fingerprint('q7Rt-99_z')}]`;
    expect(textOf(HOOK, '{"password":["q7Rt-99_z",[{"a":"q7Rt-99_z"},"q7Rt-99_z"]],"a":["q7Rt-99_z"]}')).toBe(
      `{"password":["${mark}",[{"a":"q7Rt-99_z"},"${mark}"]],"a":["q7Rt-99_z"]}`,
    );
  });

  it('takes a value for a secret by the name of its member', () => {
    const mark = `[secret:labelled_secret:${fingerprint('q7Rt-99_z')}]`;
    expect(textOf(HOOK, '{"db_password":"q7Rt-99_z","other":"q7Rt-99_z"}')).toBe(
      `{"db_password":"${mark}","other":"q7Rt-99_z"}`,
    );
  });

  it('redacts names of members too', () => {
    expect(textOf(HOOK, `{"${KEY_ID}":1}`)).toBe(`{"${MARK}":1}`);
  });

  it('redacts each line of NDJSON by itself', () => {
    expect(textOf(LINES, `{"a":1}\r\n\n{"b":"${KEY_ID}"}\n{"c":"é"}`)).toBe(
      `{"a":1}\r\n\n{"b":"${MARK}"}\n{"c":"é"}`,
    );
  });

  it.each([
    ['before its value', '{"key":"api_token","value":{"stringValue":"q7Rt-99_zz"}}'],
    ['behind its value', '{"value":{"stringValue":"q7Rt-99_zz"},"key":"api_token"}'],
    [
      'around a list of values',
      '{"key":"api_token","value":{"arrayValue":{"values":[{"stringValue":"q7Rt-99_zz"}]}}}',
    ],
  ])('takes the name of an OTLP attribute for that of its value, %s', (_, attribute) => {
    const body = `{"resourceLogs":[{"resource":{"attributes":[${attribute}]}}]}`;
    const mark = `[secret:labelled_secret:${fingerprint('q7Rt-99_zz')}]`;
    expect(textOf(OTLP_JSON, body)).toBe(body.replace('q7Rt-99_zz', mark));
  });

  it('does not lend the name of an attribute to the one behind it', () => {
    const body =
      '[{"key":"token","value":{"intValue":"1"}},{"key":"tool","value":{"stringValue":"q7Rt-99_zz"}}]';
    expect(redact(OTLP_JSON, body)).toBeUndefined();
  });

  it('finds the name of a value many levels above it, among many values', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `{"stringValue":"q7Rt-99_z${index}"}`).join();
    const nested = `${'['.repeat(9_000)}${values}${']'.repeat(9_000)}`;
    const named = redact(OTLP_JSON, `{"value":${nested},"key":"api_token"}`);
    expect(named?.redacted.count).toBe(20_000);
    expect(redact(OTLP_JSON, `{"value":${nested},"key":"tool"}`)).toBeUndefined();
  });

  it('refuses what nests too deep to be looked through, and takes what is deep', () => {
    const nested = (depth: number) => `${'['.repeat(depth)}"${KEY_ID}"${']'.repeat(depth)}`;
    expect(textOf(HOOK, nested(9_000))).toContain(MARK);
    expect(() => redact(HOOK, nested(10_001))).toThrow(expect.objectContaining({ code: 'BODY_MALFORMED' }));
  });

  it('names the same secret alike in each body, and another installation names it otherwise', () => {
    const other = createFingerprint(new Uint8Array(32).fill(8));
    expect(fingerprint(KEY_ID)).toMatch(/^[0-9a-f]{16}$/);
    expect(textOf(HOOK, `"${KEY_ID}"`)).toBe(textOf(LINES, `"${KEY_ID}"`));
    expect(other(KEY_ID)).not.toBe(fingerprint(KEY_ID));
  });
});

describe('redactBody of a form', () => {
  it('redacts the JSON of a field behind its escapes, and keeps fields without a secret', () => {
    const payload = encodeURIComponent(JSON.stringify({ token: 'q7Rt-99_zz', key: KEY_ID })).replaceAll(
      '%20',
      '+',
    );
    const redacted = textOf(FORM, `a=1+2&payload=${payload}`) ?? '';
    const mark = `[secret:labelled_secret:${fingerprint('q7Rt-99_zz')}]`;
    expect(redacted.startsWith('a=1+2&payload=')).toBe(true);
    expect(JSON.parse(new URLSearchParams(redacted).get('payload') ?? '')).toEqual({
      token: mark,
      key: MARK,
    });
    expect(redact(FORM, 'a=1+2&payload=%7B%7D')).toBeUndefined();
  });
});

describe('redactBody of protobuf', () => {
  it('says the same as of the same request in JSON', () => {
    const attributes = {
      command: `echo ${KEY_ID}`,
      api_token: 'q7Rt-99_zz',
      other: 'stays',
      list: [KEY_ID, 'b'],
    };
    const redacted = redact(OTLP_PROTOBUF, encodeLogs(attributes));
    expect(redacted?.redacted).toEqual({ count: 3, types: ['aws_access_key_id', 'labelled_secret'] });
    expect(decodeProtobuf('logs', redacted!.body)).toEqual(
      decodeProtobuf(
        'logs',
        encodeLogs({
          command: `echo ${MARK}`,
          api_token: `[secret:labelled_secret:${fingerprint('q7Rt-99_zz')}]`,
          other: 'stays',
          list: [MARK, 'b'],
        }),
      ),
    );
  });

  it('keeps the key of an attribute, which is the name of its value and not a value', () => {
    const redacted = redact(OTLP_PROTOBUF, encodeLogs({ db_password2: 'q7Rt-99_zz' }));
    const mark = `[secret:labelled_secret:${fingerprint('q7Rt-99_zz')}]`;
    expect(redacted?.redacted.count).toBe(1);
    expect(decodeProtobuf('logs', redacted!.body)).toEqual(
      decodeProtobuf('logs', encodeLogs({ db_password2: mark })),
    );
  });

  it('redacts a key that holds a secret itself', () => {
    const redacted = redact(OTLP_PROTOBUF, encodeLogs({ [`x ${KEY_ID}`]: 'stays' }));
    expect(redacted?.body).toEqual(encodeLogs({ [`x ${MARK}`]: 'stays' }));
  });

  it('leaves a request without a secret as it is', () => {
    expect(redact(OTLP_PROTOBUF, encodeLogs({ command: 'ls', api_token: 'none' }))).toBeUndefined();
  });

  it('redacts text in a field that it does not know, and keeps only the mark of bytes that are no text', () => {
    const field = (payload: Buffer) => Buffer.concat([fieldHeader(99, payload.length), payload]);
    const text = redact(OTLP_PROTOBUF, field(Buffer.from(`see ${KEY_ID}.`)));
    expect(text?.body).toEqual(field(Buffer.from(`see ${MARK}.`)));
    const bytes = redact(OTLP_PROTOBUF, field(Buffer.concat([Buffer.from([1, 255]), Buffer.from(KEY_ID)])));
    expect(bytes?.body).toEqual(field(Buffer.from(MARK)));
  });

  it('refuses a secret in a group, which cannot be written anew', () => {
    const inner = Buffer.concat([fieldHeader(1, KEY_ID.length), Buffer.from(KEY_ID)]);
    const group = Buffer.concat([Buffer.from([0x83 | 0x00, 0x06]), inner, Buffer.from([0x84, 0x06])]);
    expect(() => redact(OTLP_PROTOBUF, group)).toThrow(expect.objectContaining({ code: 'BODY_MALFORMED' }));
  });
});

describe('redactBody of every planted secret', () => {
  const clearValues = SECRETS.flatMap(({ text, places }) =>
    places.map(({ start, end }) => text.slice(start, end)),
  );
  const kinds: readonly [string, (text: string) => Buffer | undefined][] = [
    ['hook JSON', (text) => redact(HOOK, JSON.stringify({ prompt: text }))?.body],
    ['OTLP JSON', (text) => redact(OTLP_JSON, logsJson(text))?.body],
    ['OTLP protobuf', (text) => redact(OTLP_PROTOBUF, encodeLogs({ prompt: text }))?.body],
    ['NDJSON', (text) => redact(LINES, `{"a":1}\n${JSON.stringify({ b: [text] })}\n`)?.body],
    [
      'a form',
      (text) => unescaped(redact(FORM, `payload=${encodeURIComponent(JSON.stringify({ b: text }))}`)?.body),
    ],
  ];

  it.each(kinds)('leaves none of them in %s', (_, send) => {
    const bodies = SECRETS.map(({ text }) => send(text));
    expect(SECRETS.filter((_one, index) => bodies[index] === undefined)).toEqual([]);
    const written = Buffer.concat(bodies.map((body) => body!)).toString();
    expect(
      clearValues.filter((value) => written.includes(value) || written.includes(escaped(value))),
    ).toEqual([]);
  });

  it('has nothing left to find in what it has made', () => {
    const again = SECRETS.map(({ text }) => redact(HOOK, JSON.stringify({ prompt: text }))!.body).filter(
      (body) => redact(HOOK, body) !== undefined,
    );
    expect(again.map(String)).toEqual([]);
  });
});

function escaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

function logsJson(text: string): string {
  const attribute = { key: 'prompt', value: { stringValue: text } };
  return JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ attributes: [attribute] }] }] }] });
}

function unescaped(form: Buffer | undefined): Buffer | undefined {
  return form === undefined
    ? undefined
    : Buffer.from(new URLSearchParams(form.toString()).get('payload') ?? '');
}
