/** `name` is the name of a member; `invalid` means that `from` is where the text stops being JSON. */
export type JsonToken = 'name' | 'string' | 'number' | 'literal' | 'open' | 'close' | 'end' | 'invalid';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** The token that may come next: a value, the name of a member, or a separator behind a value. */
type Expectation = 'value' | 'value_or_end' | 'name' | 'name_or_end' | 'separator';

/**
 * The one scanner of JSON text: reads it token by token, checks its grammar, and knows where each token stands. It parses
 * no number and decodes no string. Linear in the text; memory grows only with the nesting.
 *
 * All structure of JSON is ASCII. So the scanner may also read the bytes of a body as Latin-1, and then its offsets are
 * offsets of bytes.
 */
export class JsonScanner {
  readonly text: string;
  readonly #isSequence: boolean;
  #expects: Expectation = 'value';
  #at: number;
  /** Where the current token stands: the index of its first character, and the index behind its last one. */
  from = 0;
  to = 0;
  /** Whether the container that the token `open` or `close` belongs to is an object. */
  isObject = false;
  /**
   * One entry for each container around the current token, from the outside in: in an array the place of the current
   * element, in an object the current member's name as the text spells it, without quotes.
   */
  readonly path: (number | string)[] = [];

  /** With `isSequence` the text may hold several values one after another, or none. */
  constructor(text: string, { isSequence = false }: { readonly isSequence?: boolean } = {}) {
    this.text = text;
    this.#at = 0;
    this.#isSequence = isSequence;
  }

  /** The next token. After `end` and `invalid` it returns the same again. */
  next(): JsonToken {
    this.#at = skipWhiteSpace(this.text, this.#at);
    this.from = this.#at;
    const code = this.text.charCodeAt(this.#at);
    if (this.#expects === 'separator') return this.#takeSeparator(code);
    if (code === CLOSING_BRACE && this.#expects === 'name_or_end') return this.#close();
    if (code === CLOSING_BRACKET && this.#expects === 'value_or_end') return this.#close();
    if (this.#expects === 'name' || this.#expects === 'name_or_end') return this.#takeName(code);
    if (Number.isNaN(code) && this.#isSequence && this.path.length === 0) return 'end';
    return this.#takeValue(code);
  }

  /** After `open`: reads on to the `close` of the same container. Returns `close`, or `invalid`. */
  skip(): JsonToken {
    const depth = this.path.length;
    for (;;) {
      const token = this.next();
      if (token === 'invalid' || (token === 'close' && this.path.length < depth)) return token;
    }
  }

  /** After the first token of a value: reads on to its end and returns the index behind it. */
  endOfValue(token: JsonToken): number {
    if (token === 'open') this.skip();
    return this.to;
  }

  #takeSeparator(code: number): JsonToken {
    const place = this.path.at(-1);
    if (place === undefined) {
      if (Number.isNaN(code)) return 'end';
      if (!this.#isSequence) return 'invalid';
      this.#expects = 'value';
      return this.#takeValue(code);
    }
    const isArray = typeof place === 'number';
    if (code === (isArray ? CLOSING_BRACKET : CLOSING_BRACE)) return this.#close();
    if (code !== COMMA) return 'invalid';
    this.#at += 1;
    this.#expects = isArray ? 'value' : 'name';
    return this.next();
  }

  #takeName(code: number): JsonToken {
    if (code !== QUOTE || !this.#readString()) return this.#fail();
    const { from, to } = this;
    this.#at = skipWhiteSpace(this.text, to);
    if (this.text.charCodeAt(this.#at) !== COLON) return this.#fail();
    this.#at += 1;
    this.#expects = 'value';
    this.path[this.path.length - 1] = this.text.slice(from + 1, to - 1);
    return 'name';
  }

  #takeValue(code: number): JsonToken {
    const place = this.path.at(-1);
    if (typeof place === 'number') this.path[this.path.length - 1] = place + 1;
    this.#expects = 'separator';
    if (code === QUOTE) return this.#readString() ? 'string' : this.#fail();
    if (code === OPENING_BRACE || code === OPENING_BRACKET) {
      this.isObject = code === OPENING_BRACE;
      this.#expects = this.isObject ? 'name_or_end' : 'value_or_end';
      this.path.push(this.isObject ? '' : -1);
      return this.#endAt(this.#at + 1, 'open');
    }
    if (isDigit(code) || code === MINUS) return this.#readNumber() ? 'number' : this.#fail();
    const literal = LITERALS.find((word) => this.text.startsWith(word, this.#at));
    return literal === undefined ? this.#fail() : this.#endAt(this.#at + literal.length, 'literal');
  }

  #close(): JsonToken {
    this.isObject = typeof this.path.pop() === 'string';
    this.#expects = 'separator';
    return this.#endAt(this.#at + 1, 'close');
  }

  #endAt(end: number, token: JsonToken): JsonToken {
    this.#at = end;
    this.to = end;
    return token;
  }

  /** Leaves the scanner where the text cannot go on, for good. */
  #fail(): JsonToken {
    this.from = this.#at;
    this.#at = this.text.length;
    this.#expects = 'separator';
    this.path.length = 0;
    this.path.push(-1);
    return 'invalid';
  }

  #readString(): boolean {
    const { text } = this;
    let at = this.#at + 1;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      const length = code === BACKSLASH ? lengthOfEscape(text, at) : Number(code >= 0x20);
      if (length === 0) {
        this.#at = at;
        return false;
      }
      at += length;
    }
    this.#endAt(at + 1, 'string');
    return true;
  }

  #readNumber(): boolean {
    const { text } = this;
    if (text.charCodeAt(this.#at) === MINUS) this.#at += 1;
    if (text.charAt(this.#at) === '0') this.#at += 1;
    else if (!this.#readDigits()) return false;
    if (text.charAt(this.#at) === '.') {
      this.#at += 1;
      if (!this.#readDigits()) return false;
    }
    if (text.charAt(this.#at).toLowerCase() === 'e') {
      this.#at += 1;
      if (/[+-]/.test(text.charAt(this.#at))) this.#at += 1;
      if (!this.#readDigits()) return false;
    }
    this.to = this.#at;
    return true;
  }

  #readDigits(): boolean {
    const start = this.#at;
    while (isDigit(this.text.charCodeAt(this.#at))) this.#at += 1;
    return this.#at > start;
  }
}

const LITERALS = ['true', 'false', 'null'];
const ESCAPED = new Set(Array.from('"\\/bfnrt', (character) => character.charCodeAt(0)));
const LOWER_U = 0x75;

/** Length of the escape at `start`; 0 for one that JSON does not know. */
function lengthOfEscape(text: string, start: number): number {
  const code = text.charCodeAt(start + 1);
  if (ESCAPED.has(code)) return 2;
  return code === LOWER_U && /^[0-9a-fA-F]{4}$/.test(text.slice(start + 2, start + 6)) ? 6 : 0;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function skipWhiteSpace(text: string, start: number): number {
  let at = start;
  while (isJsonSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** The only white space of JSON (RFC 8259 section 2). */
export function isJsonSpace(code: number | undefined): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Characters that an escaped letter means. Any other escaped character means itself. */
const CONTROLS: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** The characters of a string token, quotes included, that the scanner has accepted. */
export function decodeString(token: string): string {
  let text = '';
  let from = 1;
  for (let at = token.indexOf('\\'); at !== -1; at = token.indexOf('\\', from)) {
    text += token.slice(from, at);
    const letter = token.charAt(at + 1);
    if (letter === 'u') {
      from = at + 6;
      text += String.fromCharCode(Number.parseInt(token.slice(at + 2, from), 16));
    } else {
      from = at + 2;
      text += CONTROLS.get(letter) ?? letter;
    }
  }
  return text + token.slice(from, -1);
}
