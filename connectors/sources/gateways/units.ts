/** Clocks and money as gateways write them, in the units of facts. */
import type { JsonValue } from '../../../schemas/json.ts';

/** The last second of the year 9999. RFC 3339 has no later instants. */
const LATEST_EPOCH_S = 253_402_300_799;

/** RFC 3339 instant of seconds since 1970 with a fraction, to the microsecond; undefined for any other value. */
export function epochSecondsToInstant(seconds: JsonValue | undefined): string | undefined {
  if (typeof seconds !== 'number' || !(seconds > 0) || seconds > LATEST_EPOCH_S) return undefined;
  const whole = Math.floor(seconds);
  const micros = Math.round((seconds - whole) * 1_000_000);
  const millis = Math.floor(micros / 1000);
  const toMs = new Date(whole * 1000 + millis).toISOString();
  const beyondMs = String(micros % 1000).padStart(3, '0');
  return beyondMs === '000' ? toMs : `${toMs.slice(0, -1)}${beyondMs.replace(/0+$/, '')}Z`;
}

/** RFC 3339 instant of milliseconds since 1970. */
export function epochMillisToInstant(millis: JsonValue | undefined): string | undefined {
  if (typeof millis !== 'number' || !(millis > 0) || millis > LATEST_EPOCH_S * 1000) return undefined;
  return new Date(Math.floor(millis)).toISOString();
}

/** Millionths of a dollar, rounded; undefined if the value is not an amount. */
export function toMicros(dollars: JsonValue | undefined): number | undefined {
  if (typeof dollars !== 'number' || !(dollars >= 0)) return undefined;
  const micros = Math.round(dollars * 1_000_000);
  return Number.isSafeInteger(micros) ? micros : undefined;
}
