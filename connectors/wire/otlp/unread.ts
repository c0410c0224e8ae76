/** Members outside OTLP in a part of a request that has no items, so that no item carries these members. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../schemas/json.ts';
import { toShortSegment } from '../../../schemas/json-pointer.ts';
import { OTLP_SIGNALS, type OtlpSignal } from './descriptor.ts';
import { mappedName, toSnakeCase } from './spelling.ts';

export type Level = 'request' | 'resource' | 'scope' | 'metric';

export interface UnreadPart {
  readonly level: Level;
  /** The first of the members, or the part for protobuf, which has no names. */
  readonly pointer: string;
  readonly unknown: JsonObject;
}

/** Under this name the normal form of a message keeps the fields of protobuf that it does not know, in base64. */
export const PROTOBUF_FIELDS = 'protobuf_fields';

/** The unknown members of the parts that say something: null and what is empty does not. */
export function unreadMembers(...parts: readonly (JsonValue | undefined)[]): JsonObject {
  const members = parts.flatMap((part) => {
    const unknown = isJsonObject(part) ? part['unknown'] : undefined;
    return isJsonObject(unknown) ? Object.entries(unknown) : [];
  });
  return Object.fromEntries(members.filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: JsonValue): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === null || value === '';
}

export function unreadPointer(part: string, name: string): string {
  return `${part}/${toShortSegment(name)}`;
}

/** Says which member a request should have had, and in words of ours what it has. Quotes nothing of the request. */
export function describeUnread(signal: OtlpSignal, { level, unknown }: UnreadPart): string {
  const expected = expectedMember(signal, level);
  const known = Object.entries(unknown).flatMap(([name, value]) => explain(signal, name, value) ?? []);
  const parts = [`no ${expected}`, ...known.slice(0, 1)];
  return `the export has no items, and members that are not read: ${parts.join('; ')}`;
}

function expectedMember(signal: OtlpSignal, level: Level): string {
  const { resourceGroups, scopeGroups, items } = OTLP_SIGNALS[signal];
  return { request: resourceGroups, resource: scopeGroups, scope: items, metric: 'dataPoints' }[level];
}

function explain(signal: OtlpSignal, name: string, value: JsonValue): string | undefined {
  const owner = OWNERS.get(mappedName(name));
  if (owner !== undefined) return `${mappedName(name)} belong to /v1/${owner}`;
  const old = OLD_NAMES.get(name);
  if (old !== undefined) return describeOld(signal, old);
  return name === PROTOBUF_FIELDS && hasOldField(value)
    ? describeOld(signal, `field ${String(OLD_FIELD)}`)
    : undefined;
}

/** OTLP 0.15 renamed the instrumentation library to instrumentation scope. */
function describeOld(signal: OtlpSignal, name: string): string {
  return `${name} is of OTLP before 0.15; send OTLP 0.15 or later, which has ${OTLP_SIGNALS[signal].scopeGroups}`;
}

const OWNERS: ReadonlyMap<string, OtlpSignal> = new Map(
  (['logs', 'metrics', 'traces'] as const).flatMap((signal) => {
    const { resourceGroups, scopeGroups, items } = OTLP_SIGNALS[signal];
    return [resourceGroups, scopeGroups, items].map((name) => [name, signal] as const);
  }),
);
const OLD_NAMES: ReadonlyMap<string, string> = new Map(
  ['Logs', 'Metrics', 'Spans'].flatMap((kind) => {
    const name = `instrumentationLibrary${kind}`;
    return [name, toSnakeCase(name)].map((spelled) => [spelled, name] as const);
  }),
);
/** The number of all three in protobuf. */
const OLD_FIELD = 1000;

function hasOldField(fields: JsonValue): boolean {
  if (!Array.isArray(fields)) return false;
  return (fields as readonly JsonValue[]).some((field) => {
    const [low = 0, high = 0] = Buffer.from(typeof field === 'string' ? field : '', 'base64');
    return low >= 0x80 && high < 0x80 && ((low & 0x7f) | (high << 7)) >>> 3 === OLD_FIELD;
  });
}
