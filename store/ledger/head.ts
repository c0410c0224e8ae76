/** The head of a log: where it ends, by its newest bundle. */
import type { ArchiveLock } from '../../schemas/archive-lock.ts';
import type { LogGenesis, WriterHeads } from '../../schemas/bundle.ts';
import { toInstant } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { genesisDigest } from '../chain/genesis.ts';
import { keysAfter, type KeyHistory } from '../chain/key-history.ts';
import { bundleKey } from '../chain/layout.ts';
import { chainStart, frontierRoot, type Frontier } from '../chain/merkle.ts';
import { requireGenesis } from './genesis.ts';
import { readFirstKey, readKeysBefore, requireSigned, type KeyedLog } from './log-keys.ts';
import { bundleKeys, lastNumber } from './numbered-keys.ts';
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
  /** The keys of the log up to the next bundle, which the last of them signs. */
  readonly keys: KeyHistory;
  /** Lock of the newest bundle, and of the checkpoint at its end. */
  readonly lock: ArchiveLock;
}

/** A head is read without being able to sign. */
export interface HeadOptions extends KeyedLog {
  /** All keys of the log, where the caller knows them. Else they are read, as far as the bundle in question. */
  readonly keys?: KeyHistory | undefined;
}

const EMPTY_HEAD: Omit<Head, 'genesisSha256' | 'keys' | 'notBeforeMs'> = {
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
function emptyHead(genesis: LogGenesis, keys: KeyHistory): Head {
  return {
    ...EMPTY_HEAD,
    keys,
    notBeforeMs: Date.parse(genesis.created_at),
    genesisSha256: genesisDigest(genesis),
  };
}

/** The head at the end of the bundle that starts at `start`; without one, the head of an empty log. */
export async function readHead(options: HeadOptions, start: number | undefined): Promise<Head> {
  const { archive, log } = options;
  if (start === undefined) {
    const genesis = options.genesis ?? (await requireGenesis(archive, log));
    return emptyHead(genesis, await readFirstKey({ archive, log, genesis }));
  }
  const key = bundleKey(log, start);
  const { header } = await readHeaderAndLeaves(archive, key);
  const keys = options.keys ?? (await readKeysBefore(options, header));
  requireSigned(keys, key, header);
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
    keys: options.keys ?? keysAfter(keys, header),
    lock: header.lock,
  };
}

/** The head at the end of the newest bundle of a log. Rejects as recovery does where the bundle is doubtful. */
export async function readNewestHead(options: HeadOptions): Promise<Head> {
  return readHead(options, await lastNumber(options.archive, bundleKeys(options.log)));
}
