/** The head of a log: where it ends, by its newest bundle. */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { BundleHeader, LogGenesis, WriterHeads } from '../../schemas/bundle.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { isHeaderSigned } from '../chain/bundle-signature.ts';
import { genesisDigest } from '../chain/genesis.ts';
import { bundleKey } from '../chain/layout.ts';
import { chainStart, frontierRoot, type Frontier } from '../chain/merkle.ts';
import { parseVkey } from '../chain/note.ts';
import { requireGenesis } from './genesis.ts';
import type { LedgerOptions } from './options.ts';
import { readHeaderAndLeaves } from './sealed-bundles.ts';

export interface Head {
  readonly treeSize: number;
  readonly frontier: Frontier;
  readonly chainHead: Uint8Array;
  readonly nextOffset: bigint;
  /** Id of the event log that `nextOffset` counts in, where it is known. */
  readonly eventLog: string | undefined;
  /** Where the writers of the event log stand at `nextOffset`, once one has numbered an entry. */
  readonly writers: WriterHeads | undefined;
  /** 0 in an empty log. */
  readonly integratedAtMs: number;
  /** Time of the newest bundle, or of the genesis in an empty log. No later bundle is sealed at an earlier time. */
  readonly notBeforeMs: number;
  /** SHA-256 of the genesis, as the headers name it. */
  readonly genesisSha256: string;
  /** Lock of the newest bundle, and of the checkpoint at its end. */
  readonly lock: ArchiveLock;
}

/** A head is read without being able to sign. */
export type HeadOptions = Pick<LedgerOptions, 'archive' | 'log'> & {
  readonly signer: Pick<LedgerOptions['signer'], 'vkey'>;
};

const EMPTY_HEAD: Omit<Head, 'genesisSha256' | 'notBeforeMs'> = {
  treeSize: 0,
  frontier: [],
  chainHead: chainStart(),
  nextOffset: 0n,
  eventLog: undefined,
  writers: undefined,
  integratedAtMs: 0,
  lock: { mode: 'governance', retain_until: toInstant(0) },
};

/** Root hash of the head, hex. */
export function rootHashOf({ frontier }: Pick<Head, 'frontier'>): string {
  return Buffer.from(frontierRoot(frontier)).toString('hex');
}

/** The head of a log without bundles. */
function emptyHead(genesis: LogGenesis): Head {
  return {
    ...EMPTY_HEAD,
    notBeforeMs: Date.parse(genesis.created_at),
    genesisSha256: genesisDigest(genesis),
  };
}

/** The head at the end of the bundle that starts at `start`; without one, the head of an empty log. */
export async function readHead(options: HeadOptions, start: number | undefined): Promise<Head> {
  if (start === undefined) return emptyHead(await requireGenesis(options.archive, options.log));
  const { archive, log } = options;
  const key = bundleKey(log, start);
  const { header } = await readHeaderAndLeaves(archive, key);
  requireSigned(options, key, header);
  const frontier = header.frontier.map((hash) => Buffer.from(hash, 'hex'));
  if (rootHashOf({ frontier }) !== header.root_hash) {
    throw new PipelineError('ARCHIVE_DAMAGED', `bundle ${key} names a root that its frontier does not have`);
  }
  return {
    treeSize: header.tree_size,
    frontier,
    chainHead: Buffer.from(header.chain_head, 'hex'),
    nextOffset: BigInt(header.next_offset),
    eventLog: header.event_log,
    writers: header.writers,
    integratedAtMs: Date.parse(header.integrated_at),
    notBeforeMs: Date.parse(header.integrated_at),
    genesisSha256: header.genesis_sha256,
    lock: header.lock,
  };
}

/**
 * Recovery finishes unfinished bundles, so it must not take a forged bundle for one: a writer to the archive without the
 * key of the log cannot sign the header. Throws START_REFUSED.
 */
export function requireSigned(
  { signer }: Pick<HeadOptions, 'signer'>,
  key: string,
  header: BundleHeader,
): void {
  const logKey = parseVkey(signer.vkey);
  if (logKey !== undefined && isHeaderSigned(header, logKey)) return;
  throw new PipelineError(
    'START_REFUSED',
    `bundle ${key} does not carry a signature of this log's key: somebody else wrote or changed it`,
  );
}
