import * as fs from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable-file.ts';
import type { HookWorld, LossReason, LossState } from './world.ts';

const LOSS_STATE = 'state.json';

export type Losses = ReturnType<typeof openLosses>;

/**
 * Counts lost events, in a file per reason with one byte per event: appending takes no lock and hardly any room on a
 * full disk.
 */
export function openLosses(folder: string, { now, newId }: HookWorld) {
  const readState = (): LossState => {
    if (!fs.existsSync(join(folder, LOSS_STATE))) return { reported: {}, pending: null };
    return JSON.parse(fs.readFileSync(join(folder, LOSS_STATE), 'utf8')) as LossState;
  };
  const write = (state: LossState) => writeDurably(folder, LOSS_STATE, Buffer.from(JSON.stringify(state)));
  const toEvent = (reason: LossReason, count: number) => ({
    type: 'collector.loss',
    event_id: newId(),
    occurred_at: new Date(now()).toISOString(),
    facts: { reason, metric_name: 'affidavit.hook.lost_events', metric_value: String(count) },
    content: { lost_count: count },
  });
  const totals = (): Record<LossReason, number> => {
    const reasons = fs.readdirSync(folder).filter((name) => !name.startsWith(LOSS_STATE));
    return Object.fromEntries(reasons.map((name) => [name, fs.statSync(join(folder, name)).size]));
  };
  return {
    /** All losses since the folder was made, per reason. */
    totals,
    /** Counts one lost event, and returns the reason. */
    count(reason: LossReason): LossReason {
      fs.appendFileSync(join(folder, reason), '.', { mode: 0o600 });
      return reason;
    },
    /** Returns native events, one per reason, for losses not yet reported; undefined if there are none. */
    takeReport(): string | undefined {
      const { reported, pending } = readState();
      if (pending !== null) return pending;
      const sizes = totals();
      const fresh = Object.entries(sizes)
        .map(([reason, size]) => [reason, size - (reported[reason] ?? 0)] as const)
        .filter(([, count]) => count > 0);
      if (fresh.length === 0) return undefined;
      const report = JSON.stringify(fresh.map(([reason, count]) => toEvent(reason, count)));
      write({ reported: sizes, pending: report });
      return report;
    },
    /** The report was acknowledged. */
    settleReport: () => write({ ...readState(), pending: null }),
  };
}
