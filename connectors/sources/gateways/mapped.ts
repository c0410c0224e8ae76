import type { JsonObject, JsonValue } from '../../../schemas/json.ts';
import type { PolicyOutcome } from '../../../schemas/record.ts';
import { parsedText } from '../../wire/json/strict-json.ts';
import type { DraftRecord, Source } from '../../drafts/source.ts';
import { readMessage, type Block } from '../../drafts/conversation.ts';
import { itemSource } from '../../drafts/item-source.ts';
import { toUtcInstant } from '../../drafts/instants.ts';
import { omitMembers, toCount, toExactInstant, toFlag, toText } from '../../drafts/members.ts';
import { objectAt, statedFacts, valueAt, type PossibleFacts } from '../../drafts/nested.ts';
import { readAnswer, readRequest, readTurns } from './exchange.ts';
import { toGatewayDrafts, type GatewayCall } from './gateway-call.ts';
import { gatewayRoute } from './gateway-source.ts';
import {
  COUNT_FACTS,
  digestMapping,
  TEXT_FACTS,
  type GatewayMapping,
  type GatewayMappings,
} from './mapped-shape.ts';
import { epochMillisToInstant, epochSecondsToInstant } from './units.ts';

/** The source name of all gateways that are described by a mapping. Their routes distinguish them. */
export const MAPPED_GATEWAY = 'mapped-gateway';

/** The source of a gateway that a mapping describes. */
export function mappedGateway(name: string, mapping: GatewayMapping): Source<typeof MAPPED_GATEWAY> {
  const gateway_mapping = { name, sha256: digestMapping(mapping) };
  return itemSource({
    name: MAPPED_GATEWAY,
    title: name,
    route: gatewayRoute(name),
    sessionOf: (value) => textOf(value, mapping.facts.session_id),
    toDrafts: (envelope, value) =>
      toGatewayDrafts(envelope, name, value, readCall(mapping, value)).map((draft): DraftRecord => ({
        ...draft,
        content: { ...draft.content, gateway_mapping },
      })),
  });
}

/** All gateways that a deployment describes. */
export function mappedGateways(mappings: GatewayMappings): Source<typeof MAPPED_GATEWAY>[] {
  return Object.entries(mappings).map(([name, mapping]) => mappedGateway(name, mapping));
}

type Paths = string | readonly string[] | undefined;

function pathsOf(paths: Paths): readonly (readonly string[])[] {
  const list = paths === undefined ? [] : typeof paths === 'string' ? [paths] : paths;
  return list.map((path) => path.split(/(?<!\\)\./).map((name) => name.replaceAll(/\\(.)/g, '$1')));
}

/** The first path at which the object has a value. */
function placeOf(value: JsonObject, paths: Paths): readonly string[] | undefined {
  return pathsOf(paths).find((path) => (valueAt(value, ...path) ?? null) !== null);
}

function valueOf(value: JsonObject, paths: Paths): JsonValue | undefined {
  const place = placeOf(value, paths);
  return place === undefined ? undefined : valueAt(value, ...place);
}

function textOf(value: JsonObject, paths: Paths): string | undefined {
  return toText(valueOf(value, paths) ?? null);
}

function readCall(mapping: GatewayMapping, value: JsonObject): GatewayCall {
  const messages = readSent(valueOf(value, mapping.messages));
  const answer = readGot(valueOf(value, mapping.answer));
  const tools = valueOf(value, mapping.tools);
  const has_failed = hasFailed(mapping, value);
  const places = [
    messages === undefined ? undefined : placeOf(value, mapping.messages),
    answer === undefined ? undefined : placeOf(value, mapping.answer),
    placeOf(value, mapping.tools),
  ];
  const item = places.reduce<JsonObject>((rest, place) => withoutAt(rest, place ?? []), value);
  return {
    event: textOf(value, mapping.event) ?? 'call',
    has_failed,
    facts: toFacts(mapping, value, has_failed),
    messages: messages?.blocks ?? [],
    answer: answer?.blocks ?? [],
    tools: tools ?? messages?.tools,
    rest: { item, ...restOf('request_rest', messages), ...restOf('response_rest', answer) },
  };
}

function restOf(name: string, read: ReadBody | undefined): JsonObject {
  return read === undefined ? {} : { [name]: read.rest };
}

interface ReadBody {
  readonly blocks: readonly Block[];
  readonly tools?: JsonValue | undefined;
  readonly rest: JsonObject;
}

/** Undefined if the body is not a conversation. It then stays in the item. */
function readSent(body: JsonValue | undefined): ReadBody | undefined {
  const request = readRequest(body);
  if (request !== undefined) return { blocks: request.messages, tools: request.tools, rest: request.rest };
  return typeof body === 'string' && body !== ''
    ? { blocks: [{ kind: 'text', role: 'user', text: body }], rest: {} }
    : undefined;
}

function readGot(body: JsonValue | undefined): ReadBody | undefined {
  const parsed = parsedText(body);
  if (Array.isArray(parsed)) return { blocks: readTurns(parsed, 'assistant'), rest: {} };
  const response = readAnswer(parsed);
  if (response !== undefined) return { blocks: response.answer, rest: response.rest };
  if (typeof body !== 'string' || body === '') return undefined;
  return { blocks: readMessage({ role: 'assistant', content: body }), rest: {} };
}

/** The object without the value at a path; the object itself if the path is empty. */
function withoutAt(value: JsonObject, path: readonly string[]): JsonObject {
  const [name, ...inner] = path;
  if (name === undefined) return value;
  if (inner.length === 0) return omitMembers(value, new Set([name]));
  return { ...value, [name]: withoutAt(objectAt(value, name), inner) };
}

function hasFailed({ failed, facts }: GatewayMapping, value: JsonObject): boolean {
  if (failed === undefined) return successOf(value, facts.success) === false;
  const found = valueOf(value, failed.path);
  return failed.values.some((word) => word === found || String(word) === found);
}

function successOf(value: JsonObject, paths: Paths): boolean | undefined {
  return toFlag(valueOf(value, paths) ?? null);
}

function toFacts(mapping: GatewayMapping, value: JsonObject, has_failed: boolean): GatewayCall['facts'] {
  const { facts, failed } = mapping;
  const texts = TEXT_FACTS.map((name) => [name, textOf(value, facts[name])] as const);
  const counts = COUNT_FACTS.map((name) => [name, toCount(valueOf(value, facts[name]) ?? null)] as const);
  const mapped: PossibleFacts = { ...Object.fromEntries(texts), ...Object.fromEntries(counts) };
  const person = mapped.claimed_user === undefined ? undefined : placeOf(value, facts.claimed_user);
  return statedFacts({
    ...mapped,
    ...measures(mapping, value),
    claimed_user_source: person?.join('.'),
    success: failed !== undefined && has_failed ? false : successOf(value, facts.success),
    policy_outcome: policyOf(mapping, value),
  });
}

function measures({ facts, units = {} }: GatewayMapping, value: JsonObject): PossibleFacts {
  const { time = 'rfc3339', duration = 'milliseconds', cost = 'usd' } = units;
  return {
    occurred_at: toInstant(valueOf(value, facts.occurred_at), time),
    duration_ms: scaled(valueOf(value, facts.duration_ms), DURATION_MS[duration]),
    cost_usd_micros: scaled(valueOf(value, facts.cost_usd_micros), COST_MICROS[cost]),
  };
}

function policyOf({ policy }: GatewayMapping, value: JsonObject): PolicyOutcome | undefined {
  if (policy === undefined) return undefined;
  return new Map(Object.entries(policy.values)).get(textOf(value, policy.path) ?? '');
}

const DURATION_MS = { seconds: 1000, milliseconds: 1, nanoseconds: 1e-6 } as const;
const COST_MICROS = { usd: 1_000_000, usd_cents: 10_000, usd_micros: 1 } as const;

function toInstant(
  time: JsonValue | undefined,
  unit: 'rfc3339' | 'seconds' | 'milliseconds' | 'nanoseconds',
): string | undefined {
  if (unit === 'rfc3339') return toUtcInstant(time);
  if (unit === 'nanoseconds') return toExactInstant(time);
  return unit === 'seconds' ? epochSecondsToInstant(time) : epochMillisToInstant(time);
}

/** Rounded to a whole number. The item keeps the original value. */
function scaled(value: JsonValue | undefined, factor: number): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined;
  const number = Math.round(value * factor);
  return Number.isSafeInteger(number) ? number : undefined;
}
