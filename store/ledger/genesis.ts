/** Writes and reads the first object of a log. */
import { Value } from 'typebox/value';
import { LogGenesis, type Continuation, type LogPolicy } from '../../schemas/bundle.ts';
import { toInstant, type Clock } from '../../schemas/clock.ts';
import { PipelineError } from '../../schemas/errors.ts';
import type { Archive } from '../archive/archive.ts';
import { FRAME_DICTIONARY_SHA256 } from '../chain/frame-dictionary.ts';
import {
  formatGenesis,
  isOfOtherFormat,
  genesisMessage,
  isGenesisSigned,
  namesItsKey,
} from '../chain/genesis.ts';
import { isContinuationSound } from '../chain/continuation.ts';
import { genesisKey } from '../chain/layout.ts';
import type { Signer } from '../keys/signer.ts';
import type { LedgerOptions } from './options.ts';

export interface NewLog extends Pick<LedgerOptions, 'log' | 'lockFor'> {
  readonly archive: Archive;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Promises that verification holds every lock of the log to. */
  readonly policy: LogPolicy;
  /** Verifier key of the head log that names this log; absent for the head log itself. */
  readonly headLog?: string | undefined;
  /** Verifier key that signs evidence packages about the log; absent for the head log. */
  readonly packageKey?: string | undefined;
  /** The log that this one continues under new keys. */
  readonly continues?: Continuation | undefined;
  /** @default false */
  readonly isSynthetic?: boolean;
}

/** Writes the first object of a log. The archive refuses to create it twice with other content. */
export async function createLog({
  log,
  archive,
  signer,
  clock,
  lockFor,
  policy,
  headLog,
  packageKey,
  continues,
  isSynthetic = false,
}: NewLog) {
  const nowMs = clock();
  const genesis = {
    v: 1 as const,
    origin: signer.name,
    vkey: signer.vkey,
    created_at: toInstant(nowMs),
    synthetic: isSynthetic,
    policy,
    frame_dictionary: FRAME_DICTIONARY_SHA256,
    ...(packageKey === undefined ? {} : { package_key: packageKey }),
    ...(headLog === undefined ? {} : { head_log: headLog }),
    ...(continues === undefined ? {} : { continues }),
    lock: lockFor('proof', nowMs),
  };
  const signature = Buffer.from(await signer.sign(genesisMessage(genesis))).toString('base64');
  await archive.put(genesisKey(log), formatGenesis({ ...genesis, signature }), genesis.lock);
}

/** As `readGenesis`; throws START_REFUSED where there is none. */
export async function requireGenesis(archive: Archive, log: string): Promise<LogGenesis> {
  const genesis = await readGenesis(archive, log);
  if (genesis !== undefined) return genesis;
  throw new PipelineError(
    'START_REFUSED',
    `log ${log} is not in the archive; check that the archive is mounted, or restore it`,
  );
}

/** Undefined without a log. Throws START_REFUSED for a log in another version of the format, and ARCHIVE_DAMAGED where the genesis does not read or its own key did not sign it. */
export async function readGenesis(archive: Archive, log: string): Promise<LogGenesis | undefined> {
  const bytes = await archive.get(genesisKey(log));
  if (bytes === undefined) return undefined;
  const genesis = parse(bytes);
  if (isOfOtherFormat(bytes)) {
    const detail = `log ${log} was begun in another version of the archive's format; use a release that reads it`;
    throw new PipelineError('START_REFUSED', detail);
  }
  const isSound = genesis !== undefined && namesItsKey(genesis) && isContinuationSound(genesis);
  if (isSound && isGenesisSigned(genesis)) return genesis;
  throw new PipelineError(
    'ARCHIVE_DAMAGED',
    `${genesisKey(log)} is not a genesis that the key of the log signed`,
  );
}

function parse(bytes: Uint8Array): LogGenesis | undefined {
  try {
    const genesis = Value.Parse(LogGenesis, JSON.parse(Buffer.from(bytes).toString('utf8')));
    // One spelling, as the verifier asks.
    return formatGenesis(genesis).equals(bytes) ? genesis : undefined;
  } catch {
    return undefined;
  }
}
