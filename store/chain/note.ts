/** Signed notes with Ed25519 keys, as C2SP signed-note defines them. Pure; node:crypto only. */
import { createHash, createPublicKey, verify } from 'node:crypto';

const ED25519_SIGNATURE_TYPE = 0x01;
const ED25519_PUBLIC_KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
/** DER header of an Ed25519 SubjectPublicKeyInfo (RFC 8410 section 4); the 32 key bytes follow. */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** C2SP signed-note: em dash U+2014 and a space begin each signature line. */
const SIGNATURE_LINE_PREFIX = '\u2014 ';
/** C2SP signed-note: verifiers must accept at least 16 signature lines. */
const MAX_SIGNATURE_LINES = 64;

export interface VerifierKey {
  readonly name: string;
  /** First 4 bytes of SHA-256(name || "\n" || 0x01 || public key), in hex. */
  readonly keyId: string;
  /** Raw 32 bytes. */
  readonly publicKey: Uint8Array;
}

interface NoteSignature {
  readonly name: string;
  readonly keyId: string;
  readonly signature: Uint8Array;
}

interface Note {
  /** The signed text, with its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export function verifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  const typed = Buffer.concat([Uint8Array.of(ED25519_SIGNATURE_TYPE), publicKey]);
  const digest = createHash('sha256').update(name).update('\n').update(typed).digest();
  return { name, keyId: digest.subarray(0, KEY_ID_BYTES).toString('hex'), publicKey };
}

/** vkey text: name, hex key id, and base64 of type byte and key, joined by plus signs. */
export function formatVkey(key: VerifierKey): string {
  const typed = Buffer.concat([Uint8Array.of(ED25519_SIGNATURE_TYPE), key.publicKey]);
  return `${key.name}+${key.keyId}+${typed.toString('base64')}`;
}

/** Undefined for anything that is not an Ed25519 vkey with a matching key id. */
export function parseVkey(text: string): VerifierKey | undefined {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text);
  const [, name, keyId, encoded] = match ?? [];
  if (name === undefined || keyId === undefined || encoded === undefined) return undefined;
  const typed = fromBase64(encoded);
  if (typed?.length !== 1 + ED25519_PUBLIC_KEY_BYTES || typed[0] !== ED25519_SIGNATURE_TYPE) return undefined;
  const key = verifierKey(name, typed.subarray(1));
  return key.keyId === keyId ? key : undefined;
}

/** The whole note: text, blank line, signature lines. `text` must end in a newline. */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  const lines = signatures.map(({ name, keyId, signature }) => {
    const blob = Buffer.concat([Buffer.from(keyId, 'hex'), signature]).toString('base64');
    return `${SIGNATURE_LINE_PREFIX}${name} ${blob}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** Undefined for anything that is not a well-formed note; signatures are not checked here. */
export function parseNote(note: string): Note | undefined {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n') || hasControlCharacter(note)) return undefined;
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURE_LINES) return undefined;
  const signatures = lines.map(parseSignatureLine);
  if (!signatures.every((signature) => signature !== undefined)) return undefined;
  return { text: note.slice(0, split + 1), signatures };
}

/**
 * The text of a note that carries a good signature of `key`, else undefined.
 * SPEC: unknown keys are ignored; a known key whose signature fails rejects the whole note.
 */
export function verifyNote(note: string, key: VerifierKey): string | undefined {
  const parsed = parseNote(note);
  const known =
    parsed?.signatures.filter(({ name, keyId }) => name === key.name && keyId === key.keyId) ?? [];
  if (parsed === undefined || known.length === 0) return undefined;
  const message = Buffer.from(parsed.text);
  return known.every(({ signature }) => isSignedBy(key, message, signature)) ? parsed.text : undefined;
}

/** Whether these are the 64 bytes that the holder of `key` made over exactly this message (RFC 8032, Ed25519). */
export function isSignedBy(key: VerifierKey, message: Uint8Array, signature: Uint8Array): boolean {
  const publicKey = createPublicKey({
    key: Buffer.concat([ED25519_SPKI_PREFIX, key.publicKey]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, message, publicKey, signature);
}

function parseSignatureLine(line: string): NoteSignature | undefined {
  const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+=*)$/.exec(line);
  const blob = match?.[2] === undefined ? undefined : fromBase64(match[2]);
  if (match?.[1] === undefined || blob === undefined || blob.length <= KEY_ID_BYTES) return undefined;
  const keyId = blob.subarray(0, KEY_ID_BYTES).toString('hex');
  return { name: match[1], keyId, signature: blob.subarray(KEY_ID_BYTES) };
}

/** SPEC: no control characters but newline. */
function hasControlCharacter(note: string): boolean {
  return /\p{Cc}/u.test(note.replaceAll('\n', ''));
}

/** Strict: one text per value, so that no byte of the text can change without changing the value. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
