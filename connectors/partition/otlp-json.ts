import { METRIC_KINDS, OTLP_MESSAGES, OTLP_SIGNALS, type OtlpSignal } from '../wire/otlp/descriptor.ts';
import { SESSION_ATTRIBUTES } from '../sources/otlp/otel-facts.ts';
import {
  STOPPED,
  endOfContainers,
  endOfValue,
  isArrayAt,
  isObjectAt,
  skipSpace,
  spells,
  walkArray,
  walkObject,
} from './json-bytes.ts';
import { holderAround, readList, type JsonList } from './json-pieces.ts';
import type { OtlpUnits } from './otlp-units.ts';
import type { Holder, Piece } from './pieces.ts';
import type { RawPairs } from './session-attributes.ts';

interface Reading {
  readonly bytes: Buffer;
  readonly signal: OtlpSignal;
  readonly units: OtlpUnits;
}

/** Reads one element of a list, adds it to `into` and returns where it ends. */
type TakePart = (reading: Reading, into: Piece[], at: number, pointer: string) => number;

/** An OTLP/JSON request, which a survey has accepted, as pieces; undefined for one without any. */
export function openOtlpJson(signal: OtlpSignal, bytes: Buffer, units: OtlpUnits): Holder | undefined {
  const start = skipSpace(bytes, 0);
  const name = OTLP_SIGNALS[signal].resourceGroups;
  const { list } = readAround({ bytes, signal, units }, start, '', { name, take: takeResourceGroup });
  return list === undefined || list.pieces.length === 0
    ? undefined
    : holderAround(bytes, 0, bytes.length, list);
}

/** Elements of such pairs, cut out of the body, as key-value messages. */
export function readJsonPairs(pairs: RawPairs): unknown {
  return JSON.parse(`[${Buffer.from(pairs, 'latin1').toString('utf8')}]`);
}

interface ListMember {
  readonly name: string;
  readonly take: TakePart;
  /** Reads a member beside the list; returns where its value ends, or undefined for one that it does not know. */
  readonly onOther?: (nameAt: number, nameEnd: number, valueAt: number) => number | undefined;
}

/** Reads the object at `start` and the list that is its member. */
function readAround(
  reading: Reading,
  start: number,
  pointer: string,
  { name, take, onOther }: ListMember,
): { readonly list: JsonList | undefined; readonly end: number } {
  const { bytes } = reading;
  let list: JsonList | undefined;
  const end = walkObject(bytes, start, (nameAt, nameEnd, valueAt) => {
    if (!spells(bytes, nameAt, nameEnd, name)) {
      return onOther?.(nameAt, nameEnd, valueAt) ?? endOfValue(bytes, valueAt);
    }
    list = readParts(reading, valueAt, `${pointer}/${name}`, take);
    return list === undefined ? endOfValue(bytes, valueAt) : list.to + 1;
  });
  return { list, end };
}

/** Elements of a list; one that is unsound is a unit, whatever it holds. */
function readParts(reading: Reading, start: number, pointer: string, take: TakePart): JsonList | undefined {
  const { bytes, units } = reading;
  return readList(bytes, start, (into, at, index) => {
    const place = units.hasUnsound ? `${pointer}/${index}` : '';
    if (!units.isUnsound(place)) return take(reading, into, at, place);
    const end = endOfValue(bytes, at);
    units.takeUnsound(into, bytes.subarray(at, end));
    return end;
  });
}

function pushHolder(
  { bytes, units }: Reading,
  into: Piece[],
  at: number,
  { list, end }: { readonly list: JsonList | undefined; readonly end: number },
): number {
  if (list === undefined || list.pieces.length === 0) units.takeEmpty(into, bytes.subarray(at, end));
  else into.push(holderAround(bytes, at, end, list));
  return end;
}

const takeResourceGroup: TakePart = (reading, into, at, pointer) => {
  const { bytes, signal, units } = reading;
  let shared: RawPairs = '';
  const around = readAround(reading, at, pointer, {
    name: OTLP_SIGNALS[signal].scopeGroups,
    take: takeScopeGroup,
    onOther(nameAt, nameEnd, valueAt) {
      if (!spells(bytes, nameAt, nameEnd, 'resource')) return undefined;
      const resource = readAttributes(reading, valueAt);
      shared = resource.pairs;
      return resource.end;
    },
  });
  units.endResource(shared);
  return pushHolder(reading, into, at, around);
};

const takeScopeGroup: TakePart = (reading, into, at, pointer) => {
  const { signal } = reading;
  const take = signal === 'metrics' ? takeMetric : takeItem;
  const around = readAround(reading, at, pointer, { name: OTLP_SIGNALS[signal].items, take });
  return pushHolder(reading, into, at, around);
};

const takeItem: TakePart = (reading, into, at) => {
  const { bytes, units } = reading;
  const { pairs, end } = readAttributes(reading, at);
  units.takeItem(into, bytes.subarray(at, end), pairs);
  return end;
};

/** A sound metric has one kind at most, that is one list of points. */
const takeMetric: TakePart = (reading, into, at, pointer) => {
  const { bytes, units } = reading;
  const lists: (JsonList | undefined)[] = [];
  const end = walkObject(bytes, at, (nameAt, nameEnd, valueAt) => {
    const kind = METRIC_KINDS.find((name) => spells(bytes, nameAt, nameEnd, name));
    if (kind === undefined || !isObjectAt(bytes, valueAt)) return endOfValue(bytes, valueAt);
    const points = { name: 'dataPoints', take: takeItem };
    const read = readAround(reading, valueAt, `${pointer}/${kind}`, points);
    lists.push(read.list);
    return read.end;
  });
  if (lists.length > 0) return pushHolder(reading, into, at, { list: lists[0], end });
  // One of a kind that came later is an item by itself; its attributes are not known.
  if (hasUnknownMember(bytes, at)) units.takeItem(into, bytes.subarray(at, end), '');
  else units.takeEmpty(into, bytes.subarray(at, end));
  return end;
};

function hasUnknownMember(bytes: Buffer, at: number): boolean {
  const known = Object.keys(OTLP_MESSAGES.Metric);
  let found = false;
  walkObject(bytes, at, (nameAt, nameEnd, valueAt) => {
    found ||= !known.some((name) => spells(bytes, nameAt, nameEnd, name));
    return endOfValue(bytes, valueAt);
  });
  return found;
}

interface Attributes {
  /** Those that name a session, as many as it takes to tell it. */
  readonly pairs: RawPairs;
  /** Where the value that has the attributes ends. */
  readonly end: number;
}

/** From a pair among the attributes of a value to the end of that value. */
const CONTAINERS_AROUND_PAIR = 2;

/** The session attributes of an item or a resource; of null, none. */
function readAttributes({ bytes, units }: Reading, start: number): Attributes {
  if (!isObjectAt(bytes, start)) return { pairs: '', end: endOfValue(bytes, start) };
  let pairs: RawPairs = '';
  let settledAt = 0;
  const takePair = (at: number): number => {
    const { namesSession, end } = readPair(bytes, at);
    if (!namesSession) return end;
    const text = bytes.toString('latin1', at, end);
    pairs = pairs === '' ? text : `${pairs},${text}`;
    settledAt = end;
    return units.isSettledBy(pairs) ? STOPPED : end;
  };
  const end = walkObject(bytes, start, (nameAt, nameEnd, valueAt) =>
    isArrayAt(bytes, valueAt) && spells(bytes, nameAt, nameEnd, 'attributes')
      ? walkArray(bytes, valueAt, takePair)
      : endOfValue(bytes, valueAt),
  );
  return { pairs, end: end === STOPPED ? endOfContainers(bytes, settledAt, CONTAINERS_AROUND_PAIR) : end };
}

function readPair(bytes: Buffer, at: number): { readonly namesSession: boolean; readonly end: number } {
  let namesSession = false;
  const end = walkObject(bytes, at, (nameAt, nameEnd, valueAt) => {
    const valueEnd = endOfValue(bytes, valueAt);
    if (spells(bytes, nameAt, nameEnd, 'key')) {
      namesSession = SESSION_ATTRIBUTES.some((name) => spells(bytes, valueAt, valueEnd, name));
    }
    return valueEnd;
  });
  return { namesSession, end };
}
