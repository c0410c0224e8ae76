/**
 * Finds bundles whose leaves and payloads are sound, before their turn. It runs the checks that need no other bundle, by
 * the functions that the verifier itself uses. A sound bundle is reported; any other is left to the verifier, which
 * checks it again and says what is wrong. Loads no schemas, so that a thread starts at once: the header is not judged
 * here, and its line is handed over to be judged.
 */
import type { BundleHeader, PayloadRef } from '../../schemas/bundle.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import { bundleKey, parseKey } from '../chain/layout.ts';
import { readLeafLine } from './leaf-line.ts';
import { noFrames, type FrameCounts } from './frame-lines.ts';
import { checkFramedPayloads, type FindKeys } from './framed-payloads.ts';
import { readBundle, type LineReaders } from './read-bundle.ts';
import type { Findings } from './report.ts';
import { readStoredObject, type ObjectDigest } from './stored-object.ts';

/** The result for a sound bundle. It holds only if its lines are a header and frames, which the receiver must check. */
export interface Precheck {
  readonly object: ObjectDigest;
  /** First line, byte for byte, not judged. */
  readonly headerLine: Uint8Array;
  /** The lines of the frames, likewise. */
  readonly frameLines: readonly Uint8Array[];
  /** Leaf hashes in log order, 32 bytes each, side by side. */
  readonly leafHashes: Uint8Array;
  readonly counts: FrameCounts;
}

export interface BundleAddress {
  /** Folder of the archive. */
  readonly dir: string;
  readonly log: string;
  readonly start: number;
}

/** Undefined where anything is wrong, or only unusual. Never rejects: an error comes back when the bundle is read again. */
export async function precheckBundle(
  address: BundleAddress,
  findKeys?: FindKeys,
): Promise<Precheck | undefined> {
  const state = { isSound: true };
  const findings: Findings = {
    fail: () => void (state.isSound = false),
    notice: () => undefined,
    refine: () => undefined,
    failures: () => [],
    notices: () => [],
  };
  const result = await runChecks(address, findKeys, findings).catch(() => undefined);
  return state.isSound ? result : undefined;
}

async function runChecks(
  { dir, log, start }: BundleAddress,
  findKeys: FindKeys | undefined,
  findings: Findings,
): Promise<Precheck | undefined> {
  const object = await readStoredObject(dir, bundleKey(log, start));
  if (object === undefined) return undefined;
  let headerLine = new Uint8Array();
  const frameLines: Uint8Array[] = [];
  const readers: LineReaders = {
    header(line) {
      headerLine = new Uint8Array(line);
      return JSON.parse(line.toString('utf8')) as BundleHeader;
    },
    frame(line) {
      frameLines.push(new Uint8Array(line));
      return JSON.parse(line.toString('utf8')) as FrameRef;
    },
    leaf: readLeafLine,
  };
  const bundle = await readBundle(object.bytes, { start, origin: undefined }, readers, findings);
  if (bundle?.hasNamedBytes !== true) return undefined;
  const counts = noFrames();
  // A malformed key could lead out of the archive.
  const read = async ({ key }: PayloadRef) => {
    const payload = parseKey(key) && (await readStoredObject(dir, key));
    if (payload === undefined) findings.fail('payload_missing', start, key);
    return payload;
  };
  await checkFramedPayloads({ read, findKeys }, { log, bundle, counts }, findings);
  const { sha256, sizeBytes } = object;
  return { object: { sha256, sizeBytes }, headerLine, frameLines, leafHashes: bundle.leafHashes, counts };
}
