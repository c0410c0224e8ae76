/** Rounds of strikes under load. After each one everything settles and is judged. */
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { describeCounts } from '../scale/ledger-book.ts';
import { createRandom, type Random } from '../torture/random.ts';
import type { ChaosArguments } from './arguments.ts';
import type { Ground } from './ground.ts';
import type { TimeSpan } from './stalls.ts';
import type { BadPartition } from './bad-partition.ts';
import { STRIKES, type Strike } from './strikes.ts';
import { createTally, type Tally } from './tally.ts';

/** Bucket and rows are verified as a whole after so many rounds. */
const ROUNDS_PER_VERIFICATION = 10;
const SECOND_STRIKE_SHARE = 0.4;

/** For `--sabotage`: as if a receiver had acknowledged an event and lost it. */
const NEVER_SENT = -1;

type Say = (text: string) => void;

/** Resolves whether nothing is wrong; prints the counts. Ends at the first round after which something is. */
export async function runRounds(ground: Ground, given: ChaosArguments, say: Say): Promise<boolean> {
  const { book, seats } = ground.field;
  const random = createRandom(given.seed);
  const draw = createDeck(
    STRIKES.filter(({ name }) => name.includes(given.only)),
    random,
  );
  const tally = createTally();
  if (given.sabotage) book.acknowledged(NEVER_SENT);
  for (let round = 1; round <= given.rounds; round += 1) {
    const isLast = round === given.rounds;
    const strikes = draw();
    const text = await playRound(ground, tally, {
      ...{ round, strikes, random },
      isQuick: round % ROUNDS_PER_VERIFICATION !== 0 && !isLast,
    });
    say(`round ${String(round)}/${String(given.rounds)} ${text}`);
    if (!tally.isWell(book.counts())) break;
  }
  for (const finding of book.findings()) say(finding);
  if (given.verbose) for (const { name, process } of seats) say(`${name}: ${process.stderr()}`);
  process.stdout.write(tally.describe(describeCounts(book)));
  return tally.isWell(book.counts());
}

interface Round {
  readonly round: number;
  readonly strikes: readonly Strike[];
  readonly random: Random;
  readonly isQuick: boolean;
}

async function playRound(ground: Ground, tally: Tally, given: Round): Promise<string> {
  const { field, deployment, stalls } = ground;
  const names = given.strikes.map(({ name }) => name);
  const { span, bad } = await strikeUnderLoad(ground, given);
  const fromMs = performance.now();
  await field.judge({ isQuick: given.isQuick }).catch((error: unknown) => {
    field.book.falseAlarm(error instanceof Error ? error.message : String(error));
  });
  const settledMs = performance.now() - fromMs;
  const healthy = [...deployment.vkeys.keys()].filter((log) => log !== bad?.log);
  const longestMs = (during: TimeSpan): number =>
    Math.max(...healthy.map((log) => stalls.longestMs(log, during)));
  const stallMs = longestMs(bad?.span ?? span);
  const calmStallMs = bad === undefined ? undefined : longestMs(bad.calm);
  tally.note({ strikes: names, stallMs, calmStallMs, bad });
  return `${names.join(' and ')}: ${describeCounts(field.book)} ${figuresOf({ stallMs, calmStallMs, settledMs })}`;
}

function figuresOf(
  times: Readonly<Record<'stallMs' | 'settledMs', number>> & { calmStallMs?: number | undefined },
): string {
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  const calm = times.calmStallMs === undefined ? '' : ` calm_stall_s=${seconds(times.calmStallMs)}`;
  return `stall_s=${seconds(times.stallMs)}${calm} settled_s=${seconds(times.settledMs)} load=${(loadavg()[0] ?? 0).toFixed(1)}`;
}

interface Struck {
  /** From the beginning of the first strike to the end of the last. */
  readonly span: TimeSpan;
  readonly bad: BadPartition | undefined;
}

async function strikeUnderLoad(ground: Ground, { round, strikes, random }: Round): Promise<Struck> {
  const load = ground.field.load(round);
  await delay(random.whole(500, 1_500));
  const fromMs = performance.now();
  const results = await Promise.all(strikes.map((strike) => strike.run(ground, random)));
  const toMs = performance.now();
  await delay(random.whole(500, 1_500));
  await load.stop();
  return { span: { fromMs, toMs }, bad: results.find((result) => result !== undefined) };
}

/** Every strike comes before one comes again; some bring another one with them, which strikes something else. */
function createDeck(all: readonly Strike[], random: Random): () => readonly Strike[] {
  let deck: Strike[] = [];
  const next = (): Strike => {
    if (deck.length === 0) deck = random.shuffle(all);
    const strike = deck.pop();
    if (strike === undefined) throw new Error('no strike has such a name');
    return strike;
  };
  return () => {
    const first = next();
    if (first.isAlone === true || !random.chance(SECOND_STRIKE_SHARE)) return [first];
    const others = all.filter(({ target, isAlone }) => target !== first.target && isAlone !== true);
    return [first, ...random.shuffle(others).slice(0, 1)];
  };
}
