import { describe, expect, it } from 'vitest';
import { findPersonal } from '../../../connectors/detect/personal.ts';
import { findSecrets, mayHoldSecret } from '../../../connectors/detect/secrets.ts';
import { alnum, jwt, PLANTED } from './planted.ts';

const typesOf = (text: string, name?: string) => findSecrets(text, name).map(({ type }) => type);
const TOKEN = ['gh', `p_${alnum(36)}`].join('');

describe('findSecrets', () => {
  it('gives places in UTF-16 code units', () => {
    expect(findSecrets(`😀é ${TOKEN}`)).toEqual([{ type: 'github_token', start: 4, end: 4 + TOKEN.length }]);
  });

  it('names the issuer of a token rather than the label or the header before it', () => {
    expect(typesOf(`password = "${TOKEN}"`)).toEqual(['github_token']);
    expect(typesOf(`Authorization: Bearer ${jwt()}`)).toEqual(['jwt']);
    expect(typesOf(`https://user:${TOKEN}@github.com`)).toEqual(['github_token']);
  });

  it.each([
    'password',
    'DB_PASSWORD',
    'clientSecret',
    'x-api-key',
    'secret_access_key',
    'auth_token',
    'password2',
  ])('takes the whole value of a member named %s', (name) => {
    expect(findSecrets('q7Rt-99_zz', name)).toEqual([{ type: 'labelled_secret', start: 0, end: 10 }]);
  });

  it.each(['next_token', 'tokens', 'token_count', 'passwords_file', 'secretName', 'description'])(
    'takes nothing for the sake of a member named %s',
    (name) => {
      expect(findSecrets('q7Rt-99_zz', name)).toEqual([]);
    },
  );

  it('is not led astray by characters whose low byte is that of a letter', () => {
    const wide = Array.from('AKIA', (one) => String.fromCharCode(one.charCodeAt(0) + 0x100)).join('');
    expect(findSecrets(`${wide}${'A'.repeat(16)}`)).toEqual([]);
    expect(findPersonal('jane\u0140example.com')).toEqual([]);
  });
});

describe('mayHoldSecret', () => {
  it.each([
    ['prose', 'The token is kept for an hour; passwords are never stored. See https://example.com/a?b=c'],
    ['counts of tokens', '{"input_tokens":12,"output_tokens":5,"type":"input"}'],
    ['an escape sequence of a terminal', '{"stdout":"\\u001b[1mok\\u001b[0m"}'],
  ])('lets %s through', (_, text) => {
    expect(mayHoldSecret(Buffer.from(text))).toBe(false);
  });

  it('says true of every place that begins at an odd byte as well', () => {
    const secrets = PLANTED.filter(({ text }) => findSecrets(text).length > 0);
    expect(secrets.filter(({ text }) => !mayHoldSecret(Buffer.from(`x${text}`)))).toEqual([]);
    expect(secrets.length).toBeGreaterThan(60);
  });

  it('says true of every secret between any two bytes that protobuf may write around a text', () => {
    // A text begins behind its length. Behind it comes the tag of the next field, the end, or a byte of a group.
    const before = ['', '2', 'A', 'z', '_', '='];
    const missed = TEXTS_TO_THE_EDGE.filter((text) => {
      const middle = Buffer.from(text);
      const lengths = [...before, String.fromCharCode(middle.length % 128)];
      return lengths.some((length) =>
        Array.from({ length: 256 }, (_, tag) => [Buffer.from(length, 'latin1'), middle, Buffer.of(tag)]).some(
          (parts) => !mayHoldSecret(Buffer.concat(parts)),
        ),
      );
    });
    expect(missed).toEqual([]);
    expect(TEXTS_TO_THE_EDGE.length).toBeGreaterThan(150);
  });

  it.each([
    ['a password with an escaped letter', '{"m":"postgres://user:gr\\u00fcnhaus7@db.internal/x"}'],
    ['a user with an escaped letter', '{"m":"postgres://us\\u00e9r:geheim7haus@db.internal/x"}'],
    ['an escaped letter in JSON text within a string', '{"m":"{\\"u\\":\\"db://u:gr\\\\u00fcn7@h\\"}"}'],
    ['as many blanks as a label allows', `{"m":"password${' '.repeat(8)}= hunter2abcD9"}`],
    ['a tab that is escaped by its number', '{"m":"password\\u0009= hunter2abcD9"}'],
    ['a key whose letters need two bytes', `\x3a${'é'.repeat(25)}password\x12\x0c\x0ahunter2abcD9`],
    ['a key whose length is padded', '\x88\x80\x00password\x12\x0c\x0ahunter2abcD9'],
  ])('says true of %s', (_, text) => {
    const bytes = text.startsWith('{') ? Buffer.from(text) : wire(text);
    expect(mayHoldSecret(bytes)).toBe(true);
  });

  it('says true of a webhook whose team begins with a digit', () => {
    const text = ['https://hooks.slack', `.com/services/1T/B2/${alnum(24)}`].join('');
    expect(typesOf(text)).toEqual(['slack_webhook']);
    expect(mayHoldSecret(Buffer.from(text))).toBe(true);
  });
});

/** Characters below 256 that no letter needs are bytes; letters beyond ASCII are UTF-8. */
function wire(text: string): Buffer {
  return Buffer.concat(
    Array.from(text, (one) => (one === 'é' ? Buffer.from(one) : Buffer.from(one, 'latin1'))),
  );
}

/** Planted secrets as whole texts: as planted, alone, with what comes before them, and with what comes behind. */
const TEXTS_TO_THE_EDGE = [
  ...new Set(
    PLANTED.flatMap(({ text, places }) =>
      places.flatMap(({ start, end }) => [
        text,
        text.slice(start, end),
        text.slice(0, end),
        text.slice(start),
      ]),
    ),
  ),
].filter((text) => findSecrets(text).length > 0);
