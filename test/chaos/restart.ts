import { setTimeout as delay } from 'node:timers/promises';
import type { Seat } from '../scale/field.ts';
import type { Ground } from './ground.ts';

const DEADLINE_MS = 120_000;
const AGAIN_MS = 500;

/** As a supervisor does: a start that fails because an engine is struck is tried again. */
export async function restart(
  { field }: Pick<Ground, 'field'>,
  seat: Seat,
  signal: NodeJS.Signals,
  pauseMs = 0,
): Promise<void> {
  const endsAtMs = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      await field.restart(seat, signal, () => delay(pauseMs));
      return;
    } catch (error) {
      if (performance.now() > endsAtMs) throw error;
      await delay(AGAIN_MS);
    }
  }
}
