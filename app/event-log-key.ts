/**
 * The key with which receivers and the program itself MAC the entries of the event log, and with which sequencers read
 * them. It counts once `deployment.json` names its digest.
 */
import type { AppContext } from './context.ts';
import { amendDeployment, readDeployment } from './deployment-file.ts';
import { dataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import { toFrameKey, type FrameKey } from '../ingest/frame-key.ts';
import { PipelineError } from '../schemas/errors.ts';
import { createSecretFile, readSecretFile } from '../store/keys/secret-file.ts';

const KEY_BYTES = 32;

export interface EventLogKey {
  readonly key: FrameKey;
  /** Whether an older version appended entries without a number to the event log. */
  readonly hadUnnumbered: boolean;
}

type KeyContext = Pick<AppContext, 'config' | 'system' | 'logger'>;

/** Makes the key if it is missing. Returns its digest. */
export async function makeEventLogKey({
  config,
  system,
}: Pick<KeyContext, 'config' | 'system'>): Promise<string> {
  const { eventLogKey: path } = dataPaths(config);
  // Several processes may make it at once; the one that is there first counts.
  await createSecretFile(path, system.randomBytes(KEY_BYTES));
  return toFrameKey(await requireFile(path)).sha256;
}

/**
 * Gives a deployment of an older version the key. From the first numbered entry of a log on, entries without a number are
 * dead letters: every process that appends must have the key then. Resolves with whether the deployment got it now. Where
 * the keys folder cannot be written, as in a container that mounts it read-only, nothing changes and the log says so.
 */
export async function commitToEventLogKey({ config, system, logger }: KeyContext): Promise<boolean> {
  const deployment = await readDeployment(config);
  if (deployment === undefined || deployment.event_log_key_sha256 !== undefined) return false;
  try {
    const event_log_key_sha256 = await makeEventLogKey({ config, system });
    await amendDeployment(config, { event_log_key_sha256, had_unnumbered_entries: true });
    return true;
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    logger.warn(
      { path: dataPaths(config).eventLogKey, code: (error as NodeJS.ErrnoException).code },
      'the event log key cannot be made, so entries of the event log get no numbers; `affidavit init` makes it',
    );
    return false;
  }
}

/**
 * The key of this deployment; undefined in one of an older version. Throws START_REFUSED where the file is missing, and
 * where it is not the key that the deployment names: with another key every entry that waits would look forged.
 */
export async function readEventLogKey(config: Config): Promise<EventLogKey | undefined> {
  const deployment = await readDeployment(config);
  const named = deployment?.event_log_key_sha256;
  if (named === undefined) return undefined;
  const path = dataPaths(config).eventLogKey;
  const key = toFrameKey(await requireFile(path));
  if (key.sha256 === named) return { key, hadUnnumbered: deployment?.had_unnumbered_entries === true };
  throw new PipelineError(
    'START_REFUSED',
    `${path} is not the event log key of this deployment; acknowledged entries would look forged. Restore it from the backup`,
  );
}

async function requireFile(path: string): Promise<Uint8Array> {
  const bytes = await readSecretFile(path);
  if (bytes !== undefined) return bytes;
  throw new PipelineError('START_REFUSED', `${path} is missing; restore it from the backup`);
}
