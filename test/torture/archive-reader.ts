/** Reads what an archive holds straight from its files, each bundle once: nothing of the server is asked. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleHeader } from '../../schemas/bundle.ts';
import { decodeBundle } from '../../store/chain/bundle-bytes.ts';
import { openCheckpoint } from '../../store/chain/checkpoint.ts';
import {
  bundleKey,
  bundlePrefix,
  checkpointPrefix,
  genesisKey,
  numberOfKey,
  parseKey,
} from '../../store/chain/layout.ts';
import { parseVkey } from '../../store/chain/note.ts';
import type { SealedBundleRead, SeenHead } from './judge.ts';
import { readParts } from '../../store/ledger/sealed-parts.ts';
import type { FrameRef } from '../../schemas/frame.ts';
import type { KeyStore } from '../../store/data-keys/key-store.ts';
import { openKeysOf } from '../support/local-keys.ts';
import { eventsOf } from './requests.ts';

export interface ArchiveReader {
  /** Bundles that were not read before, in log order. */
  newBundles(): AsyncIterable<SealedBundleRead>;
  /** The newest checkpoint, opened with the log's key; undefined before the first. */
  newestHead(): Promise<SeenHead | undefined>;
  /** Undefined while there is no log. The key is read once: whatever is found later must go with it. */
  vkey(): Promise<string | undefined>;
  /** `integrated_at` of the newest bundle that was read; 0 before the first. */
  integratedAtMs(): number;
}

const LOG = 'p0';

/** `data` is the data folder of the server; its archive and its key store are read. */
export function createArchiveReader(data: string): ArchiveReader {
  const dir = join(data, 'archive');
  let nextIndex = 0;
  let integratedAtMs = 0;
  let vkey: string | undefined;
  const readKey = async (): Promise<string | undefined> => {
    const text = await readFile(join(dir, genesisKey(LOG)), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as { vkey: string }).vkey;
  };
  return {
    async *newBundles() {
      const starts = (await objectKeys(dir, bundlePrefix(LOG))).map(numberOfKey);
      const unread = starts.filter((start) => start >= nextIndex);
      if (unread.length === 0) return;
      // Opened each time: a round may have moved the data folder to another disk.
      const keys = await openKeysOf(data);
      try {
        for (const start of unread) {
          const { header, bundle } = await readBundle(dir, keys, start);
          nextIndex = header.tree_size;
          integratedAtMs = Date.parse(header.integrated_at);
          yield bundle;
        }
      } finally {
        await keys.close();
      }
    },
    async newestHead() {
      const newest = (await objectKeys(dir, checkpointPrefix(LOG))).at(-1);
      if (newest === undefined) return undefined;
      const note = await readFile(join(dir, newest), 'utf8');
      return openHead(note, (vkey ??= await readKey()));
    },
    vkey: async () => (vkey ??= await readKey()),
    integratedAtMs: () => integratedAtMs,
  };
}

/** Throws if the key of the log did not sign the note. */
export function openHead(note: string, vkey: string | undefined): SeenHead {
  const key = vkey === undefined ? undefined : parseVkey(vkey);
  const head = key === undefined ? undefined : openCheckpoint(note, key);
  if (head === undefined) throw new Error('a checkpoint does not open with the key of its log');
  return head;
}

async function readBundle(
  dir: string,
  dataKeys: Pick<KeyStore, 'find'>,
  startIndex: number,
): Promise<{ header: BundleHeader; bundle: SealedBundleRead }> {
  const { headerText, frameTexts, leafTexts } = decodeBundle(
    await readFile(join(dir, bundleKey(LOG, startIndex))),
  );
  const header = JSON.parse(headerText) as BundleHeader;
  const frames = frameTexts.map((text) => JSON.parse(text) as FrameRef);
  const get = (key: string) => readFile(join(dir, key));
  const { facts } = await readParts({ archive: { get }, dataKeys }, { header, frames });
  const events = eventsOf(facts.values());
  return { header, bundle: { startIndex, leafTexts, events } };
}

async function objectKeys(dir: string, prefix: string): Promise<string[]> {
  const paths = await readdir(join(dir, prefix), { recursive: true }).catch((): string[] => []);
  return paths
    .map((path) => `${prefix}${path}`)
    .filter((path) => parseKey(path) !== undefined)
    .sort();
}
