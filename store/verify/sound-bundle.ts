/**
 * Bundles whose leaves and payloads are sound, found out before their turn: what needs no other bundle is checked here,
 * by the same functions. It says yes or nothing, and whoever hears nothing checks the bundle again. Loads no schemas,
 * so that a thread starts at once; hence the header is taken at its word, and its line is given back to be judged.
 */
import type { BundleHeader } from '../../schemas/bundle.ts';
import { bundleKey, parseKey } from '../chain/layout.ts';
import { readArchiveObject, type ArchiveObject } from './archive-object.ts';
import { openBundle, type LineReaders } from './bundle.ts';
import { readLeafLine } from './leaf-line.ts';
import { checkPayload, checkPayloadRefs, payloadName } from './payload.ts';
import type { Findings } from './report.ts';

/** What is found sound here depends on the bytes of the first line being a header: whoever takes it must see to that. */
export interface SoundBundle {
  readonly object: Pick<ArchiveObject, 'sha256' | 'size'>;
  /** First line as it stands, not judged. */
  readonly headerLine: Uint8Array;
  /** Of all leaves in log order, 32 bytes each. */
  readonly leafHashes: Uint8Array;
}

export interface BundleAddress {
  /** Of the archive. */
  readonly dir: string;
  readonly log: string;
  readonly start: number;
}

/** Undefined if anything is wrong, or only unusual. Never rejects: errors come back when the bundle is read again. */
export async function findSound(address: BundleAddress): Promise<SoundBundle | undefined> {
  const state = { isSound: true };
  const findings: Findings = {
    fail: () => void (state.isSound = false),
    notice: () => undefined,
    sharpen: () => undefined,
    failures: () => [],
    notices: () => [],
  };
  const bundle = await readAlone(address, findings).catch(() => undefined);
  return state.isSound ? bundle : undefined;
}

async function readAlone(
  { dir, log, start }: BundleAddress,
  findings: Findings,
): Promise<SoundBundle | undefined> {
  const object = await readArchiveObject(dir, bundleKey(log, start));
  if (object === undefined) return undefined;
  let headerLine = new Uint8Array();
  const readers: LineReaders = {
    header(line) {
      headerLine = new Uint8Array(line);
      return JSON.parse(line.toString('utf8')) as BundleHeader;
    },
    leaf: readLeafLine,
  };
  const bundle = await openBundle(object.bytes, { start, origin: undefined }, readers, findings);
  if (bundle === undefined) return undefined;
  checkPayloadRefs(log, bundle, findings);
  for (const ref of bundle.header.payloads) {
    // A key that is none could lead out of the archive.
    const payload = parseKey(ref.key) && (await readArchiveObject(dir, ref.key));
    const lines = bundle.expected.get(payloadName(ref.kind, ref.retention_class));
    if (payload === undefined || lines === undefined) return undefined;
    await checkPayload(ref, payload, lines, findings);
  }
  const { sha256, size } = object;
  return { object: { sha256, size }, headerLine, leafHashes: bundle.leafHashes };
}
