/** A deployment with its processes, what is sent to it, and what is known of it. */
import { freePort } from '../support/free-port.ts';
import { untilSealed, type RoleName, type RoleProcess, type ScaleOut } from '../support/scale-out.ts';
import { ADMIN_TOKEN } from '../support/server.ts';
import { openHead } from '../torture/archive-reader.ts';
import {
  createClientMemory,
  startLoad,
  type ClientMemory,
  type LoadOptions,
  type RunningLoad,
} from '../torture/client.ts';
import { openBucketReader, type BucketReader } from './bucket-reader.ts';
import { createLedgerBook, type LedgerBook } from './ledger-book.ts';
import { countRows, verifyBucket } from './verdict.ts';

/** Numbers of events of one receiver; those of another begin far behind. */
const EVENTS_APART = 1_000_000_000;
const CONNECTIONS = 6;
const FILLER_LENGTH = 400;
const SEAL_DEADLINE_MS = 5 * 60_000;

/** One process of the deployment, whoever sits there at the moment. */
export interface Seat {
  readonly role: RoleName;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  process: RoleProcess;
  /** It is being ended on purpose. */
  isStruck: boolean;
}

export interface Field {
  readonly deployment: ScaleOut;
  readonly seats: readonly Seat[];
  readonly book: LedgerBook;
  /** Sends to all receivers until it is stopped. */
  load(seed: number): RunningLoad;
  /** Ends a process by a signal, and starts it again. */
  restart(seat: Seat, signal: NodeJS.Signals, beforeStart?: () => Promise<unknown>): Promise<void>;
  /** Lets everything settle and compares it with what was acknowledged. */
  judge(options?: JudgeOptions): Promise<void>;
  close(): Promise<void>;
}

export interface JudgeOptions {
  readonly onLag?: (envelopes: number) => void;
  /** Reads what was sealed and the heads; bucket and rows are not verified as a whole. @default false */
  readonly isQuick?: boolean;
}

/** Sees what the book sees. */
export type Witness = Pick<LedgerBook, 'acknowledged' | 'sealed'>;

export interface FieldOptions {
  readonly ingest: number;
  readonly sequencers: number;
  /** Environment of a sequencer beside that of the deployment, by its number. */
  readonly sequencerEnv?: (n: number) => Readonly<Record<string, string>>;
  readonly witness?: Witness;
  /** Of the load to each receiver. @default 6 */
  readonly connections?: number;
}

export async function openField(deployment: ScaleOut, options: FieldOptions): Promise<Field> {
  const book = createLedgerBook();
  const { witness, connections = CONNECTIONS } = options;
  const onAck = {
    acknowledged(event: number): void {
      book.acknowledged(event);
      witness?.acknowledged(event);
    },
    falseAlarm: (what: string): void => book.falseAlarm(what),
  };
  const reader = openBucketReader(deployment);
  const seats = await fillSeats(deployment, options, book);
  const memories = new Map<Seat, ClientMemory>();
  for (const [n, seat] of seats.filter(({ role }) => role === 'ingest').entries()) {
    memories.set(seat, { ...createClientMemory(), nextEvent: n * EVENTS_APART });
  }
  return {
    ...{ deployment, seats, book },
    load: (seed) =>
      joinLoads(
        [...memories].map(([seat, memory], n) =>
          sendTo(seat, { memory, judge: onAck, seed: seed * 1_000 + n, connections }),
        ),
      ),
    async restart(seat, signal, beforeStart) {
      seat.isStruck = true;
      await seat.process.stop(signal);
      await beforeStart?.();
      seat.process = await deployment.start(seat.role, seat.name, seat.env);
      seat.isStruck = false;
      watch(seat, book);
    },
    judge: (asked) => judge({ deployment, seats, book, reader, witness }, asked),
    async close() {
      for (const found of reader.tampering()) book.falseAlarm(found);
      await reader.close();
    },
  };
}

async function fillSeats(
  deployment: ScaleOut,
  { ingest, sequencers, sequencerEnv = () => ({}) }: FieldOptions,
  book: LedgerBook,
): Promise<Seat[]> {
  const sit = async (role: RoleName, name: string, env: Readonly<Record<string, string>>): Promise<Seat> => {
    const seat = { role, name, env, process: await deployment.start(role, name, env), isStruck: false };
    watch(seat, book);
    return seat;
  };
  const receivers = Array.from({ length: ingest }, async (_, n) =>
    // Clients come back to the address that they know.
    sit('ingest', `ingest-${String(n)}`, { AFFIDAVIT_INGEST_PORT: String(await freePort()) }),
  );
  const sealers = Array.from({ length: sequencers }, (_, n) =>
    sit('sequence', `sequence-${String(n)}`, sequencerEnv(n)),
  );
  return Promise.all([...receivers, ...sealers, sit('api', 'api', {})]);
}

/** A process that ends without having been struck is an alarm for nothing. */
function watch(seat: Seat, book: LedgerBook): void {
  const watched = seat.process;
  void watched.exited.then((code) => {
    if (seat.isStruck || watched.process.signalCode === 'SIGKILL') return;
    book.falseAlarm(`${seat.name} ended with ${String(code)}: ${watched.stderr().slice(-1_000)}`);
  });
}

function sendTo(
  seat: Seat,
  load: Pick<LoadOptions, 'memory' | 'judge' | 'seed' | 'connections'>,
): RunningLoad {
  return startLoad({ ...load, port: Number(seat.env['AFFIDAVIT_INGEST_PORT']), fillerLength: FILLER_LENGTH });
}

function joinLoads(loads: readonly RunningLoad[]): RunningLoad {
  return {
    firstAck: Promise.race(loads.map(({ firstAck }) => firstAck)),
    async stop() {
      await Promise.all(loads.map((load) => load.stop()));
    },
  };
}

interface Judged {
  readonly deployment: ScaleOut;
  readonly seats: readonly Seat[];
  readonly book: LedgerBook;
  readonly reader: BucketReader;
  readonly witness: Witness | undefined;
}

async function judge(
  { deployment, seats, book, reader, witness }: Judged,
  { onLag, isQuick = false }: JudgeOptions = {},
): Promise<void> {
  const sequencers = seats.filter(({ role }) => role === 'sequence').map(({ process }) => process);
  await untilSealed(sequencers, SEAL_DEADLINE_MS, onLag);
  for (const log of deployment.vkeys.keys()) {
    for await (const bundle of reader.newBundles(log)) {
      book.sealed(log, bundle);
      witness?.sealed(log, bundle);
    }
    await seeHead({ deployment, seats, book }, log);
    book.judgeOf(log).checkHeads(undefined);
  }
  book.drained();
  if (isQuick) return;
  const report = await verifyBucket(deployment);
  if (!report.ok) book.falseAlarm(`verify: ${JSON.stringify(report.failures.slice(0, 5))}`);
  for (const { log, row_count, id_count, next_index } of await countRows(deployment)) {
    const size = book.judgeOf(log).treeSize();
    if (row_count === size && id_count === size && next_index === size) continue;
    book.falseAlarm(
      `${log} has ${String(size)} leaves and ${String(row_count)} rows of ${String(id_count)} ids`,
    );
  }
}

/** What an outsider is shown now must be on the log for ever. */
async function seeHead(
  { deployment, seats, book }: Omit<Judged, 'reader' | 'witness'>,
  log: string,
): Promise<void> {
  const api = seats.find(({ role }) => role === 'api')?.process.apiUrl ?? '';
  const answer = await fetch(`${api}/v1/log/checkpoint?log=${log}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  const note = await answer.text();
  if (answer.status === 404) return;
  if (answer.status === 200) book.judgeOf(log).saw(openHead(note, deployment.vkeys.get(log)));
  else book.falseAlarm(`checkpoint of ${log}: ${String(answer.status)} ${note}`);
}
