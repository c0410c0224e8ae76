import { endOfContainer } from './exact-scan.ts';
import { endOfNumber, endOfString } from './tokens.ts';

interface Frame {
  readonly pointer: string;
  readonly isObject: boolean;
  segment: string;
  index: number;
  expectsName: boolean;
}

/**
 * Cuts the values at the given pointers out of JSON text, byte for byte, in one pass. The text must be valid; the
 * pointers are made of names without escapes and of indices. Where a name is repeated the last value counts.
 * A pointer that leads nowhere, and '', get the bytes of the whole text.
 */
export function cutValues(
  text: string,
  bytes: Uint8Array,
  pointers: ReadonlySet<string>,
): Map<string, Uint8Array> {
  const cuts = new Map<string, Uint8Array>([...pointers].map((pointer) => [pointer, bytes]));
  let maxDepth = 0;
  for (const pointer of pointers) maxDepth = Math.max(maxDepth, pointer.split('/').length - 1);
  if (maxDepth === 0) return cuts;
  const frames: Frame[] = [];
  let at = 0;
  while (at < text.length) {
    at = step(text, at, { frames, maxDepth, cuts });
  }
  return cuts;
}

interface Cutting {
  readonly frames: Frame[];
  readonly maxDepth: number;
  readonly cuts: Map<string, Uint8Array>;
}

/** Handles the token at `at` and returns the index behind it. */
function step(text: string, at: number, cutting: Cutting): number {
  const { frames } = cutting;
  const frame = frames.at(-1);
  const character = text.charAt(at);
  if (character === '"' && frame?.expectsName === true) return takeName(text, at, frame);
  if (character === '}' || character === ']') {
    frames.pop();
    return at + 1;
  }
  if (character === ',' && frame !== undefined) {
    frame.expectsName = frame.isObject;
    frame.index += 1;
    if (!frame.isObject) frame.segment = String(frame.index);
    return at + 1;
  }
  const end = endOfValue(text, at, character);
  return end === undefined ? at + 1 : takeValue({ text, at, end, character }, cutting);
}

function takeName(text: string, at: number, frame: Frame): number {
  const end = endOfString(text, at);
  frame.segment = text.slice(at + 1, end - 1);
  frame.expectsName = false;
  return end;
}

function takeValue(
  token: { readonly text: string; readonly at: number; readonly end: number; readonly character: string },
  { frames, maxDepth, cuts }: Cutting,
): number {
  const { text, at, end, character } = token;
  const parent = frames.at(-1);
  const pointer = parent === undefined ? '' : `${parent.pointer}/${parent.segment}`;
  const isContainer = character === '{' || character === '[';
  if (pointer !== '' && cuts.has(pointer)) {
    cuts.set(pointer, new TextEncoder().encode(text.slice(at, isContainer ? endOfContainer(text, at) : end)));
  }
  if (!isContainer) return end;
  if (frames.length >= maxDepth) return endOfContainer(text, at);
  const isObject = character === '{';
  frames.push({ pointer, isObject, segment: '0', index: 0, expectsName: isObject });
  return at + 1;
}

/** Index behind the token that begins a value here; undefined for white space and colons. */
function endOfValue(text: string, at: number, character: string): number | undefined {
  switch (character) {
    case '"':
      return endOfString(text, at);
    case '{':
    case '[':
      return at + 1;
    case 't':
    case 'n':
      return at + 4;
    case 'f':
      return at + 5;
    default:
      return character === '-' || (character >= '0' && character <= '9') ? endOfNumber(text, at) : undefined;
  }
}
