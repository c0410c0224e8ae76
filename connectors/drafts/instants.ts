import type { JsonValue } from '../../schemas/json.ts';

const INSTANT =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))? ?(Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})$/;

/**
 * RFC 3339 instant in UTC of a time that names its offset, with the fraction as it was written. Undefined for a time
 * without an offset, which could be any, and for a day or hour that does not exist.
 */
export function toUtcInstant(text: JsonValue | undefined): string | undefined {
  if (typeof text !== 'string') return undefined;
  const found = INSTANT.exec(text);
  if (found === null) return undefined;
  const [, day = '', time = '', fraction, zone = ''] = found;
  const localMs = Date.parse(`${day}T${time}Z`);
  // The engine reads 30 February as 2 March.
  if (Number.isNaN(localMs) || !new Date(localMs).toISOString().startsWith(`${day}T${time}`))
    return undefined;
  const instant = new Date(localMs - offsetMs(zone));
  const year = instant.getUTCFullYear();
  if (year < 0 || year > 9999) return undefined;
  return `${instant.toISOString().slice(0, 19)}${fraction === undefined ? '' : `.${fraction}`}Z`;
}

function offsetMs(zone: string): number {
  if (!/^[+-]/.test(zone)) return 0;
  const digits = zone.slice(1).replace(':', '');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}
