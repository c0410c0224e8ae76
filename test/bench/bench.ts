import { join } from 'node:path';
import type { BenchOptions } from './arguments.ts';
import type { Figure } from './figure.ts';

/** The parameters of every measurement. */
export interface Bench extends BenchOptions {
  /** Temporary folder of the whole run. */
  readonly folder: string;
  readonly say: (text: string) => void;
}

/** Figures of one measurement, with what a table has no column for. */
export interface Findings {
  readonly figures: readonly Figure[];
  readonly remarks: readonly string[];
}

export function dataFolder({ folder }: Bench, name: string): string {
  return join(folder, name);
}

export const BATCH_EVENTS = 100;
export const BATCH_CONNECTIONS = 8;
