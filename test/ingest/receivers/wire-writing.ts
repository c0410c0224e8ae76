/** Writes JSON and protobuf in all the ways in which a sender may write the same value. */

export interface Writing {
  /** Draws the ways in which characters are written. */
  readonly seed: number;
  /** Whether some characters of ASCII that need no escape are escaped as well. */
  readonly escapesAscii: boolean;
}

const SHORT = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** JSON text of a value of strings, lists and objects. */
export function writeJson(value: unknown, writing: Writing): string {
  const draw = createDraw(writing.seed);
  const write = (one: unknown): string => {
    if (typeof one === 'string')
      return `"${Array.from(one, (piece) => writePiece(piece, draw, writing)).join('')}"`;
    if (Array.isArray(one)) return `[${one.map(write).join(',')}]`;
    if (typeof one !== 'object' || one === null) return JSON.stringify(one);
    const members = Object.entries(one).map(([name, member]) => `${write(name)}:${write(member)}`);
    return `{${members.join(',')}}`;
  };
  return write(value);
}

/** A character as itself, as a short escape, or by its number. */
function writePiece(piece: string, draw: (below: number) => number, { escapesAscii }: Writing): string {
  const short = SHORT.get(piece);
  const byNumberOnly = short === undefined && /^[\p{Cc}\p{Cs}]$/u.test(piece);
  const isPlain = short === undefined && /^[ -\x7f]$/.test(piece);
  if (isPlain && !(escapesAscii && draw(8) === 0)) return piece;
  return isPlain || byNumberOnly || draw(2) === 0 ? byNumber(piece, draw) : (short ?? piece);
}

function byNumber(piece: string, draw: (below: number) => number): string {
  return Array.from({ length: piece.length }, (_, at) => {
    const digits = piece.charCodeAt(at).toString(16).padStart(4, '0');
    return `\\u${draw(2) === 0 ? digits : digits.toUpperCase()}`;
  }).join('');
}

function createDraw(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return (state >> 12) % below;
  };
}

/** A length-delimited field of protobuf. */
export function field(id: number, payload: Uint8Array): Buffer {
  return Buffer.concat([varint((id << 3) | 2), varint(payload.length), payload]);
}

/** The same with a byte of zeros at the end of its length, which readers accept. */
export function paddedField(id: number, payload: Uint8Array): Buffer {
  const length = varint(payload.length);
  length[length.length - 1] = (length.at(-1) ?? 0) | 0x80;
  return Buffer.concat([varint((id << 3) | 2), length, Buffer.of(0), payload]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}
