import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { OtlpSignal } from '../../../connectors/wire/otlp/descriptor.ts';
import { toProtobuf } from '../../connectors/wire/otlp/to-protobuf.ts';
import { readRecordings } from './setup.ts';
import { FEED_BASES, toForm, WEBHOOK_BASES } from './webhook-bases.ts';

/** A request as a broken or hostile sender would make it of a real one. */
export interface MutatedRequest {
  readonly url: string;
  readonly contentType: string;
  readonly body: Buffer;
  readonly isGzip: boolean;
  /** Headers of a sender that proves itself over the body, made after the mutation. */
  readonly proof: Readonly<Record<string, string>> | undefined;
}

/** What a mutation begins with. */
export interface Base {
  readonly url: string;
  readonly contentType: string;
  readonly body: Buffer;
  /** Of a sender without a bearer token. */
  readonly prove?: (body: Buffer) => Readonly<Record<string, string>>;
}

/** One mutation: which kind, where in the body as a share of it, and what with. */
interface Step {
  readonly kind: number;
  readonly at: number;
  readonly pick: number;
}

interface Members {
  [name: string]: Json;
}
type Json = null | boolean | number | string | Json[] | Members;

const NATIVE_EVENT = {
  type: 'tool.completed',
  session_id: 's-1',
  event_id: 'e-1',
  occurred_at: '2026-01-02T03:04:05.678Z',
  facts: { tool_name: 'Bash', tool_use_id: 'toolu_1' },
  content: { text: 'hello' },
};
const NATIVE_LINES = ['s-1', 's-2', 's-3'].map((session_id) =>
  JSON.stringify({ ...NATIVE_EVENT, session_id }),
);

/** Spans of a real gateway, which become several records each. */
const GATEWAY_SPANS: Base = {
  url: '/v1/traces',
  contentType: 'application/x-protobuf',
  body: readFileSync(join(import.meta.dirname, '../../fixtures/litellm-1.106.2/traces.pb')),
};

const BASES: readonly Base[] = [
  ...readRecordings(),
  GATEWAY_SPANS,
  ...WEBHOOK_BASES,
  ...FEED_BASES,
  ...Array.from({ length: 12 }, (_, index): Base => {
    const isLines = index % 3 === 0;
    return {
      url: '/v1/events',
      contentType: isLines ? 'application/x-ndjson' : 'application/json',
      body: Buffer.from(
        isLines
          ? NATIVE_LINES.join('\n')
          : index % 3 === 1
            ? NATIVE_LINES[0]!
            : `[${NATIVE_LINES.join(',')}]`,
      ),
    };
  }),
];
const kindOf = ({ url, contentType }: Base) => `${url} ${contentType}`;

/** Stands in a JSON string for text that no serialiser writes. */
const RAW = [
  '1e999',
  '9007199254740993',
  '-0',
  '0.1',
  '{"a":1,"a":2}',
  '"\\ud800"',
  '1E+2',
  '"\\u0000"',
  '00',
  'NaN',
];
const rawMark = (index: number) => `@@raw${String(index)}@@`;

const VALUES: readonly Json[] = [
  null,
  true,
  0,
  -1,
  4_294_967_296,
  '',
  '0',
  '-1',
  '18446744073709551616',
  'Infinity',
  '__proto__',
  'é\u0000\uffff😀',
  'x'.repeat(20_000),
  [],
  {},
  [[[]]],
  { '': '' },
  { key: 'k', value: { stringValue: 'v', intValue: '1' } },
  { intValue: '99999999999999999999' },
  { doubleValue: 1.5 },
  { bytesValue: '%%%' },
  ...RAW.map((_, index) => rawMark(index)),
];

/** Every place of a value, as the container and the name in it. */
function places(value: Json, found: { holder: Json[] | Members; name: string }[] = []) {
  if (typeof value !== 'object' || value === null) return found;
  for (const [name, member] of Object.entries(value)) {
    found.push({ holder: value, name });
    places(member, found);
  }
  return found;
}

function deeper(value: Json, levels: number): Json {
  let nested = value;
  for (let level = 0; level < levels; level += 1) nested = level % 2 === 0 ? [nested] : { a: nested };
  return nested;
}

function put(holder: Json[] | Members, name: string, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Changes a parsed body in place; what comes out still parses, unless raw text was put in. */
function changeStructure(root: Json, { kind, at, pick }: Step): void {
  const all = places(root);
  const place = all[Math.floor(at * all.length)];
  if (place === undefined) return;
  const { holder, name } = place;
  const old = (holder as Members)[name]!;
  const value = structuredClone(VALUES[pick % VALUES.length]!);
  const other = all[pick % all.length]!;
  const changes: readonly (() => void)[] = [
    () => put(holder, name, value),
    () => put(holder, name, structuredClone(VALUES[(pick * 7) % VALUES.length]!)),
    () => (Array.isArray(holder) ? holder.splice(Number(name), 1) : Reflect.deleteProperty(holder, name)),
    () => {
      if (Array.isArray(holder)) holder.push(structuredClone(old));
      else put(holder, `${name}${String(pick)}`, structuredClone(old));
    },
    () => put(holder, name, deeper(old, [1, 3, 60, 70, 300][pick % 5]!)),
    () => put(holder, name, typeof old === 'number' ? old + pick : value),
    () => put(holder, name, typeof old === 'string' ? old.slice(pick % 9) : value),
    () => put(holder, name, structuredClone((other.holder as Members)[other.name]!)),
    () => put(holder, typeof value === 'string' ? value.slice(0, 100) : name, old),
  ];
  changes[kind % changes.length]!();
}

const SPLICES = [
  '{',
  ']',
  '"',
  '\\ud800',
  '1e999',
  '-',
  ',',
  '\0',
  '{"a":1,"a":2}',
  'null',
  '\xff',
  '[[[[',
  '\n',
  '\x08\xff\xff\xff\xff\x0f',
];

function changeBytes(body: Buffer, { kind, at, pick }: Step, others: readonly Base[]): Buffer {
  const start = Math.floor(at * body.length);
  switch (kind % 5) {
    case 0: {
      const flipped = Buffer.from(body);
      if (flipped.length > 0) flipped[start] = flipped[start]! ^ (1 << (pick % 8));
      return flipped;
    }
    case 1:
      return body.subarray(0, start);
    case 2:
      return Buffer.concat([
        body.subarray(0, start),
        Buffer.from(SPLICES[pick % SPLICES.length]!, 'latin1'),
        body.subarray(start + (pick % 40)),
      ]);
    case 3: {
      const other = others[pick % others.length]!.body;
      return Buffer.concat([body.subarray(0, start), other.subarray(Math.floor(at * other.length))]);
    }
    default:
      return Buffer.concat([body, body.subarray(start, start + pick)]);
  }
}

function mutateJson(text: string, steps: readonly Step[]): string {
  const root = [JSON.parse(text) as Json];
  for (const step of steps) changeStructure(root, step);
  return JSON.stringify(root[0] ?? null).replaceAll(
    /"@@raw(\d+)@@"/g,
    (_, index: string) => RAW[Number(index)]!,
  );
}

function mutate(base: Base, steps: readonly Step[], isStructural: boolean): Buffer {
  if (base.contentType === 'application/x-www-form-urlencoded') {
    const json = isStructural ? Buffer.from(mutateJson(base.body.toString(), steps)) : base.body;
    return isStructural
      ? toForm(json)
      : steps.reduce((body, one) => changeBytes(body, one, BASES), toForm(json));
  }
  if (isStructural && base.contentType !== 'application/x-protobuf') {
    const texts =
      base.contentType === 'application/x-ndjson' ? base.body.toString().split('\n') : [base.body.toString()];
    return Buffer.from(texts.map((text) => (text.trim() === '' ? text : mutateJson(text, steps))).join('\n'));
  }
  return steps.reduce((body, step) => changeBytes(body, step, BASES), base.body);
}

const step = fc.record({
  kind: fc.nat(1000),
  // Not a double, most of which are next to nothing: all places alike.
  at: fc.nat(999_999).map((millionths) => millionths / 1_000_000),
  pick: fc.nat(5000),
});
/** One of these, every route and encoding alike. */
function oneOf(bases: readonly Base[]): fc.Arbitrary<Base> {
  const byKind = [...new Set(bases.map(kindOf))].map((kind) => bases.filter((one) => kindOf(one) === kind));
  return fc
    .record({ kind: fc.nat(byKind.length - 1), which: fc.nat(10_000) })
    .map(({ kind, which }) => byKind[kind]![which % byKind[kind]!.length]!);
}

const mutation = {
  steps: fc.array(step, { maxLength: 4 }),
  isStructural: fc.integer({ min: 0, max: 9 }).map((n) => n < 8),
};

/** Bodies made of these: most of them still decode. */
export function mutatedBodies(bases: readonly Base[]): fc.Arbitrary<Base> {
  return fc
    .record({ base: oneOf(bases), ...mutation })
    .map(({ base, steps, isStructural }) => ({ ...base, body: mutate(base, steps, isStructural) }));
}

/** Requests of every route and encoding: most of them still decode. */
export const mutatedRequests: fc.Arbitrary<MutatedRequest> = fc
  .record({
    base: oneOf(BASES),
    ...mutation,
    isGzip: fc.boolean(),
    otherType: fc.constantFrom(
      ...Array<null>(60).fill(null),
      'application/json',
      'application/x-protobuf',
      'application/x-ndjson',
    ),
    isBrokenGzip: fc.integer({ min: 0, max: 60 }).map((n) => n === 0),
  })
  .map(({ base: from, steps, isStructural, isGzip, otherType, isBrokenGzip }) => {
    const body = mutate(from, steps, isStructural);
    const packed = isGzip ? gzipSync(body, { level: 1 }) : body;
    return {
      url: from.url,
      contentType: otherType ?? from.contentType,
      body:
        isGzip && isBrokenGzip
          ? changeBytes(packed, steps[0] ?? { kind: 0, at: 0.5, pick: 1 }, BASES)
          : packed,
      isGzip,
      proof: from.prove?.(body),
    };
  });

/** A message of OTLP in protobuf, as a broken or hostile sender would make it of a real one. */
export interface MutatedMessage {
  readonly signal: OtlpSignal;
  readonly body: Buffer;
}

const OTLP_BASES = BASES.filter(({ url }) => /^\/v1\/(?:logs|metrics|traces)$/.test(url));

/** Of JSON the structure is changed before it is encoded, of what is binary the bytes. */
export const mutatedMessages: fc.Arbitrary<MutatedMessage> = fc
  .record({ base: oneOf(OTLP_BASES), ...mutation })
  .map(({ base, steps, isStructural }) => {
    const signal = base.url.slice('/v1/'.length) as OtlpSignal;
    if (base.contentType === 'application/x-protobuf') {
      return { signal, body: mutate(base, isStructural ? [] : steps, false) };
    }
    const sound = Buffer.from(toProtobuf(signal, JSON.parse(base.body.toString()) as never));
    const changeAll = () => steps.reduce<Buffer>((body, one) => changeBytes(body, one, BASES), sound);
    if (!isStructural) return { signal, body: changeAll() };
    try {
      const changed = JSON.parse(mutateJson(base.body.toString(), steps)) as never;
      return { signal, body: Buffer.from(toProtobuf(signal, changed)) };
    } catch {
      // What protobuf cannot say.
      return { signal, body: changeAll() };
    }
  });
