import { drawBytes } from './draws.ts';

/** Forms of the identifiers of a recorded client. Identifiers of sessions, prompts and messages are UUIDs. */
const IDENTIFIERS = {
  uuid: /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g,
  tool_use: /\btoolu_[0-9A-Za-z]+/g,
  request: /\breq_[0-9a-z]{24}\b/g,
  agent: /\ba[0-9a-f]{16}\b/g,
  commit: /\b[0-9a-f]{40}\b/g,
  install: /\b[0-9a-f]{64}\b/g,
} as const;

export type IdentifierKind = keyof typeof IDENTIFIERS;

/** The recorded model stub counted its answers; its few digits cannot be unique over many sessions. */
const SHORT_REQUEST_ID = /\breq_([0-9]{1,12})\b/g;
const REQUEST_ID_CHARACTERS = 24;

/** Returns the text with its request ids made as long as those of a real API. */
export function lengthenRequestIds(text: string): string {
  return text.replaceAll(
    SHORT_REQUEST_ID,
    (_, digits: string) => `req_${digits.padStart(REQUEST_ID_CHARACTERS, '0')}`,
  );
}

/** Every identifier in a text with its kind. */
export function findIdentifiers(text: string): Map<string, IdentifierKind> {
  const found = new Map<string, IdentifierKind>();
  for (const [kind, pattern] of Object.entries(IDENTIFIERS)) {
    for (const [identifier] of text.matchAll(pattern)) found.set(identifier, kind as IdentifierKind);
  }
  return found;
}

/** Owner of an identifier: an install belongs to a person, all others are new in each session. */
export interface Owner {
  readonly seed: string;
  readonly user: number;
  readonly session: string;
}

/** Another identifier of the same form and length. */
export function renameIdentifier(kind: IdentifierKind, identifier: string, owner: Owner): string {
  if (kind === 'install') return drawBytes(owner.seed, 'install', owner.user).toString('hex');
  const hex = drawBytes(owner.seed, 'identifier', owner.session, identifier).toString('hex');
  switch (kind) {
    case 'uuid':
      return toUuid(hex);
    case 'tool_use':
      return `toolu_${toBase36(hex, identifier.length - 'toolu_'.length)}`;
    case 'request':
      return `req_${toBase36(hex, REQUEST_ID_CHARACTERS)}`;
    case 'agent':
      return `a${hex.slice(0, 16)}`;
    case 'commit':
      return hex.slice(0, 40);
  }
}

/** RFC 9562 version 4, as the client makes them. */
function toUuid(hex: string): string {
  const variant = (8 + (parseInt(hex.charAt(16), 16) % 4)).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

/** Takes the low digits, because the high digits of a number of 256 bits are not evenly distributed. */
function toBase36(hex: string, length: number): string {
  return BigInt(`0x${hex}`).toString(36).padStart(length, '0').slice(-length);
}

/** Name of the person in all recordings: in the user id, the home folder and the paths derived from it. */
export const RECORDED_PERSON = 'alice';

/** Most people in one simulation: names are as long as the recorded one, because protobuf states lengths. */
export const MAX_USERS = 36 ** (RECORDED_PERSON.length - 1);

export function personName(user: number): string {
  return `p${user.toString(36).padStart(RECORDED_PERSON.length - 1, '0')}`;
}
