/**
 * Holes in the event counters of telemetry. In: the numbers of sessions as the record store groups them. Out: the
 * numbers that a process gave out and that no record carries. Pure. docs/formats/completeness.md states the rule in
 * words.
 *
 * A counter belongs to a process, not to a session: it begins at 0 with each process. A process that continues an older
 * session reports its start under a provisional session id and takes up the older id with the next number. Records lost
 * at the end of a process leave no hole, because no number follows them.
 */
import type { Interval } from '../../store/records/queries/instants.ts';
import type { SessionCounter } from '../../store/records/queries/session-counters.ts';
import { groupBy } from './group-by.ts';
import { missingNumbers, type NumberSpan } from './sequence-counts.ts';
import { beginsRun, compareText, jumpsOf, startsOf, type Jump, type Starts } from './sequence-starts.ts';

/** The version rises with every change of the rule or its query after which the same records can give other holes. */
export const SEQUENCE_RULE = { id: 'sequence-gaps', version: 1 } as const;

/** Numbers [missing_from, missing_to] that a telemetry process gave out and that no record carries. */
export interface SequenceGap {
  readonly session_id: string;
  readonly install_id: string;
  readonly missing_from: number;
  readonly missing_to: number;
  /** When the first record behind the hole was received. */
  readonly noticed_at: string;
}

/** Holes of the sessions asked for, by session, time and number. A hole belongs to the period of its `noticed_at`. */
export function sequenceGaps(
  sessions: readonly SessionCounter[],
  { from, to }: Interval = {},
): SequenceGap[] {
  const fromMs = from === undefined ? -Infinity : Date.parse(from);
  const toMs = to === undefined ? Infinity : Date.parse(to);
  const isInPeriod = ({ noticed_at }: SequenceGap): boolean => {
    const noticedMs = Date.parse(noticed_at);
    return fromMs <= noticedMs && noticedMs < toMs;
  };
  const machines = [...groupBy(sessions, ({ install_id }) => install_id).values()];
  return machines.flatMap(gapsOfMachine).filter(isInPeriod).sort(bySessionAndTime);
}

function gapsOfMachine(sessions: readonly SessionCounter[]): SequenceGap[] {
  const starts = startsOf(sessions);
  const asked = sessions.filter(({ is_asked }) => is_asked);
  return asked.flatMap((session) => {
    const { session_id, install_id } = session;
    return holesOf(session, starts).map(({ first, last, received_at }) => ({
      session_id,
      install_id,
      missing_from: first,
      missing_to: last,
      noticed_at: received_at,
    }));
  });
}

/** Missing numbers of one session, each hole with the receipt of the first record behind it. */
function holesOf(session: SessionCounter, starts: Starts): NumberSpan[] {
  const jumps = jumpsOf(session);
  const continued = jumps.filter((jump) => starts.explains(jump));
  const isContinued = new Set(continued);
  const unexplained = jumps
    .filter((jump) => !isContinued.has(jump))
    .map((jump) => ({ jump, reached: starts.reachedBefore(jump) }));
  const hasStrayRun = unexplained.some(({ jump, reached }) => jump.beginsRun && reached === -1);
  if (hasStrayRun && runCount(session) > 1)
    return missingNumbers([...session.stretches, ...countedElsewhere(continued)]);
  return withoutRepeats(
    unexplained.map(({ jump, reached }) => ({
      first: Math.max(jump.expected, reached + 1),
      last: jump.number - 1,
      received_at: jump.receivedAt,
    })),
  );
}

function runCount({ stretches }: SessionCounter): number {
  return stretches.filter((stretch, place) => beginsRun(stretch, stretches[place - 1])).length;
}

/** Numbers that the processes of these jumps spent under the provisional ids of their starts. */
function countedElsewhere(continued: readonly Jump[]): NumberSpan[] {
  return continued.map(({ number, receivedAt }) => ({ first: 0, last: number - 1, received_at: receivedAt }));
}

/** Holes that begin with the same number and were noticed at the same time count once, to the larger last number. */
function withoutRepeats(holes: readonly NumberSpan[]): NumberSpan[] {
  const groups = groupBy(holes, ({ first, received_at }) => `${first} ${received_at}`);
  return [...groups.values()].map((group) => group.reduce((a, b) => (b.last > a.last ? b : a)));
}

function bySessionAndTime(a: SequenceGap, b: SequenceGap): number {
  return (
    compareText(a.session_id, b.session_id) ||
    compareText(a.noticed_at, b.noticed_at) ||
    a.missing_from - b.missing_from
  );
}
