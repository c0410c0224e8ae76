/**
 * The plan of a new generation: which logs it begins, under which keys, and what they trust of the logs before. In: the
 * archive before and checkpoints that somebody kept elsewhere. Out: a file in the keys folder. The one invariant: every step
 * of the beginning follows from the plan, so whichever of them was the last one before a crash, the next run goes on.
 */
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { AppContext } from './context.ts';
import type { DeployedLog, Deployment } from './deployment-file.ts';
import { withKeyStore } from './key-store.ts';
import { dataPaths, headLogOrigin, originOfGeneration } from './paths.ts';
import { withPreviousArchive } from './previous-archive.ts';
import { Continuation, WriterHeads, type LogGenesis } from '../schemas/bundle.ts';
import { toInstant } from '../schemas/clock.ts';
import { PipelineError } from '../schemas/errors.ts';
import { DecimalString, InstantUtc } from '../schemas/primitives.ts';
import { parseCheckpoint } from '../store/chain/checkpoint.ts';
import { genesisDigest } from '../store/chain/genesis.ts';
import { packageKeyName } from '../store/chain/key-history.ts';
import { parseNote } from '../store/chain/note.ts';
import { createNextSigningKey, openFileSigner } from '../store/keys/file-signer.ts';
import { readSecretFile, writeSecretFile } from '../store/keys/secret-file.ts';
import type { ArchiveReader } from '../store/verify/archive-reader.ts';
import type { FindKeys } from '../store/verify/framed-payloads.ts';
import { createFindings, type Findings, type KeptCheckpoint } from '../store/verify/report.ts';
import {
  bundleAt,
  verifyTrustedParts,
  type TrustedBundle,
  type TrustedLog,
} from '../store/verify/trusted-part.ts';

/** The word of the operator on the generation before. */
export interface GenerationRequest {
  /** Archive folder, or `s3://BUCKET/PREFIX`. */
  readonly previous: string;
  /** Checkpoints that somebody kept elsewhere before the keys were stolen: one for each log of records. */
  readonly trusted: readonly KeptCheckpoint[];
  /** Short names of the logs of which nobody kept a checkpoint. */
  readonly trustNothingOf: readonly string[];
}

/** Where the trusted bundle stands in the event log. */
const Position = Type.Object(
  {
    next_offset: DecimalString,
    event_log: Type.Optional(Type.String()),
    writers: Type.Optional(WriterHeads),
    /** When the oldest trusted leaf of the bundle was received: whatever came later may be missing. */
    received_at: InstantUtc,
  },
  { additionalProperties: false },
);

const PlannedLog = Type.Object(
  {
    log: Type.String(),
    origin: Type.String(),
    vkey: Type.String(),
    package_key: Type.String(),
    synthetic: Type.Boolean(),
    continues: Continuation,
    /** Absent where nothing is trusted. */
    position: Type.Optional(Position),
  },
  { additionalProperties: false },
);
export type PlannedLog = Static<typeof PlannedLog>;

export const GenerationPlan = Type.Object(
  {
    v: Type.Literal(1),
    generation: Type.Integer({ minimum: 2 }),
    begun_at: InstantUtc,
    head_log: Type.Object({ origin: Type.String(), vkey: Type.String() }),
    /** By partition of the event log. */
    logs: Type.Array(PlannedLog, { minItems: 1 }),
  },
  { additionalProperties: false },
);
export type GenerationPlan = Static<typeof GenerationPlan>;

/** The plan of a beginning that was interrupted. Throws START_REFUSED for a file that does not read as written. */
export async function readPlan({ config }: Pick<AppContext, 'config'>): Promise<GenerationPlan | undefined> {
  const path = dataPaths(config).generationPlan;
  const bytes = await readSecretFile(path);
  if (bytes === undefined) return undefined;
  try {
    return Value.Parse(GenerationPlan, JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    const detail = `${path} is damaged: it is not the plan of a new generation; restore keys/ from the backup`;
    throw new PipelineError('START_REFUSED', detail, { cause });
  }
}

/** Throws START_REFUSED where an interrupted beginning trusts other heads than the request. */
export function requireSameRequest(plan: GenerationPlan, { trusted }: GenerationRequest): void {
  const notes = plan.logs.flatMap(({ continues: { checkpoint } }) => checkpoint ?? []);
  const isSame = notes.length === trusted.length && trusted.every(({ note }) => notes.includes(note));
  if (isSame) return;
  throw new PipelineError('START_REFUSED', 'an interrupted beginning of this generation trusts other heads', {
    hint: 'run the command with the options of the first run',
  });
}

/**
 * Verifies the archive before up to the trusted heads, makes the next keys, and writes the plan. After a crash on the line
 * behind each mark it is true that:
 *  1. keys lie there that nothing names; the next run takes them.
 *  2. the plan is durable. From here on a start refuses to seal, and the next run goes on with this plan.
 * Throws USAGE_INVALID for a request that does not fit the deployment, and START_REFUSED where the archive before does not
 * verify up to a trusted head.
 */
export async function makePlan(
  context: AppContext,
  deployment: Deployment,
  request: GenerationRequest,
): Promise<GenerationPlan> {
  const { config, system } = context;
  const trusted = matchLogs(deployment.logs, request);
  const found = await withFrameKeys(context, (findKeys) =>
    withPreviousArchive(
      () => config,
      request.previous,
      (reader) => readPrevious(reader, { logs: deployment.logs, trusted, findKeys }),
    ),
  );
  const { generationPlan, generationPackageKey, generationSigningKey } = dataPaths(config);
  await createNextSigningKey(generationPackageKey);
  await createNextSigningKey(generationSigningKey); // 1
  const generation = 1 + Math.max(...found.map(({ genesis }) => genesis.continues?.generation ?? 1));
  const first = originOfGeneration(deployment.logs[0]?.origin ?? '', generation);
  const headLog = await openFileSigner(generationSigningKey, headLogOrigin(first));
  const logs: PlannedLog[] = [];
  for (const { named, genesis, note, bundle } of found) {
    const origin = originOfGeneration(named.origin, generation);
    const genesis_sha256 = genesisDigest(genesis);
    logs.push({
      log: named.log,
      origin,
      vkey: (await openFileSigner(generationSigningKey, origin)).vkey,
      package_key: (await openFileSigner(generationPackageKey, packageKeyName(origin))).vkey,
      synthetic: genesis.synthetic,
      continues: {
        generation,
        origin: named.origin,
        genesis_sha256,
        ...(note === undefined ? {} : { checkpoint: note }),
      },
      ...(bundle === undefined ? {} : { position: positionOf(bundle) }),
    });
  }
  const head_log = { origin: headLog.name, vkey: headLog.vkey };
  const plan: GenerationPlan = { v: 1, generation, begun_at: toInstant(system.clock()), head_log, logs };
  await writeSecretFile(generationPlan, `${JSON.stringify(plan, null, 2)}\n`); // 2
  return plan;
}

/** Each log of the deployment with its trusted head, or without one where the operator says so. */
function matchLogs(
  logs: readonly DeployedLog[],
  { trusted, trustNothingOf }: GenerationRequest,
): TrustedLog[] {
  const usage = (detail: string) =>
    new PipelineError('USAGE_INVALID', detail, { hint: 'see `affidavit begin-generation --help`' });
  const names = logs.map(({ log }) => log);
  const heads = new Map<string, KeptCheckpoint>();
  for (const kept of trusted) {
    const note = parseNote(kept.note);
    const origin = note && parseCheckpoint(note.text)?.origin;
    const named = logs.find((one) => one.origin === origin);
    if (named === undefined)
      throw usage(
        `${kept.name} is not a checkpoint of a log of records of this deployment: ${origin ?? 'it names no log'}`,
      );
    if (heads.has(named.log))
      throw usage(`${kept.name} is a second checkpoint of ${named.log}; give one for each log`);
    heads.set(named.log, kept);
  }
  const unknown = trustNothingOf.find((log) => !names.includes(log));
  if (unknown !== undefined) throw usage(`there is no log ${unknown}; the logs are ${names.join(', ')}`);
  return names.map((log) => {
    const head = heads.get(log);
    const isGivenUp = trustNothingOf.includes(log);
    if (head !== undefined && isGivenUp) throw usage(`${log} has a trusted checkpoint and is given up`);
    if (head === undefined && !isGivenUp)
      throw usage(`${log} has no trusted checkpoint: give one with --trusted, or --trust-nothing-of ${log}`);
    return { log, head };
  });
}

/** A log of the archive before, as far as it is trusted. */
interface FoundLog {
  readonly named: DeployedLog;
  readonly genesis: LogGenesis;
  readonly note: string | undefined;
  /** The one at whose end the trusted head lies. */
  readonly bundle: TrustedBundle | undefined;
}

interface PreviousLogs {
  readonly logs: readonly DeployedLog[];
  readonly trusted: readonly TrustedLog[];
  readonly findKeys: FindKeys;
}

async function readPrevious(
  reader: ArchiveReader,
  { logs, trusted, findKeys }: PreviousLogs,
): Promise<FoundLog[]> {
  const findings = createFindings();
  const parts = await verifyTrustedParts(reader, trusted, { findKeys }, findings);
  requireVerified(findings);
  const found: FoundLog[] = [];
  for (const [position, part] of parts.entries()) {
    const named = logs[position];
    const genesis = part.verdict?.found.genesis;
    if (named === undefined || genesis?.origin !== named.origin)
      throw new PipelineError(
        'START_REFUSED',
        `the previous archive holds no log ${named?.origin ?? part.log}`,
        {
          hint: 'name the archive that the logs of this deployment lie in',
        },
      );
    const bundle = part.head === undefined ? undefined : await bundleAt(reader, part);
    if (part.head !== undefined && bundle === undefined)
      throw new PipelineError(
        'START_REFUSED',
        `no bundle of ${part.log} in the previous archive ends at the trusted head of ${String(part.size)} leaves: somebody cut the bundles in another way. Restore the archive from an untouched copy`,
      );
    found.push({ named, genesis, note: part.head?.note, bundle });
  }
  return found;
}

function requireVerified(findings: Findings): void {
  const failures = findings.failures();
  const [first] = failures;
  if (first === undefined) return;
  const detail = `the previous archive does not verify up to the trusted heads, ${String(failures.length)} failures; the first: ${first.code}: ${first.detail}`;
  const hint =
    'restore the previous archive from an untouched copy, trust an older checkpoint, or give up the log with --trust-nothing-of; docs/formats/verification.md explains the codes';
  throw new PipelineError('START_REFUSED', detail, { hint });
}

/**
 * A kept checkpoint covers leaves and no headers, and the thief can sign another header. So the instant comes from the
 * leaves; the place in the event log stands in the header alone.
 */
function positionOf({ header, receivedAt }: TrustedBundle): Static<typeof Position> {
  const { next_offset, event_log, writers } = header;
  return {
    next_offset,
    received_at: receivedAt,
    ...(event_log === undefined ? {} : { event_log }),
    ...(writers === undefined ? {} : { writers }),
  };
}

/** The trusted leaves are compared with their parts, too. */
function withFrameKeys<T>(context: AppContext, run: (findKeys: FindKeys) => Promise<T>): Promise<T> {
  const { dataKeys } = context.replaced;
  return dataKeys === undefined ? withKeyStore(context, run) : run((asked) => dataKeys.find(asked));
}
