/**
 * Makes a sealed log through the real ledger, without receivers, event log and sequencer. In: numbers and a seed. Out: a
 * data folder that verifies and that `serve` goes on with.
 */
import type { Config } from '../../config.ts';
import { createContext, SYSTEM, type AppContext } from '../../app/context.ts';
import { initialise, lockPolicy, type Initialised } from '../../app/deployment.ts';
import { CloseStack, openSealingEngines } from '../../app/logs.ts';
import { dataPaths } from '../../app/paths.ts';
import { toInstant } from '../../schemas/clock.ts';
import { openFileHeadGuard } from '../../store/keys/file-head-guard.ts';
import { openFileSigner } from '../../store/keys/file-signer.ts';
import { openLedger, type Ledger } from '../../store/ledger/ledger.ts';
import { createRowsProjection } from '../../store/projections/rows.ts';
import { createTilesProjection } from '../../store/projections/tiles.ts';
import type { DatasetOptions } from './arguments.ts';
import { gatherRows, memoryGuard, quickArchive } from './quick-ports.ts';
import { datasetRecord, seededBytes } from './records.ts';

const DAY_MS = 86_400_000;
/** The log ends so long before now, so that no clock of a later start is behind it. */
const AGE_OF_END_MS = 3_600_000;
/** Rows of one insert. */
const ROWS_PER_INSERT = 20_000;
const SAY_EVERY_MS = 5_000;

export interface Made {
  readonly initialised: Initialised;
  readonly treeSize: number;
  readonly files: number;
  readonly archiveBytes: number;
  readonly sealingSeconds: number;
}

/** Throws an Error where the folder holds a deployment. */
export async function makeDataset(
  config: Config,
  options: DatasetOptions,
  say: (text: string) => void,
): Promise<Made> {
  const endMs = SYSTEM.clock() - AGE_OF_END_MS;
  const spanMs = options.days * DAY_MS;
  let nowMs = endMs - spanMs;
  const context = createContext(config, { clock: () => nowMs });
  const initialised = await initialise(context);
  if (initialised.created === undefined) throw new Error(`${config.data} holds a deployment already`);
  const stack = new CloseStack();
  try {
    const from = performance.now();
    const { ledger, finish } = await openQuickLedger(context, options, stack);
    const report = createReport(options, say);
    for (let bundle = 0; bundle < options.bundles; bundle += 1) {
      const start = ledger.treeSize();
      const end = Math.floor(((bundle + 1) * options.records) / options.bundles);
      const receivedMs = endMs - spanMs + Math.floor((spanMs * start) / options.records);
      nowMs = receivedMs;
      const receivedAt = toInstant(receivedMs);
      const records = Array.from({ length: end - start }, (_, n) =>
        datasetRecord(options.seed, start + n, receivedAt),
      );
      // These records came through no event log, so serving begins at the first offset of an empty one.
      await ledger.append({ records, next_offset: 0n, duplicate_count: 0 });
      report(ledger.treeSize());
    }
    const written = await finish();
    const sealing = (performance.now() - from) / 1000;
    const { files, bytes: archiveBytes } = written;
    return { initialised, treeSize: ledger.treeSize(), files, archiveBytes, sealingSeconds: sealing };
  } finally {
    await stack.close();
  }
}

async function openQuickLedger(
  context: AppContext,
  { seed }: DatasetOptions,
  stack: CloseStack,
): Promise<{ ledger: Ledger; finish: () => Promise<{ files: number; bytes: number }> }> {
  const { config, system } = context;
  const paths = dataPaths(config);
  const engines = await openSealingEngines(context, stack);
  const [deployed] = engines.deployment.logs;
  if (deployed === undefined) throw new Error('the deployment has no log');
  const archive = quickArchive(paths.archive, engines.archive);
  const records = gatherRows(engines.records, ROWS_PER_INSERT);
  const guard = memoryGuard();
  const ledger = await openLedger({
    log: deployed.log,
    archive,
    dataKeys: engines.dataKeys,
    projections: [createRowsProjection(records), createTilesProjection({ log: deployed.log, archive })],
    guard,
    signer: await openFileSigner(paths.signingKey, deployed.origin),
    clock: system.clock,
    randomBytes: seededBytes(seed),
    lockFor: lockPolicy(config),
  });
  const finish = async () => {
    // Waits until the last bundle is published.
    await (
      await ledger.append({ records: [], next_offset: 0n, duplicate_count: 0 })
    ).published;
    await records.flush();
    const head = await guard.latest(deployed.origin);
    if (head !== undefined) await (await openFileHeadGuard(paths.headGuard)).advance(deployed.origin, head);
    return archive.written();
  };
  return { ledger, finish };
}

function createReport({ records }: DatasetOptions, say: (text: string) => void): (done: number) => void {
  const from = performance.now();
  let saidMs = from;
  return (done) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < SAY_EVERY_MS) return;
    saidMs = nowMs;
    const rate = Math.round((done / (nowMs - from)) * 1000);
    say(`${done} of ${records} records, ${rate} a second`);
  };
}
