import type { EnvelopeHeader } from '../../schemas/envelope.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import { cutValues } from '../wire/json/cut-values.ts';
import { parseStrict, type JsonProblem } from '../wire/json/strict-json.ts';
import { MAX_ITEMS, oversizedBody, type DecodedBody, type UnitProblem } from '../wire/decoded-body.ts';

/** One JSON object of a native body. */
export interface NativeItem {
  readonly index: number;
  readonly pointer: string;
  readonly value: JsonObject;
}

/** Says where an object is not a native event; undefined if it is one. */
export type FindShapeProblem = (value: JsonObject) => string | undefined;

/**
 * Takes a native body apart: a JSON object, an array of objects, or one object per line. An item's pointer is its
 * place in the array, or the number of its line among those that are not blank; '' for a single object.
 * Throws BODY_MALFORMED if the body or one of its lines is not JSON.
 */
export function decodeNative(
  contentType: EnvelopeHeader['content_type'],
  bytes: Uint8Array,
  findShapeProblem: FindShapeProblem,
): DecodedBody<NativeItem> {
  const units = contentType === 'application/x-ndjson' ? toLineUnits(bytes) : toJsonUnits(bytes);
  if (units.length > MAX_ITEMS) return oversizedBody(bytes);
  const items: NativeItem[] = [];
  const problems: UnitProblem[] = [];
  units.forEach(({ pointer, value, problem }, index) => {
    const found = problem ?? toShapeProblem(pointer, value, findShapeProblem);
    if (found !== undefined) problems.push({ index, unit_pointer: pointer, ...found });
    else if (isJsonObject(value)) items.push({ index, pointer, value });
  });
  return {
    items,
    problems,
    itemCount: units.length,
    unitBytes: () =>
      new Map(problems.map(({ index, unit_pointer }) => [unit_pointer, cutUnit(units, index)])),
  };
}

interface Unit {
  readonly pointer: string;
  readonly value: JsonValue;
  readonly problem: JsonProblem | undefined;
  bytes(): Uint8Array;
}

function cutUnit(units: readonly Unit[], index: number): Uint8Array {
  return units[index]?.bytes() ?? new Uint8Array();
}

function toShapeProblem(pointer: string, value: JsonValue, find: FindShapeProblem): JsonProblem | undefined {
  const place = isJsonObject(value) ? find(value) : '';
  return place === undefined ? undefined : { pointer: `${pointer}${place}`, reason: 'item_shape_invalid' };
}

function toLineUnits(bytes: Uint8Array): Unit[] {
  const units: Unit[] = [];
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(0x0a, start);
    const end = found === -1 ? bytes.length : found;
    const line = bytes.subarray(start, end);
    if (!line.every(isBlank)) units.push(toLineUnit(line, units.length));
    start = end + 1;
  }
  return units;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

function toLineUnit(line: Uint8Array, index: number): Unit {
  const { value, problems } = parseStrict(line);
  const [problem] = problems;
  const pointer = `/${index}`;
  const placed = problem === undefined ? undefined : { ...problem, pointer: `${pointer}${problem.pointer}` };
  return { pointer, value, problem: placed, bytes: () => line };
}

function toJsonUnits(bytes: Uint8Array): Unit[] {
  const { text, value, problems } = parseStrict(bytes);
  const whole = problems.find(({ pointer }) => !Array.isArray(value) || pointer === '');
  if (!Array.isArray(value) || whole !== undefined) {
    return [{ pointer: '', value, problem: whole, bytes: () => bytes }];
  }
  const elements: readonly JsonValue[] = value;
  const firstByUnit = new Map<string, JsonProblem>();
  for (const problem of problems) {
    const unit = /^\/[0-9]+/.exec(problem.pointer)?.[0] ?? '';
    if (!firstByUnit.has(unit)) firstByUnit.set(unit, problem);
  }
  let cuts: ReadonlyMap<string, Uint8Array> | undefined;
  const cutAll = () => (cuts ??= cutValues(text, bytes, new Set(elements.map((_, index) => `/${index}`))));
  return elements.map((element, index) => {
    const pointer = `/${index}`;
    const problem = firstByUnit.get(pointer);
    return { pointer, value: element, problem, bytes: () => cutAll().get(pointer) ?? bytes };
  });
}
