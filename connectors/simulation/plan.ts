import { drawFractions } from './draws.ts';
import type { SessionKind } from './recording.ts';

export interface SimulationOptions {
  readonly seed: string;
  readonly users: number;
  readonly days: number;
  /** Midnight UTC of the first day. */
  readonly startMs: number;
  /** Share of sessions in which something is denied, from 0 to 1. */
  readonly denials: number;
  /** Share of sessions that are an incident, from 0 to 1; the two together are at most 1. */
  readonly incidents: number;
}

export interface SessionPlan {
  readonly user: number;
  /** Distinct for each session of a simulation. */
  readonly session: string;
  readonly startMs: number;
  readonly kind: SessionKind;
  /** Which of the recordings of its kind, as a fraction of the way through them. */
  readonly choice: number;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const FIRST_HOUR = 7;
const WORKING_HOURS = 12;

/** Sessions that one person can begin on one day; each number is as likely as the others. */
export const MAX_SESSIONS_A_DAY = 3;

/** The person, recording and time of each session, in order of time. Only the plan of one day is in memory at once. */
export function* planSessions(options: SimulationOptions): Generator<SessionPlan> {
  for (let day = 0; day < options.days; day += 1) {
    const plans: SessionPlan[] = [];
    for (let user = 0; user < options.users; user += 1) plans.push(...planPersonDay(options, user, day));
    yield* plans.sort((a, b) => a.startMs - b.startMs || a.user - b.user);
  }
}

function planPersonDay(options: SimulationOptions, user: number, day: number): SessionPlan[] {
  const count = 1 + Math.floor(drawFractions(options.seed, 'day', user, day)(0) * MAX_SESSIONS_A_DAY);
  return Array.from({ length: count }, (_, number) => {
    const draw = drawFractions(options.seed, 'session', user, day, number);
    const sinceMidnight = Math.floor((FIRST_HOUR + draw(0) * WORKING_HOURS) * HOUR_MS);
    return {
      user,
      session: `${String(user)}/${String(day)}/${String(number)}`,
      startMs: options.startMs + day * DAY_MS + sinceMidnight,
      kind: toKind(options, draw(1)),
      choice: draw(2),
    };
  });
}

function toKind({ denials, incidents }: SimulationOptions, fraction: number): SessionKind {
  if (fraction < denials) return 'denied';
  return fraction < denials + incidents ? 'incident' : 'ordinary';
}
