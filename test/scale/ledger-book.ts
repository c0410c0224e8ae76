/** What was acknowledged against what is sealed, over all logs. In: acknowledgements and bundles. Out: counts. Pure. */
import { createJudge, type Counts, type Judge, type SealedBundleRead } from '../torture/judge.ts';

export interface LedgerBook {
  acknowledged(event: number): void;
  sealed(log: string, bundle: SealedBundleRead): void;
  /** The judge of one log, for its heads. */
  judgeOf(log: string): Judge;
  falseAlarm(what: string): void;
  /** After everything acknowledged had the time to be sealed: whatever is not is lost. */
  drained(): void;
  counts(): Counts;
  findings(): readonly string[];
}

export function createLedgerBook(): LedgerBook {
  const judges = new Map<string, Judge>();
  const acked = new Set<number>();
  const lost = new Set<number>();
  const homeOf = new Map<number, string>();
  const elsewhere = new Map<number, string>();
  const alarms: string[] = [];

  const judgeOf = (log: string): Judge => {
    const judge = judges.get(log) ?? createJudge();
    judges.set(log, judge);
    return judge;
  };
  return {
    judgeOf,
    acknowledged: (event) => void acked.add(event),
    sealed(log, bundle) {
      judgeOf(log).sealed(bundle);
      for (const event of bundle.events) {
        const home = homeOf.get(event);
        if (home === undefined) homeOf.set(event, log);
        else if (home !== log) elsewhere.set(event, `in ${home} and ${log}`);
      }
    },
    falseAlarm: (what) => void alarms.push(what),
    drained() {
      for (const event of acked) if (!homeOf.has(event)) lost.add(event);
    },
    counts() {
      const all = [...judges.values()].map((judge) => judge.counts());
      const sum = (pick: (counts: Counts) => number) =>
        all.reduce((total, counts) => total + pick(counts), 0);
      return {
        acked: acked.size,
        sealed: homeOf.size,
        lost: lost.size,
        twice: elsewhere.size + sum(({ twice }) => twice),
        forks: sum(({ forks }) => forks),
        false_alarms: alarms.length + sum(({ false_alarms }) => false_alarms),
      };
    },
    findings: () => [
      ...[...lost]
        .slice(0, 5)
        .map((event) => `lost: event ${String(event)} was acknowledged and is in no leaf`),
      ...[...elsewhere].slice(0, 5).map(([event, where]) => `twice: event ${String(event)} ${where}`),
      ...alarms.map((what) => `false alarm: ${what}`),
      ...[...judges].flatMap(([log, judge]) => judge.findings().map((finding) => `${log}: ${finding}`)),
    ],
  };
}

/** One line, as `npm run torture` ends with. */
export function describeCounts(book: Pick<LedgerBook, 'counts'>): string {
  return Object.entries(book.counts())
    .map(([name, count]) => `${name}=${String(count)}`)
    .join(' ');
}
