import type { Envelope } from '../../schemas/envelope.ts';
import type { ToolCallOutcome } from '../../schemas/tool-call.ts';
import { createSourceFinder, SOURCES } from '../sources/index.ts';
import {
  findIdentifiers,
  personName,
  RECORDED_PERSON,
  renameIdentifier,
  type IdentifierKind,
  type Owner,
} from './identifiers.ts';
import { kindOf, type RecordedRequest, type RecordedSession, type SessionKind } from './recording.ts';
import { signalOf, toSyntheticBody, type SyntheticBody } from './synthetic-body.ts';

const sourceOf = createSourceFinder(SOURCES);

/**
 * A recording prepared for many replays: each body once as bytes, with slots for the values of another session. Every
 * replacement is as long as the value it replaces, so that no length in protobuf changes.
 */
export interface SessionTemplate {
  readonly name: string;
  readonly kind: SessionKind;
  readonly requests: readonly RequestTemplate[];
  readonly variables: readonly Variable[];
  readonly truth: ReadonlyMap<string, ToolCallOutcome>;
  /** Earliest time that the recording states. */
  readonly startMs: number;
}

export interface RequestTemplate {
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly slots: readonly { readonly offset: number; readonly variable: number }[];
  /** How many records the request becomes. */
  readonly records: number;
  /** When it arrived in the recording: telemetry with the latest time it states, hooks evenly between. */
  readonly arrivedMs: number;
}

type Variable =
  | { readonly kind: 'person' }
  | { readonly kind: 'identifier'; readonly of: IdentifierKind; readonly text: string }
  | { readonly kind: TimeForm; readonly unixNano: bigint };

/** RFC 3339 with milliseconds, decimal Unix nanoseconds, or these as protobuf's fixed64. */
type TimeForm = 'instant' | 'nanos' | 'fixed64';

const NANOS_PER_MS = 1_000_000n;
const UNIX_NANO_MEMBER = /"\w*[tT]imeUnixNano":"([1-9][0-9]{18})"/g;
const INSTANT = /\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z/g;

/** Only hooks and telemetry are replayed: transcripts and gateways write clocks and ids in forms not supported yet. */
function isReplayed({ path }: RecordedRequest): boolean {
  return path === '/v1/hooks/claude-code' || signalOf(path) !== undefined;
}

export function toTemplate(recording: RecordedSession): SessionTemplate {
  const requests = recording.requests.filter(isReplayed);
  const bodies = requests.map(toSyntheticBody);
  const variables = new Map<string, Variable>([[RECORDED_PERSON, { kind: 'person' }]]);
  for (const { text } of bodies) collectVariables(text, variables);
  const find = slotFinder([...variables.keys()]);
  const times = bodies.map(({ text }) => unixNanosOf(text).map(toMs));
  const startMs = times.flat().reduce((first, ms) => Math.min(first, ms), Number.MAX_SAFE_INTEGER);
  const known = times.map((ms) => (ms.length === 0 ? undefined : latest(ms)));
  const arrivals = spreadArrivals(known, startMs);
  return {
    name: recording.name,
    kind: kindOf(recording),
    variables: [...variables.values()],
    truth: recording.truth,
    startMs,
    requests: requests.map((request, index) => {
      const { bytes } = bodies[index] ?? toSyntheticBody(request);
      const arrivedMs = arrivals[index] ?? 0;
      const { path, contentType } = request;
      return { path, contentType, bytes, slots: find(bytes), records: countRecords(request), arrivedMs };
    }),
  };
}

function collectVariables(text: SyntheticBody['text'], variables: Map<string, Variable>): void {
  for (const [identifier, of] of findIdentifiers(text)) {
    variables.set(identifier, { kind: 'identifier', of, text: identifier });
  }
  for (const [instant] of text.matchAll(INSTANT)) {
    variables.set(instant, { kind: 'instant', unixNano: BigInt(Date.parse(instant)) * NANOS_PER_MS });
  }
  for (const unixNano of unixNanosOf(text)) {
    variables.set(String(unixNano), { kind: 'nanos', unixNano });
    variables.set(fixed64(unixNano).toString('latin1'), { kind: 'fixed64', unixNano });
  }
}

function unixNanosOf(text: string): bigint[] {
  return [...text.matchAll(UNIX_NANO_MEMBER)].map(([, digits = '0']) => BigInt(digits));
}

/** Finds every place of each needle; if one needle begins with another, the longer one wins. */
function slotFinder(needles: readonly string[]): (bytes: Uint8Array) => RequestTemplate['slots'] {
  const indexes = new Map(needles.map((needle, index) => [needle, index]));
  const longestFirst = needles.toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escaped).join('|'), 'g');
  return (bytes) =>
    [...Buffer.from(bytes).toString('latin1').matchAll(pattern)].map((match) => ({
      offset: match.index,
      variable: indexes.get(match[0]) ?? 0,
    }));
}

function escaped(needle: string): string {
  return [...Buffer.from(needle, 'latin1')]
    .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    .join('');
}

/** Fills in unknown times: evenly between known neighbours, and after the last known time with that time. */
function spreadArrivals(known: readonly (number | undefined)[], startMs: number): number[] {
  const arrivals: number[] = [];
  let previous = startMs;
  known.forEach((own, index) => {
    const ahead = Math.max(
      0,
      known.slice(index).findIndex((ms) => ms !== undefined),
    );
    const next = known[index + ahead] ?? previous;
    previous = Math.max(previous, own ?? Math.floor(previous + (next - previous) / (ahead + 1)));
    arrivals.push(previous);
  });
  return arrivals;
}

function countRecords({ path, contentType, body }: RecordedRequest): number {
  const signal = signalOf(path);
  const source = signal === undefined ? 'claude-code-hook' : (`otlp-${signal}` as const);
  const envelope: Envelope = {
    v: 1,
    envelope_id: '00000000-0000-4000-8000-000000000000',
    source,
    receiver: 'simulation',
    principal: 'simulation',
    received_at: '1970-01-01T00:00:00.000Z',
    content_type: contentType === 'application/x-protobuf' ? contentType : 'application/json',
    item_count: 1,
    idempotency_key: null,
    body: Uint8Array.from(body),
  };
  return sourceOf(envelope)?.expand(envelope).length ?? 0;
}

/** The values for the slots in a session that is `shiftMs` later than the recorded one. */
export function fillVariables(
  { variables }: SessionTemplate,
  owner: Owner,
  shiftMs: number,
): readonly Uint8Array[] {
  return variables.map((variable) => Buffer.from(valueOf(variable, owner, shiftMs), 'latin1'));
}

function valueOf(variable: Variable, owner: Owner, shiftMs: number): string {
  switch (variable.kind) {
    case 'person':
      return personName(owner.user);
    case 'identifier':
      return renameIdentifier(variable.of, variable.text, owner);
    case 'instant':
      return new Date(toMs(variable.unixNano) + shiftMs).toISOString();
    case 'nanos':
      return String(shifted(variable.unixNano, shiftMs));
    case 'fixed64':
      return fixed64(shifted(variable.unixNano, shiftMs)).toString('latin1');
  }
}

export function renderBody({ bytes, slots }: RequestTemplate, values: readonly Uint8Array[]) {
  const body = new Uint8Array(bytes);
  for (const { offset, variable } of slots) {
    const value = values[variable];
    if (value !== undefined) body.set(value, offset);
  }
  return body;
}

function toMs(unixNano: bigint): number {
  return Number(unixNano / NANOS_PER_MS);
}

function shifted(unixNano: bigint, shiftMs: number): bigint {
  return unixNano + BigInt(shiftMs) * NANOS_PER_MS;
}

function fixed64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function latest(times: readonly number[]): number {
  return times.reduce((last, ms) => Math.max(last, ms), 0);
}
