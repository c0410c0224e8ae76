import { SECRET_TYPES, type SecretType } from '../../schemas/data-class.ts';
import { createAnchorSearch, toBytes } from './anchors.ts';
import { createRuns, isAscii } from './characters.ts';
import { settle, type Finding } from './finding.ts';
import { findNamedSecret, isSecretName, LABELLED_ANCHORS } from './labelled-secrets.ts';
import { PREFIXED_ANCHORS } from './prefixed-secrets.ts';
import type { SecretDetector, SecretScan } from './secret-scan.ts';
import { SHAPED_ANCHORS } from './shaped-secrets.ts';

const searchAnchors = createAnchorSearch([...PREFIXED_ANCHORS, ...SHAPED_ANCHORS, ...LABELLED_ANCHORS]);

/**
 * Finds secrets in a text, in its order, without overlaps. `name` is the name of the member whose value the text is,
 * because a password has no recognisable form. The time is linear in any text; the function never throws.
 */
export function findSecrets(text: string, name = ''): Finding<SecretType>[] {
  const found: Finding<SecretType>[] = [];
  const scan: SecretScan = {
    text,
    endOfRun: createRuns(text),
    searched: { nearTo: 0, labelledTo: 0 },
    add: (type: SecretType, start: number, end: number) => void found.push({ type, start, end }),
  };
  searchAnchors(toBytes(text), scan, findAt);
  if (name !== '' && isSecretName(name)) findNamedSecret(scan, name);
  return found.length === 0 ? found : settle(found, SECRET_TYPES);
}

/**
 * Whether a body in any of the wire formats could hold a secret, judged by its raw bytes alone. False is certain:
 * `findSecrets` finds nothing in any string of the body. True is returned far more often than there is a secret.
 */
export function mayHoldSecret(bytes: Buffer): boolean {
  // Any character of a secret can be written as an escape. Most senders escape neither.
  if (bytes.includes(ESCAPED_SLASH) || hasEscapedAscii(bytes)) return true;
  return searchAnchors({ bytes, length: bytes.length }, { bytes, raw: undefined }, mayStartAt);
}

function findAt(scan: SecretScan, detector: SecretDetector, at: number, end: number): undefined {
  if (isAscii(scan.text, at, end)) detector.find(scan, at, end);
}

interface RawScan {
  readonly bytes: Buffer;
  /** Created at the first literal; most bodies hold none. */
  raw: Pick<SecretScan, 'text' | 'endOfRun'> | undefined;
}

function mayStartAt(scan: RawScan, detector: SecretDetector, at: number, end: number): boolean {
  scan.raw ??= toRaw(scan.bytes.toString('latin1'));
  return detector.mayStart(scan.raw, at, end);
}

function toRaw(text: string): Pick<SecretScan, 'text' | 'endOfRun'> {
  return { text, endOfRun: createRuns(text) };
}

const ESCAPED_SLASH = Buffer.from('\\/');
const ESCAPED_ASCII = Buffer.from('\\u00');
const TWO = 0x32;
const SEVEN = 0x37;

function hasEscapedAscii(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(ESCAPED_ASCII); at !== -1; at = bytes.indexOf(ESCAPED_ASCII, at + 1)) {
    const digit = bytes[at + ESCAPED_ASCII.length] ?? 0;
    if (digit >= TWO && digit <= SEVEN) return true;
  }
  return false;
}
