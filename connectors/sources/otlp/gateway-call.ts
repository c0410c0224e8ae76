/** Spans and log records of a gateway become the same records of model and tool calls as its other logs. */
import type { JsonObject, JsonValue } from '../../../schemas/json.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import type { DraftRecord } from '../../drafts/source.ts';
import {
  ifAny,
  setPart,
  omitMembers,
  openMembers,
  toExactInstant,
  type ContentParts,
} from '../../drafts/members.ts';
import { objectAt, statedFacts, textAt, valueAt, type PossibleFacts } from '../../drafts/nested.ts';
import { toOtelContent } from './otel-content.ts';
import type { OtelEvent } from './otel-event.ts';
import { integerText, nameOf } from './otel-facts.ts';
import { SYNTHETIC_ATTRIBUTE } from '../../drafts/synthetic.ts';
import { mcpServerOf } from '../../drafts/tool-facts.ts';
import { toGatewayDrafts } from '../gateways/gateway-call.ts';
import { isGenAiSpan, readGenAiSpan } from '../gateways/genai-span.ts';
import { toGatewayEventDraft } from '../gateways/observed.ts';
import { gatewayFacts, gatewayOf } from './gateway.ts';

/** Success by status code of a span. An unset status is neither success nor failure. */
const SUCCESS: ReadonlyMap<JsonValue, boolean> = new Map([
  [1, true],
  [2, false],
]);
/** The lowest severity number that means an error. */
const ERROR_SEVERITY = 17;
/** Name of the log record that repeats the attributes of a call's span. */
const DETAILS = 'gen_ai.client.inference.operation.details';

/** Undefined if the span is not from a gateway, or is not a call of a model or tool. */
export function toGatewaySpanDrafts(event: OtelEvent): DraftRecord[] | undefined {
  const { record } = event.item;
  const [from, to] = [integerText(record['startTimeUnixNano']), integerText(record['endTimeUnixNano'])];
  const nanos = from === '' || to === '' ? -1n : BigInt(to) - BigInt(from);
  return toDrafts(event, {
    name: nameOf(record['name']) ?? 'unnamed',
    kept: 'span',
    success: SUCCESS.get(valueAt(record, 'status', 'code') ?? null),
    facts: {
      occurred_at: toExactInstant(record['startTimeUnixNano']),
      duration_ms: nanos < 0n ? undefined : Number(nanos / 1_000_000n),
    },
  });
}

/** The same for a log record. */
export function toGatewayLogDrafts(event: OtelEvent): DraftRecord[] | undefined {
  const { record } = event.item;
  const name = nameOf(record['eventName']) ?? textAt(event.attributes, 'event.name');
  if (name !== DETAILS) return undefined;
  const severity = valueAt(record, 'severityNumber');
  return toDrafts(event, {
    name,
    kept: 'log',
    success: typeof severity === 'number' && severity >= ERROR_SEVERITY ? false : undefined,
    facts: {
      occurred_at: toExactInstant(record['timeUnixNano']) ?? toExactInstant(record['observedTimeUnixNano']),
    },
  });
}

/** An item of a gateway, in the terms that spans and log records share. */
interface ReportedItem {
  readonly name: string;
  /** Name under which the content keeps the rest of the item. */
  readonly kept: string;
  /** Undefined if the item does not say. */
  readonly success: boolean | undefined;
  readonly facts: PossibleFacts;
}

function toDrafts(event: OtelEvent, reported: ReportedItem): DraftRecord[] | undefined {
  const gateway = gatewayOf(event);
  if (gateway === undefined) return undefined;
  const { attributes, envelope, item } = event;
  const own: PossibleFacts = {
    ...gatewayFacts(gateway, event),
    ...reported.facts,
    trace_id: textAt(item.record, 'traceId'),
    span_id: textAt(item.record, 'spanId'),
    synthetic: openMembers(attributes, objectAt(item.resource, 'attributes')).flag(SYNTHETIC_ATTRIBUTE),
  };
  // Canonical bytes of the item, its resource and its scope: the same in any grouping and encoding.
  const identity: JsonObject = { otlp: event.digest };
  if (isToolCall(reported.name, attributes)) {
    return [toGatewayEventDraft(envelope, gateway.name, identity, readTool(event, reported, own))];
  }
  if (!isModelCall(attributes)) return undefined;
  const call = readGenAiSpan(reported.name, attributes);
  const success = call.has_failed ? false : reported.success;
  const has_failed = success === false;
  const facts = { ...call.facts, ...statedFacts({ ...own, success }) };
  const rest = contentOf(event, reported, call.rest);
  return toGatewayDrafts(envelope, gateway.name, identity, { ...call, facts, has_failed, rest });
}

/** The remaining attributes and the members of the item. Some of these members repeat facts, which costs little. */
function contentOf(event: OtelEvent, { kept }: ReportedItem, attributes: JsonObject): JsonObject {
  const parts: ContentParts = {};
  setPart(parts, kept, ifAny(omitMembers(event.item.record, APART)));
  const content = toOtelContent(event, parts) ?? {};
  return { ...omitMembers(content, new Set(['attributes'])), attributes };
}

const APART: ReadonlySet<string> = new Set(['attributes', 'unknown', 'traceId', 'spanId']);

/** Whether a span is a request. The attempts of a request have the same attributes, but do not count as calls. */
function isModelCall(attributes: JsonObject): boolean {
  const type = textAt(attributes, 'tfy.span_type');
  return isGenAiSpan(attributes) && (type === undefined || /^(?:Chat)?Completion$|^Embedding$/.test(type));
}

function isToolCall(name: string, attributes: JsonObject): boolean {
  const isTool = textAt(attributes, 'gen_ai.operation.name') === 'execute_tool' || name === 'mcp.client';
  return (
    (isTool || textAt(attributes, 'mcp.method.name') === 'tools/call') && toolOf(attributes) !== undefined
  );
}

function toolOf(attributes: JsonObject): string | undefined {
  return openMembers(attributes).text('gen_ai.tool.name', 'mcp.tool.name', 'tool.name');
}

const INPUT = 'gen_ai.tool.call.arguments';
const RESULT = 'gen_ai.tool.call.result';

function readTool(event: OtelEvent, reported: ReportedItem, own: PossibleFacts) {
  const { attributes } = event;
  const members = openMembers(attributes);
  const tool = toolOf(attributes);
  const error = members.text('error.type');
  const success = error === undefined ? reported.success : false;
  const [input, result] = [parsedText(attributes[INPUT]), parsedText(attributes[RESULT])];
  return {
    type: success === false ? 'tool.failed' : 'tool.completed',
    event: reported.name,
    facts: {
      ...own,
      tool_name: tool,
      tool_use_id: members.text('gen_ai.tool.call.id'),
      mcp_server: members.text('mcp.server.name', 'tfy.mcp.server.name') ?? mcpServerOf(tool),
      success,
      error_type: error,
    },
    content: {
      ...contentOf(event, reported, omitMembers(attributes, new Set([INPUT, RESULT]))),
      ...(input === undefined ? {} : { tool_input: input }),
      ...(result === undefined ? {} : { tool_response: result }),
    },
  };
}
