import { parameterInvalid } from './problem.ts';

/** The record store keeps instants to the nanosecond in 64 bits, which ends in the year 2262. */
const FIRST_YEAR = 1970;
const LAST_YEAR = 2261;

/** Refuses a text that looks like an instant and is not one, e.g. the 30th of February, and years that cannot be stored. */
function checkInstant(text: string | undefined, pointer: string): void {
  if (text === undefined) return;
  const parsed = new Date(text);
  const isReal = !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 19) === text.slice(0, 19);
  const year = Number(text.slice(0, 4));
  if (!isReal) throw parameterInvalid(pointer, 'is not an instant of the calendar');
  if (year < FIRST_YEAR || year > LAST_YEAR) {
    throw parameterInvalid(pointer, `lies outside the years ${FIRST_YEAR} to ${LAST_YEAR}`);
  }
}

/** A half-open interval [from, to); without a bound it is open on that side. */
interface Interval {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Refuses bounds that are not instants, and an empty interval. */
export function checkInterval(
  { from, to }: Interval,
  pointers: { readonly from: string; readonly to: string },
): void {
  checkInstant(from, pointers.from);
  checkInstant(to, pointers.to);
  if (from !== undefined && to !== undefined && instantKey(from) >= instantKey(to)) {
    throw parameterInvalid(pointers.to, 'is not after the start of the interval');
  }
}

/** A text by which instants of different precision sort. */
function instantKey(instant: string): string {
  const [seconds = '', fraction = ''] = instant.slice(0, -1).split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
