import type { EnvelopeHeader } from '../../schemas/envelope.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../schemas/json.ts';
import { cutValues } from '../wire/json/cut-values.ts';
import { holderAround, joined, readList } from '../wire/json/list-pieces.ts';
import type { JsonProblem } from '../wire/json/problems.ts';
import { isJsonSpace, JsonScanner } from '../wire/json/scan.ts';
import { parseStrict } from '../wire/json/strict-json.ts';
import type { Holder, Piece, UnitSequence } from '../wire/pieces.ts';
import { MAX_ITEMS, oversizedBody, toBuffer, type DecodedBody, type UnitProblem } from '../wire/body.ts';

/** One JSON object of a body. */
export interface JsonItem {
  readonly index: number;
  readonly pointer: string;
  readonly value: JsonObject;
}

/** Rules for the objects of a body. */
export interface JsonItemRules {
  /** The place at which an object is not one of its source's; undefined if it is one. */
  readonly findShapeProblem?: ((value: JsonObject) => string | undefined) | undefined;
  /** The reason why a line, and with it the whole body, must not be kept; undefined if it may be kept. */
  readonly refuseLine?: ((value: JsonValue) => string | undefined) | undefined;
}

/**
 * Takes a body of JSON objects apart: one object, an array of objects, or one object per line. An item's pointer is its
 * place in the array, or the number of its line among those that are not blank; '' for a single object.
 * Throws BODY_MALFORMED if the body or one of its lines is not JSON, or if a line is refused.
 */
export function decodeJsonItems(
  contentType: EnvelopeHeader['content_type'],
  bytes: Uint8Array,
  rules: JsonItemRules = {},
): DecodedBody<JsonItem> {
  const isLines = contentType === 'application/x-ndjson';
  const units = isLines ? toLineUnits(bytes, rules) : toJsonUnits(bytes);
  if (typeof units === 'number') return oversizedBody(bytes, units);
  const items: JsonItem[] = [];
  const problems: UnitProblem[] = [];
  units.forEach(({ pointer, value, problem }, index) => {
    const found = problem ?? toShapeProblem(pointer, value, rules);
    const item_count = countItems(pointer, value);
    if (found !== undefined) problems.push({ index, unit_pointer: pointer, ...found, item_count });
    else if (isJsonObject(value)) items.push({ index, pointer, value });
  });
  return {
    items,
    problems,
    unitCount: units.length,
    unitBytes: () =>
      new Map(problems.map(({ index, unit_pointer }) => [unit_pointer, cutUnit(units, index)])),
    placeOf: ({ index, pointer }) => ({ pointer, bytes: cutUnit(units, index) }),
    cut: (sequence) => (isLines ? cutLines(units, sequence) : cutJson(toBuffer(bytes), sequence)),
  };
}

/** The first byte of a body behind its white space. In JSON text it shows the kind of the value. */
export function firstCharacterOf(bytes: Uint8Array): string {
  let at = 0;
  while (isJsonSpace(bytes[at])) at += 1;
  return String.fromCharCode(bytes[at] ?? 0);
}

interface Unit {
  readonly pointer: string;
  readonly value: JsonValue;
  readonly problem: JsonProblem | undefined;
  bytes(): Uint8Array;
}

/** An array that is judged as a whole has the items that its sender counts in it. */
function countItems(pointer: string, value: JsonValue): number {
  return pointer === '' && Array.isArray(value) ? Math.max(value.length, 1) : 1;
}

function cutUnit(units: readonly Unit[], index: number): Uint8Array {
  return units[index]?.bytes() ?? new Uint8Array();
}

function toShapeProblem(
  pointer: string,
  value: JsonValue,
  { findShapeProblem }: JsonItemRules,
): JsonProblem | undefined {
  const place = isJsonObject(value) ? findShapeProblem?.(value) : '';
  return place === undefined ? undefined : { pointer: `${pointer}${place}`, reason: 'item_shape_invalid' };
}

/**
 * Blank lines are not items. Of more than MAX_ITEMS lines only their number; lines beyond are read, because one that is
 * refused refuses the body, and are not held.
 */
function toLineUnits(bytes: Uint8Array, rules: JsonItemRules): Unit[] | number {
  const units: Unit[] = [];
  let count = 0;
  let start = 0;
  for (let line = 1; start < bytes.length; line += 1) {
    const found = bytes.indexOf(0x0a, start);
    const end = found === -1 ? bytes.length : found;
    const text = bytes.subarray(start, end);
    if (!text.every(isJsonSpace)) {
      const unit = toLineUnit(text, { index: count, line, rules });
      if (count < MAX_ITEMS) units.push(unit);
      count += 1;
    }
    start = end + 1;
  }
  return count > MAX_ITEMS ? count : units;
}

interface LinePlace {
  readonly index: number;
  /** Counts from 1 and counts blank lines too, for error messages. */
  readonly line: number;
  readonly rules: JsonItemRules;
}

function toLineUnit(text: Uint8Array, { index, line, rules }: LinePlace): Unit {
  const { value, problems } = parseLine(text, line);
  const refusal = rules.refuseLine?.(value);
  if (refusal !== undefined)
    throw new PipelineError('BODY_MALFORMED', refusal, { place: `body line ${line}` });
  const [problem] = problems;
  const pointer = `/${index}`;
  const placed = problem === undefined ? undefined : { ...problem, pointer: `${pointer}${problem.pointer}` };
  return { pointer, value, problem: placed, bytes: () => text };
}

function parseLine(text: Uint8Array, line: number): ReturnType<typeof parseStrict> {
  try {
    return parseStrict(text);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    const place = `body line ${line}, in it ${error.place ?? 'at an unknown place'}`;
    throw new PipelineError(error.code, error.detail, { place });
  }
}

/** Of more than MAX_ITEMS elements only their number. */
function toJsonUnits(bytes: Uint8Array): Unit[] | number {
  const { text, value, problems } = parseStrict(bytes);
  const whole = problems.find(({ pointer }) => !Array.isArray(value) || pointer === '');
  if (!Array.isArray(value) || whole !== undefined) {
    return [{ pointer: '', value, problem: whole, bytes: () => bytes }];
  }
  const elements: readonly JsonValue[] = value;
  if (elements.length > MAX_ITEMS) return elements.length;
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

const LINE_FEED = Buffer.from('\n');

function cutLines(units: readonly Unit[], sequence: UnitSequence): Holder {
  const lines: Piece[] = units.map((unit) => sequence.take(unit.bytes()));
  return { within: lines, wrap: (pieces) => joined(pieces, LINE_FEED) };
}

/** A single object is one piece; an array without elements has none. */
function cutJson(bytes: Buffer, sequence: UnitSequence): Holder | undefined {
  const scanner = new JsonScanner(bytes.toString('latin1'));
  const first = scanner.next();
  if (first !== 'open' || scanner.isObject) {
    return { within: [sequence.take(bytes)], wrap: (pieces) => pieces.flat() };
  }
  const list = readList(scanner, first, (into, token) => {
    const { from } = scanner;
    into.push(sequence.take(bytes.subarray(from, scanner.endOfValue(token))));
  });
  return list === undefined || list.pieces.length === 0
    ? undefined
    : holderAround(bytes, 0, bytes.length, list);
}
