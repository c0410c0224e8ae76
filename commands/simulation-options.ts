import { MAX_USERS } from '../connectors/simulation/identifiers.ts';
import type { SimulationOptions } from '../connectors/simulation/plan.ts';
import { PipelineError } from '../schemas/errors.ts';
import type { ShapeProblem } from '../schemas/validate.ts';

/** As typed on the command line. */
export interface SimulateOptions {
  readonly users: string;
  readonly days: string;
  readonly seed: string;
  readonly start: string;
  readonly denials: string;
  readonly incidents: string;
  /** Maximum of records per second. */
  readonly rate?: string;
  /** Base URL of the receivers; without it the requests go to standard output. */
  readonly to?: string;
  readonly json: boolean;
}

export interface ReadOptions {
  readonly simulation: SimulationOptions;
  readonly recordsPerSecond: number | undefined;
  readonly to: string | undefined;
}

/** The longest period of a simulation. */
const MAX_DAYS = 36_500;
/** The highest rate that can be asked for, in records per second. */
const MAX_RATE = 10_000_000;

/** Reads the options. Throws USAGE_INVALID with every problem. */
export function readSimulateOptions(options: SimulateOptions): ReadOptions {
  const problems: ShapeProblem[] = [];
  const complain = (option: string, message: string) => problems.push({ pointer: `--${option}`, message });

  function integer(option: 'users' | 'days' | 'rate', text: string, most: number): number {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > most) complain(option, `must be an integer from 1 to ${String(most)}`);
    return value;
  }
  function share(option: 'denials' | 'incidents', text: string): number {
    const value = /^[0-9]*\.?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 0 && value <= 1)) complain(option, 'must be a share from 0 to 1');
    return value;
  }

  const startMs = Date.parse(`${options.start}T00:00:00Z`);
  if (!isDay(options.start, startMs)) complain('start', 'must be a day such as 2026-01-05');
  if (options.to !== undefined && !/^https?:$/.test(protocolOf(options.to))) {
    complain('to', 'must be an http or https URL');
  }
  const simulation: SimulationOptions = {
    seed: options.seed,
    users: integer('users', options.users, MAX_USERS),
    days: integer('days', options.days, MAX_DAYS),
    startMs,
    denials: share('denials', options.denials),
    incidents: share('incidents', options.incidents),
  };
  const recordsPerSecond = options.rate === undefined ? undefined : integer('rate', options.rate, MAX_RATE);
  if (simulation.denials + simulation.incidents > 1) complain('incidents', 'and --denials exceed 1 together');
  if (problems.length > 0) throw usageError(problems);
  return { simulation, recordsPerSecond, to: options.to?.replace(/\/+$/, '') };
}

/** One error for every problem, each with its option. */
function usageError(problems: readonly ShapeProblem[]): PipelineError {
  const lines = problems.map(({ pointer, message }) => `  ${pointer} ${message}`);
  return new PipelineError('USAGE_INVALID', `${String(problems.length)} problem(s)\n${lines.join('\n')}`);
}

/** Date.parse reads 31 February as 3 March. */
function isDay(text: string, unixMs: number): boolean {
  return !Number.isNaN(unixMs) && new Date(unixMs).toISOString().slice(0, 10) === text;
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : '';
}
