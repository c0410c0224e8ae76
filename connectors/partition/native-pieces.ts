import { collectorKey, sessionKey, type EnvelopeHeader } from '../../schemas/envelope.ts';
import type { JsonValue } from '../../schemas/json.ts';
import type { ItemUnit } from '../drafts/source.ts';
import { endOfValue, isArrayAt, isObjectAt, parseAt, skipSpace, spells, walkObject } from './json-bytes.ts';
import { holderAround, joined, readList } from './json-pieces.ts';
import type { Holder, Piece, Unit } from './pieces.ts';

const LINE_FEED = Buffer.from('\n');

interface NativeBody {
  readonly content_type: EnvelopeHeader['content_type'];
  readonly body: Buffer;
  readonly principal: string;
  /** Pointers of items that will be sealed as quarantined. */
  readonly quarantinedUnits: readonly string[];
  /** Where its format is another than the native one: its objects in order, unsound ones among them. */
  readonly units?: readonly ItemUnit[] | undefined;
}

type ToUnit = (pointer: string, at: number, end: number) => Unit;

/** A native body, which the connector has taken apart already, as pieces; undefined for an empty array. */
export function openNative({ content_type, body, ...rest }: NativeBody): Holder | undefined {
  const toUnit = createToUnit(body, rest);
  if (content_type === 'application/x-ndjson') {
    return { within: readLines(body, toUnit), wrap: (pieces) => joined(pieces, LINE_FEED) };
  }
  const start = skipSpace(body, 0);
  if (!isArrayAt(body, start))
    return { within: [toUnit('', start, body.length)], wrap: (pieces) => pieces.flat() };
  const list = readList(body, start, (into, at, index) => {
    const end = endOfValue(body, at);
    into.push(toUnit(`/${index}`, at, end));
    return end;
  });
  return list === undefined || list.pieces.length === 0
    ? undefined
    : holderAround(body, 0, body.length, list);
}

function readLines(body: Buffer, toUnit: ToUnit): Piece[] {
  const units: Piece[] = [];
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(0x0a, start);
    const end = found === -1 ? body.length : found;
    if (skipSpace(body, start) < end) units.push(toUnit(`/${units.length}`, start, end));
    start = end + 1;
  }
  return units;
}

function createToUnit(
  body: Buffer,
  { principal, quarantinedUnits, units }: Pick<NativeBody, 'principal' | 'quarantinedUnits' | 'units'>,
): ToUnit {
  const unsound = new Set(quarantinedUnits);
  let next = 0;
  return (pointer, at, end) => {
    const unit = units?.[next++] ?? { recordCount: 1, session: sessionOf(body, skipSpace(body, at)) };
    const { recordCount, session = '' } = unsound.has(pointer) ? { recordCount: 1 } : unit;
    const key = session === '' ? collectorKey(principal) : sessionKey(session);
    return { bytes: body.subarray(at, end), itemCount: recordCount, key };
  };
}

/** The `session_id` of an event that its schema has accepted; '' where it names none. */
function sessionOf(bytes: Buffer, at: number): string {
  const session = readMember(bytes, at, 'session_id');
  return typeof session === 'string' ? session : '';
}

/** A member of the object at `start`, parsed; undefined where there is none, and of what is no object. */
export function readMember(bytes: Buffer, start: number, member: string): JsonValue | undefined {
  let value: JsonValue | undefined;
  if (!isObjectAt(bytes, start)) return undefined;
  walkObject(bytes, start, (nameAt, nameEnd, valueAt) => {
    const end = endOfValue(bytes, valueAt);
    if (spells(bytes, nameAt, nameEnd, member)) value = parseAt(bytes, valueAt, end);
    return end;
  });
  return value;
}
