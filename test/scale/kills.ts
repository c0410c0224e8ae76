/** Rounds of kill -9 over receivers, sequencers and the broker while requests come in. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ScaleOut } from '../support/scale-out.ts';
import { createRandom, type Random } from '../torture/random.ts';
import type { ScaleArguments } from './arguments.ts';
import { openField, type Field } from './field.ts';
import { describeCounts } from './ledger-book.ts';

/** All is let to settle and judged after so many rounds. */
const ROUNDS_PER_JUDGEMENT = 10;
const BROKER_SHARE = 1 / 6;

/** Resolves whether all counts that must be 0 are; prints them. */
export async function runKills(
  deployment: ScaleOut,
  { rounds, ingest, sequencers, seed, verbose }: ScaleArguments,
  say: (text: string) => void,
): Promise<boolean> {
  const field = await openField(deployment, { ingest, sequencers });
  const { book } = field;
  const random = createRandom(seed);
  const struck = new Map<string, number>();
  for (let round = 1; round <= rounds; round += 1) {
    const load = field.load(round);
    await delay(random.whole(100, 1_200));
    const what = await strike(field, random);
    struck.set(what, (struck.get(what) ?? 0) + 1);
    await delay(random.whole(100, 1_200));
    await load.stop();
    if (round % ROUNDS_PER_JUDGEMENT === 0 || round === rounds) {
      await field.judge((envelopes) => {
        say(`${String(envelopes)} requests not sealed yet`);
      });
    }
    say(`round ${String(round)}/${String(rounds)} ${what}: ${describeCounts(book)}`);
  }
  await field.close();
  for (const finding of book.findings()) say(finding);
  if (verbose) for (const { name, process } of field.seats) say(`${name}: ${process.stderr()}`);
  const kills = [...struck].map(([what, count]) => `${what} ${String(count)}`).join(', ');
  process.stdout.write(`kill -9: ${kills}\n${describeCounts(book)}\n`);
  const { lost, twice, forks, false_alarms } = book.counts();
  return lost + twice + forks + false_alarms === 0;
}

/** The broker one time in six, else any receiver or sequencer; all come back as they were started. */
async function strike(field: Field, random: Random): Promise<string> {
  const { deployment, seats } = field;
  if (random.chance(BROKER_SHARE)) {
    await deployment.broker.kill();
    await delay(random.whole(0, 1_500));
    await deployment.broker.start();
    return 'broker';
  }
  const targets = seats.filter(({ role }) => role !== 'api');
  const seat = targets[random.whole(0, targets.length - 1)];
  if (seat === undefined) return 'nothing';
  await field.restart(seat, 'SIGKILL', () => delay(random.whole(0, 1_000)));
  return seat.role;
}
