/** Begins a history, once and only when asked: makes keys, tokens, topics, tables and logs. */
import { existsSync } from 'node:fs';
import { findEventLog } from './accepted-event-log.ts';
import { probeAtStart } from './checks.ts';
import type { AppContext } from './context.ts';
import {
  commitToPseudonymKey,
  partitionCountOf,
  readDeployment,
  readPseudonymKey,
  writeDeployment,
  type DeployedLog,
  type Deployment,
} from './deployment-file.ts';
import { openArchive, openKafka, openRecords } from './engines.ts';
import { commitToEventLogKey, makeEventLogKey, readEventLogKey } from './event-log-key.ts';
import { closeToOthers } from './folder-modes.ts';
import { requireNoKeyChange } from './key-change.ts';
import { initConfiguredKeyStore } from './key-store.ts';
import { dataPaths, headLogOrigin, logOf, type DataPaths } from './paths.ts';
import type { Config } from '../config.ts';
import type { LogGenesis, LogPolicy } from '../schemas/bundle.ts';
import type { RetentionClass } from '../schemas/retention.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { HEAD_LOG } from '../schemas/head-entry.ts';
import { OWN_COLLECTOR } from '../schemas/native-event.ts';
import type { Archive } from '../store/archive/archive.ts';
import { packageKeyName } from '../store/chain/key-history.ts';
import { bundlePrefix, genesisKey } from '../store/chain/layout.ts';
import { createSigningKey, openFileSigner } from '../store/keys/file-signer.ts';
import { makeSecretFolder, writeSecretFile } from '../store/keys/secret-file.ts';
import { readTokens, toTokenEntry, writeTokens } from '../store/keys/tokens.ts';
import type { LedgerOptions } from '../store/ledger/options.ts';

const DAY_MS = 86_400_000;
const TOKEN_BYTES = 32;
const PSEUDONYM_KEY_BYTES = 32;

/** Tokens in clear, to be shown once; undefined if the operator chose the token and knows it. */
export interface GeneratedTokens {
  readonly admin: string | undefined;
  readonly collector: string | undefined;
}

export interface Initialised {
  readonly deployment: Deployment;
  /** Undefined if the deployment had tokens already. */
  readonly created: GeneratedTokens | undefined;
  /** Whether a deployment of an older version got its event log key now. */
  readonly madeEventLogKey: boolean;
}

/**
 * Makes every missing part and writes `deployment.json` last, so that the next start completes one that was cut short.
 * Refuses to make new keys beside an archive that already holds a log: they would begin a second history. In a complete
 * deployment it makes new tokens where the file of the tokens is lost.
 *
 * @param options.isSynthetic whether the logs say for good that nothing in them is evidence; CONFIG_INVALID where they exist
 */
export async function initialise(
  context: AppContext,
  { isSynthetic = false }: { readonly isSynthetic?: boolean | undefined } = {},
): Promise<Initialised> {
  const { config, replaced } = context;
  const paths = dataPaths(config);
  const existing = await readDeployment(config);
  if (existing !== undefined) {
    if (isSynthetic)
      throw new PipelineError(
        'CONFIG_INVALID',
        'the logs exist already: only a new log can be marked as synthetic',
      );
    await requireSound(context, existing);
    await commitToPseudonymKey(context);
    const madeEventLogKey = await commitToEventLogKey(context);
    const created =
      (await readTokens(paths.tokens)) === undefined ? createTokens(context, paths.tokens) : undefined;
    return { deployment: existing, created: await created, madeEventLogKey };
  }
  await makeSecretFolder(config.data);
  await closeToOthers(context);
  await probeAtStart(context);
  const archive = replaced.archive ?? (await openArchive(context));
  try {
    await requireNothingSealed(paths, archive, config);
    await makeKeys(paths, archive, context);
    if (replaced.dataKeys === undefined) await initConfiguredKeyStore(context);
    const created = await createTokens(context, paths.tokens);
    if (config.kafka.brokers !== undefined) await createTopics(context);
    // The tables of a server are made here, because other processes may have the right to read alone.
    if (config.clickhouse.url !== undefined) await (await openRecords(context)).close();
    const event_log_key_sha256 = await makeEventLogKey(context);
    const event_log = await findEventLog(context);
    const named = { event_log_key_sha256, ...(event_log === undefined ? {} : { event_log }) };
    return {
      deployment: await createLogs(context, archive, { ...named, isSynthetic }),
      created,
      madeEventLogKey: false,
    };
  } finally {
    if (replaced.archive === undefined) await archive.close();
  }
}

/** Asks of an existing deployment what a start asks: its keys, and a log of them in the archive. */
async function requireSound(context: AppContext, { logs }: Deployment): Promise<void> {
  const { config, replaced } = context;
  requireNoKeyChange(config);
  await readPseudonymKey(config);
  await readEventLogKey(config);
  const { checkLogKey } = await import('../store/ledger/recovery.ts');
  const archive = replaced.archive ?? (await openArchive(context));
  try {
    for (const { log, origin } of logs) {
      await checkLogKey({
        archive,
        log,
        signer: await openFileSigner(dataPaths(config).signingKey, origin),
      });
    }
  } finally {
    if (replaced.archive === undefined) await archive.close();
  }
}

/**
 * The deployment file is there before anything is sealed, so a log with a bundle has lost it. A new one would accept
 * whatever keys and event log are there.
 */
async function requireNothingSealed(paths: DataPaths, archive: Archive, config: Config): Promise<void> {
  for (let partition = 0; partition < partitionCountOf(config); partition += 1) {
    const log = logOf(partition);
    for await (const key of archive.list(bundlePrefix(log))) {
      throw new PipelineError(
        'START_REFUSED',
        `${config.s3.bucket ?? paths.archive} holds sealed records (${key}), but ${paths.deployment} is missing; restore keys/ from the backup`,
      );
    }
  }
}

/** The keys are made before the head log, and that before the others: a log without one of the keys has lost it. */
async function makeKeys(paths: DataPaths, archive: Archive, { config, system }: AppContext): Promise<void> {
  const missing = [paths.signingKey, paths.packageKey, paths.pseudonymKey].filter(
    (path) => !existsSync(path),
  );
  if (missing.length > 0 && (await archive.get(genesisKey(HEAD_LOG))) !== undefined) {
    throw new PipelineError(
      'START_REFUSED',
      `${config.s3.bucket ?? paths.archive} holds a log, but its keys are not in ${paths.keys}; restore them from the backup`,
    );
  }
  for (const path of [paths.signingKey, paths.packageKey])
    if (missing.includes(path)) await createSigningKey(path);
  if (missing.includes(paths.pseudonymKey)) {
    await writeSecretFile(paths.pseudonymKey, system.randomBytes(PSEUDONYM_KEY_BYTES));
  }
}

async function createTopics(context: AppContext): Promise<void> {
  const eventLog = await openKafka(context, { mayCreateTopics: true });
  await eventLog.close();
}

/** Adds a collector and returns its token. A running server knows the token after its next start. */
export async function addCollector({ config, system }: AppContext, id: string): Promise<string> {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(id)) {
    throw new PipelineError(
      'USAGE_INVALID',
      `collector name ${JSON.stringify(id)} may have only a-z, 0-9, ".", "_" and "-"`,
    );
  }
  const { tokens: path } = dataPaths(config);
  const known = (await readTokens(path)) ?? [];
  if (id === OWN_COLLECTOR || known.some((entry) => entry.id === id)) {
    throw new PipelineError('USAGE_INVALID', `a credential named ${id} exists already`, {
      hint: 'its token was shown once; choose another name for a new collector',
    });
  }
  const token = system.randomBytes(TOKEN_BYTES).toString('base64url');
  await writeTokens(path, [...known, toTokenEntry(id, 'collector', token)]);
  return token;
}

async function createTokens({ config, system }: AppContext, path: string): Promise<GeneratedTokens> {
  const generate = (given: string | undefined) =>
    given === undefined ? system.randomBytes(TOKEN_BYTES).toString('base64url') : undefined;
  const admin = generate(config.admin_token);
  const collector = generate(config.collector_token);
  await writeTokens(path, [
    toTokenEntry('admin', 'admin', config.admin_token ?? admin ?? ''),
    toTokenEntry('collector', 'collector', config.collector_token ?? collector ?? ''),
  ]);
  return { admin, collector };
}

async function createLogs(
  { config, system }: AppContext,
  archive: Archive,
  {
    isSynthetic,
    ...named
  }: {
    readonly isSynthetic: boolean;
    readonly event_log?: string;
    readonly event_log_key_sha256: string;
  },
): Promise<Deployment> {
  const { createLog } = await import('../store/ledger/genesis.ts');
  const { clock, newId } = system;
  const paths = dataPaths(config);
  const count = partitionCountOf(config);
  const begun = (await earlierGenesis(archive, HEAD_LOG))?.origin.replace(/\/heads$/, '/p0');
  const base =
    (await earlierGenesis(archive, logOf(0)))?.origin ??
    config.origin ??
    begun ??
    `affidavit.invalid/${newId()}/p0`;
  const headLog = await createHeadLog({ config, system }, archive, { base, isSynthetic });
  const logs: DeployedLog[] = [];
  for (let partition = 0; partition < count; partition += 1) {
    const log = logOf(partition);
    const origin = partition === 0 && count === 1 ? base : `${base.replace(/\/p0$/, '')}/${log}`;
    logs.push({ log, origin });
    const earlier = await earlierGenesis(archive, log);
    if (earlier !== undefined) {
      requireSameMark(log, earlier, isSynthetic);
      continue;
    }
    const signer = await openFileSigner(paths.signingKey, origin);
    const promises = { lockFor: lockPolicy(config), policy: logPolicy(config) };
    const { vkey: packageKey } = await openFileSigner(paths.packageKey, packageKeyName(origin));
    await createLog({ archive, signer, clock, ...promises, log, headLog, packageKey, isSynthetic });
  }
  return writeDeployment(config, {
    origins: logs.map(({ origin }) => origin),
    created_at: toInstant(clock()),
    ...named,
  });
}

/** Begins the log that names the heads of the others, before them: each genesis names its key, which this answers. */
async function createHeadLog(
  { config, system }: Pick<AppContext, 'config' | 'system'>,
  archive: Archive,
  { base, isSynthetic }: { readonly base: string; readonly isSynthetic: boolean },
): Promise<string> {
  const { createLog } = await import('../store/ledger/genesis.ts');
  const signer = await openFileSigner(dataPaths(config).signingKey, headLogOrigin(base));
  const earlier = await earlierGenesis(archive, HEAD_LOG);
  if (earlier === undefined) {
    const promises = { lockFor: lockPolicy(config), policy: logPolicy(config) };
    await createLog({ archive, signer, clock: system.clock, ...promises, log: HEAD_LOG, isSynthetic });
    return signer.vkey;
  }
  requireSameMark(HEAD_LOG, earlier, isSynthetic);
  if (earlier.vkey === signer.vkey) return signer.vkey;
  const detail = `an earlier init began the head log as ${earlier.origin}, the configuration asks for ${signer.name}`;
  throw new PipelineError('CONFIG_INVALID', detail);
}

/** A start that died after it wrote a genesis is continued with the origin in that genesis. */
async function earlierGenesis(archive: Archive, log: string): Promise<LogGenesis | undefined> {
  const { readGenesis } = await import('../store/ledger/genesis.ts');
  return readGenesis(archive, log);
}

/** Throws CONFIG_INVALID where the log that an earlier `init` began is marked otherwise: a genesis is for good. */
function requireSameMark(log: string, { synthetic }: LogGenesis, isSynthetic: boolean): void {
  if (synthetic === isSynthetic) return;
  const begun = synthetic ? 'as synthetic' : 'as a log of real events';
  throw new PipelineError(
    'CONFIG_INVALID',
    `an earlier init began log ${log} ${begun}; run it in the same way again, or begin in an empty archive`,
  );
}

/** The promises that a new log makes in its genesis, from the configuration of its `init`. */
export function logPolicy({ store, retention }: Pick<Config, 'store' | 'retention'>): LogPolicy {
  const daysOf = (name: RetentionClass) => retention[name].archive_days;
  return {
    lock_mode: store.lock_mode,
    archive_days: {
      admin: daysOf('admin'),
      content: daysOf('content'),
      facts: daysOf('facts'),
      file: daysOf('file'),
      package: daysOf('package'),
      person: daysOf('person'),
      proof: daysOf('proof'),
    },
  };
}

/** How long objects are locked: each as long as its retention class asks. */
export function lockPolicy({ store, retention }: Config): LedgerOptions['lockFor'] {
  return (retentionClass, nowMs) => {
    const { archive_days } = retention[retentionClass];
    return { mode: store.lock_mode, retain_until: toInstant(nowMs + archive_days * DAY_MS) };
  };
}
