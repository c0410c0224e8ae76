import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOtlp } from '../../../connectors/wire/otlp/decode.ts';
import type { OtlpSignal } from '../../../connectors/wire/otlp/descriptor.ts';
import type { DraftRecord } from '../../../connectors/drafts/source.ts';
import { toExactInstant } from '../../../connectors/drafts/members.ts';
import { canonicalJson } from '../../../schemas/canonical.ts';
import type { Envelope } from '../../../schemas/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { StatedFacts, RECORD_TYPES } from '../../../schemas/record.ts';
import { compileValidator } from '../../../schemas/validate.ts';
import { toProtobuf } from '../wire/otlp/to-protobuf.ts';
import { envelope, recordedRequests, expandEnvelope } from './recorded.ts';

const REQUESTS = recordedRequests();
const checkFacts = compileValidator(StatedFacts);

function draftsOf(request: Envelope): DraftRecord[] {
  return expandEnvelope(request).map((expanded) => {
    if (expanded.kind === 'quarantined')
      throw new Error(`${expanded.item.reason} at ${expanded.item.pointer}`);
    return expanded.draft;
  });
}

const signalOf = ({ source }: Envelope) => source.replace('otlp-', '') as OtlpSignal;
const jsonOf = ({ body }: Envelope) => JSON.parse(new TextDecoder().decode(body)) as JsonObject;
const keysOf = (request: Envelope) => draftsOf(request).map(({ natural_key }) => natural_key);
const isJsonOtlp = ({ source, content_type }: Envelope) =>
  source.startsWith('otlp-') && content_type === 'application/json';

/** Every scalar of a value as text, and every member name. */
function textsOf(value: JsonValue): string[] {
  if (isJsonObject(value))
    return Object.entries(value).flatMap(([name, member]) => [name, ...textsOf(member)]);
  return isList(value) ? value.flatMap(textsOf) : [String(value)];
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

describe.each(REQUESTS.map(({ name, envelope: request }) => [name, request] as const))('%s', (_, request) => {
  it('is accepted whole, with facts and content that can be hashed', () => {
    for (const { type, facts, content, natural_key } of draftsOf(request)) {
      expect(RECORD_TYPES).toContain(type);
      expect(checkFacts(facts)).toMatchObject({ ok: true });
      expect(() => canonicalJson({ facts: { ...facts }, content })).not.toThrow();
      expect(natural_key.at(-1)).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('loses no value that the source sent', () => {
    const kept = new Set(
      draftsOf(request).flatMap(({ facts, content }) => [...textsOf({ ...facts }), ...textsOf(content)]),
    );
    const lost = sentTexts(request).filter(
      (text) => !kept.has(text) && !kept.has(toExactInstant(text) ?? '') && !isName(text),
    );
    expect(lost).toEqual([]);
  });
});

/** What a request says, but for what is kept as a digest alone. */
function sentTexts(request: Envelope): string[] {
  const text = new TextDecoder().decode(request.body);
  switch (request.source) {
    case 'claude-code-hook':
      return textsOf(withoutCalls(jsonOf(request)));
    case 'claude-code-transcript':
      return text
        .trimEnd()
        .split('\n')
        .flatMap((line) => scalarsOf(JSON.parse(line) as JsonValue));
    case 'litellm':
      return (JSON.parse(text) as JsonObject[]).flatMap((call) => scalarsOf(withoutVendorText(call)));
    default:
      return decodeOtlp(signalOf(request), request.content_type, request.body).items.flatMap((item) =>
        [item.resource, item.scope, item.metric, item.record].flatMap(textsOf),
      );
  }
}

/** Times stand in facts as instants, and what a gateway marks for its cache is none of the conversation. */
function withoutVendorText({ model_parameters, messages, ...call }: JsonObject): JsonValue {
  const { tools, ...parameters } = model_parameters as JsonObject;
  const kept = (messages as readonly JsonObject[]).filter(({ role }) => role !== 'system');
  expect(tools).toBeDefined();
  const text = JSON.stringify([call, parameters, kept.map(({ content }) => content)]);
  return JSON.parse(text.replaceAll(/,"cache_control":\{[^}]*\}/g, '')) as JsonValue;
}

/** Every scalar of a value as text. */
function scalarsOf(value: JsonValue): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)];
  return Object.values(value).flatMap(scalarsOf);
}

/** Attribute and member names that facts carry under a name of their own. */
const RENAMED = new Set(
  (
    'hook_event_name source reason tool_calls timeUnixNano observedTimeUnixNano traceId spanId asDouble asInt name ' +
    'department team.id enduser.id user.id session.id event.name event.timestamp event.sequence prompt.id request_id ' +
    'message.uuid message.id service.version num_blocking num_non_blocking_error total_duration_ms server_name status ' +
    'tool_input_size_bytes tool_result_size_bytes managed_settings.trigger mcp_server.name agent.name enabled_via status_code attributes'
  ).split(' '),
);
const isName = (text: string) => RENAMED.has(text);

function withoutCalls(body: JsonObject): JsonValue {
  const { tool_calls: calls, ...rest } = body;
  return calls === undefined ? rest : [rest, calls];
}

describe('OTLP recordings', () => {
  const json = REQUESTS.filter(({ envelope: request }) => isJsonOtlp(request));

  it.each(json.map(({ name, envelope: request }) => [name, request] as const))(
    '%s loses no scalar of its JSON text but defaults',
    (_, request) => {
      const kept = new Set(
        draftsOf(request).flatMap(({ facts, content }) => [...textsOf({ ...facts }), ...textsOf(content)]),
      );
      const lost = scalarsOf(jsonOf(request)).filter(
        (text) =>
          !kept.has(text) &&
          !kept.has(toExactInstant(text) ?? '') &&
          !isName(text) &&
          text !== '0' &&
          text !== '',
      );
      expect(lost).toEqual([]);
    },
  );

  it.each(json.map(({ name, envelope: request }) => [name, request] as const))(
    '%s yields the same drafts in protobuf',
    (_, request) => {
      const body = toProtobuf(signalOf(request), jsonOf(request));
      const binary = envelope(request.source, body, { content_type: 'application/x-protobuf' });
      expect(draftsOf(binary)).toEqual(draftsOf(request));
    },
  );

  it('yields the same keys when the log records of a request arrive one by one and shuffled', () => {
    const request = json.find(({ name }) => name.includes('ordinary') && name.includes('logs'))!.envelope;
    const { resourceLogs } = jsonOf(request) as { resourceLogs: JsonObject[] };
    const singles = resourceLogs.flatMap((group) =>
      (group['scopeLogs'] as JsonObject[]).flatMap((scope) =>
        (scope['logRecords'] as JsonObject[]).map((record) =>
          envelope(request.source, {
            resourceLogs: [{ ...group, scopeLogs: [{ ...scope, logRecords: [record] }] }],
          }),
        ),
      ),
    );
    expect(singles.length).toBeGreaterThan(50);
    expect(singles.flatMap(keysOf)).toEqual(keysOf(request));
  });

  it('gives every log record of all recordings a key of its own', () => {
    const keys = REQUESTS.filter(({ envelope: { source } }) => source === 'otlp-logs').flatMap(
      ({ envelope: request }) => keysOf(request).map((key) => key.join('|')),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('hook recordings', () => {
  const hooks = REQUESTS.filter(({ envelope: { source } }) => source === 'claude-code-hook');

  it('gives every event of all recordings a key of its own', () => {
    const keys = hooks.flatMap(({ envelope: request }) => keysOf(request).map((key) => key.join('|')));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('tells of each call what the truth file says, or that the text settles nothing', () => {
    const settled = {
      denied: 'denied',
      unavailable: 'unavailable',
      failed: 'failed',
      executed: 'unrecognised',
    };
    const told = new Map(
      hooks.flatMap(({ envelope: request }) =>
        draftsOf(request).flatMap(({ type, facts }) =>
          type === 'tool.reported' ? [[facts.tool_use_id, facts.told] as const] : [],
        ),
      ),
    );
    const truths = [...new Set(REQUESTS.map(({ recording }) => recording))].flatMap(readTruth);
    const compared = truths.filter(({ tool_use_id }) => told.has(tool_use_id));
    expect(compared.length).toBeGreaterThan(20);
    for (const { tool_use_id, outcome } of compared) expect(told.get(tool_use_id)).toBe(settled[outcome]);
  });

  function readTruth(recording: string) {
    const path = join(
      import.meta.dirname,
      '../../../connectors/simulation/recordings/claude-code-2.1.329',
      recording,
      'truth.json',
    );
    const truth = JSON.parse(readFileSync(path, 'utf8')) as {
      tool_calls: { tool_use_id: string; outcome: 'denied' | 'unavailable' | 'failed' | 'executed' }[];
    };
    return truth.tool_calls;
  }
});

describe('mutilated recordings', () => {
  const small = REQUESTS.filter(({ envelope: { body } }) => body.length < 12_000).map(
    ({ envelope: request }) => request,
  );

  it('expand to drafts or quarantined items, and never throw, when bytes change', () => {
    const mutation = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      byte: fc.nat(255),
      cut: fc.nat(3),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...small),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (request, mutations) => {
          let body = Buffer.from(request.body);
          for (const { at, byte, cut } of mutations) {
            const place = Math.floor(at * body.length);
            body = Buffer.concat([body.subarray(0, place), Buffer.from([byte]), body.subarray(place + cut)]);
          }
          expectSound({ ...request, body });
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('expand to drafts or quarantined items, and never throw, when any value of the JSON is replaced', () => {
    const hostile = fc.constantFrom<JsonValue>(
      null,
      5,
      -0.5,
      '',
      [],
      {},
      [[]],
      { a: null },
      true,
      'x'.repeat(5_000),
      '__proto__',
    );
    const json = small.filter(({ content_type }) => content_type === 'application/json');
    fc.assert(
      fc.property(fc.constantFrom(...json), fc.nat(), hostile, (request, place, value) => {
        const body = replaceNth(jsonOf(request), place, value);
        expectSound({ ...request, body: new TextEncoder().encode(JSON.stringify(body)) });
      }),
      { numRuns: 1_000 },
    );
  });

  function expectSound(request: Envelope): void {
    for (const expanded of expandEnvelope(request)) {
      if (expanded.kind === 'quarantined') expect(expanded.item.bytes.length).toBeGreaterThanOrEqual(0);
      else canonicalJson({ facts: { ...expanded.draft.facts }, content: expanded.draft.content });
    }
  }

  function replaceNth(root: JsonValue, place: number, value: JsonValue): JsonValue {
    const spots: (() => void)[] = [];
    const copy = structuredClone(root) as Record<string, JsonValue>;
    const visit = (container: Record<string, JsonValue>) => {
      for (const name of Object.keys(container)) {
        spots.push(() => (container[name] = value));
        const member = container[name];
        if (typeof member === 'object' && member !== null) visit(member as Record<string, JsonValue>);
      }
    };
    visit(copy);
    spots[place % spots.length]?.();
    return copy;
  }
});
