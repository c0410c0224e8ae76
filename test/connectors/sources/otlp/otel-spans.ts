import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { otlpTraces } from '../../../../connectors/sources/otlp/otlp.ts';
import type { DraftRecord, Expanded } from '../../../../connectors/drafts/source.ts';
import type { JsonObject, JsonValue } from '../../../../schemas/json.ts';
import { toProtobuf } from '../../wire/otlp/to-protobuf.ts';
import { envelope } from '../recorded.ts';

const RECORDED = join(import.meta.dirname, '../../../fixtures/litellm-1.106.2');
export const SPANS = envelope('otlp-traces', readFileSync(join(RECORDED, 'traces.pb')), {
  content_type: 'application/x-protobuf',
});
export const CALLBACK = envelope('litellm', readFileSync(join(RECORDED, 'callback.json')));

export function draftsOf(expanded: readonly Expanded[]): DraftRecord[] {
  return expanded.map((one) => {
    if (one.kind === 'quarantined') throw new Error(one.item.reason);
    return one.draft;
  });
}
export const keyOf = ({ natural_key }: DraftRecord) => natural_key.join('\n');

export type Attributes = Readonly<Record<string, JsonValue>>;
export const pairs = (attributes: Attributes): JsonObject[] =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === 'number'
        ? Number.isInteger(value)
          ? { intValue: String(value) }
          : { doubleValue: value }
        : Array.isArray(value)
          ? { arrayValue: { values: value.map((one) => ({ stringValue: one as string })) } }
          : { stringValue: value as string },
  }));

export interface Sent {
  readonly service?: string;
  readonly scope?: string;
  readonly name?: string;
  readonly status?: JsonObject;
  readonly resource?: Attributes;
}

export const TRACE_ID = '5b8efff798038103d269b633813fc60c';

export function spanOf(attributes: Attributes, { name = 'chat', status = {} }: Sent = {}): JsonObject {
  return {
    ...{ traceId: TRACE_ID, spanId: 'eee19b7ec3c1b174', name, kind: 3, status },
    startTimeUnixNano: '1772355600000000000',
    endTimeUnixNano: '1772355601500000000',
    attributes: pairs(attributes),
  };
}

export function request(
  spans: readonly JsonObject[],
  { service, scope, resource = {} }: Sent = {},
): JsonObject {
  const named = service === undefined ? resource : { ...resource, 'service.name': service };
  return {
    resourceSpans: [
      {
        resource: { attributes: pairs(named) },
        scopeSpans: [{ scope: scope === undefined ? {} : { name: scope }, spans: [...spans] }],
      },
    ],
  };
}

/** Drafts of one span, the same from either encoding. */
export function read(attributes: Attributes, sent: Sent = {}): DraftRecord[] {
  const body = request([spanOf(attributes, sent)], sent);
  const json = draftsOf(otlpTraces.expand(envelope('otlp-traces', body)));
  const binary = toProtobuf('traces', body);
  const content_type = 'application/x-protobuf';
  const other = otlpTraces.expand(envelope('otlp-traces', binary, { content_type }));
  expect(draftsOf(other)).toEqual(json);
  return json;
}

export const CALL = { 'gen_ai.request.model': 'm-1', 'gen_ai.system': 'openai' };
