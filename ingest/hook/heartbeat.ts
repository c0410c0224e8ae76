import * as fs from 'node:fs';
import { join } from 'node:path';
import { renameIfThere } from './durable-file.ts';
import type { Losses } from './losses.ts';
import type { Sequence } from './sequence.ts';
import type { Entry, HookWorld, Numbered } from './world.ts';

/** Heartbeats carry it. The client is one file without a package, so it is written here. */
export const CLIENT_VERSION = '0.1.0';

const STATE = 'heartbeat';
/** After so long without a new number, no process is left that could take a number of the run. */
const OVER_MS = 10 * 60 * 1000;

/** Replaced as a whole. If it is lost, one heartbeat repeats what an earlier one reported. */
interface HeartbeatState {
  /** When the last heartbeat was made. */
  readonly at_ms: number;
  /** Per run, the last number that an acknowledged heartbeat reported. */
  readonly told: Readonly<Record<string, number>>;
  /** The heartbeat in hand, sent with the same bytes until it is acknowledged, and the numbers it reports. */
  readonly pending: { readonly body: string; readonly told: Readonly<Record<string, number>> } | null;
}

/** How often an auditor can expect heartbeats. Silence can be judged only where a timer sends them. */
export interface HeartbeatSchedule {
  readonly sentBy: 'timer' | 'call';
  readonly intervalMs: number;
}

interface HeartbeatParts {
  readonly folder: string;
  readonly sequence: Sequence;
  readonly losses: Losses;
  readonly list: () => readonly Entry[];
}

export type Heartbeat = ReturnType<typeof openHeartbeat>;

/**
 * Reports the last number of each run to the collector at intervals, so that records alone show gaps. The interval
 * begins with the first call: a heartbeat at once would report nothing that the call itself does not.
 */
export function openHeartbeat({ folder, sequence, losses, list }: HeartbeatParts, { now, newId }: HookWorld) {
  const read = (): HeartbeatState | undefined => readState(join(folder, STATE));
  const write = (state: HeartbeatState): void => {
    const made = join(folder, `${STATE}-${process.pid}`);
    fs.writeFileSync(made, JSON.stringify(state), { mode: 0o600 });
    renameIfThere(made, join(folder, STATE));
  };
  function make(told: HeartbeatState['told'], schedule: HeartbeatSchedule): HeartbeatState {
    const bootId = sequence.bootId();
    const known = [...sequence.lastNumbers()];
    if (!known.some(({ boot_id }) => boot_id === bootId)) known.push({ boot_id: bootId, sequence: 0 });
    const changed = known.filter(
      ({ boot_id, sequence: last }) => boot_id === bootId || last > (told[boot_id] ?? 0),
    );
    const gauges = { ...toGauges(list(), losses), ...toDeclared(schedule) };
    const events = changed.map((numbered) => ({
      event_id: newId(),
      occurred_at: new Date(now()).toISOString(),
      ...toEvent(numbered, (told[numbered.boot_id] ?? 0) + 1, gauges),
    }));
    const next = Object.fromEntries(known.map(({ boot_id, sequence: last }) => [boot_id, last]));
    return { at_ms: now(), told, pending: { body: JSON.stringify(events), told: next } };
  }
  return {
    /**
     * Returns native events, one per run, if a heartbeat is due, else undefined. Called under the lock of the sender.
     */
    take(schedule: HeartbeatSchedule): string | undefined {
      const state = read();
      if (state === undefined && schedule.sentBy === 'call') {
        write({ at_ms: now(), told: {}, pending: null });
        return undefined;
      }
      if (state !== undefined && state.pending !== null) return state.pending.body;
      if (schedule.sentBy === 'call' && isWithin(schedule.intervalMs, now() - (state?.at_ms ?? 0)))
        return undefined;
      const made = make(state?.told ?? {}, schedule);
      write(made);
      return made.pending?.body;
    },
    /** The collector has answered for the heartbeat. */
    settle(): void {
      const state = read();
      if (state === undefined || state.pending === null) return;
      const { told } = state.pending;
      write({ ...state, told, pending: null });
      const bootId = sequence.bootId();
      for (const { boot_id, sequence: last } of sequence.lastNumbers()) {
        const isOver = boot_id !== bootId && Math.abs(now() - sequence.takenAtMs(boot_id)) > OVER_MS;
        if (isOver && (told[boot_id] ?? 0) >= last) sequence.forget(boot_id);
      }
    },
  };
}

function toGauges(queue: readonly Entry[], losses: Losses) {
  return {
    queue_events: queue.length,
    queue_bytes: queue.reduce((sum, { bytes }) => sum + bytes, 0),
    lost_events: losses.totals(),
    client_version: CLIENT_VERSION,
  };
}

/** A heartbeat from the future was made before the clock was set back. */
function isWithin(intervalMs: number, sinceMs: number): boolean {
  return sinceMs >= 0 && sinceMs < intervalMs;
}

function toDeclared({ sentBy, intervalMs }: HeartbeatSchedule) {
  return { sent_by: sentBy, interval_ms: intervalMs };
}

/** If no number was taken since the heartbeat before, `last_sequence` is one less than `first_sequence`. */
function toEvent({ boot_id, sequence }: Numbered, first_sequence: number, gauges: object) {
  return {
    type: 'collector.heartbeat',
    facts: { collector_boot_id: boot_id, collector_sequence: sequence },
    content: { boot_id, sequence, first_sequence, last_sequence: sequence, ...gauges },
  };
}

function readState(path: string): HeartbeatState | undefined {
  try {
    const found = JSON.parse(fs.readFileSync(path, 'utf8')) as HeartbeatState;
    const isWhole = Number.isSafeInteger(found.at_ms) && typeof found.told === 'object';
    const isPending = found.pending === null || typeof found.pending.body === 'string';
    return isWhole && isPending ? found : undefined;
  } catch {
    return undefined;
  }
}
