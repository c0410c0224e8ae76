import { Type } from 'typebox';

/** SHA-256 or HMAC-SHA-256 output as 64 lower-case hex digits. */
export const HashHex = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** 32 bytes as base64url (RFC 4648 section 5) without padding: the last of 43 characters holds four bits. */
export const HashBase64Url = Type.String({ pattern: '^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$' });

/** `YYYY-MM-DD` of a day that exists in the Gregorian calendar, 29 February in leap years alone. */
const DAY =
  '([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)';

/**
 * RFC 3339 instant in UTC with `Z`, zero to nine fraction digits, of a day and a second that exist. `Date.parse` would
 * read 31 February as 3 March and hour 24 as the next day, so that two readers could judge one text differently.
 */
export const InstantUtc = Type.String({
  pattern: `^${DAY}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$`,
});

/** An instant as a source claims it, in the same form. It is sealed as it came, so the day need not exist. */
export const ClaimedInstant = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$',
});

/** A non-negative integer as decimal digits, for values that may pass 2^53. */
export const DecimalString = Type.String({ pattern: '^(0|[1-9][0-9]{0,19})$' });

/** Count or index below 2^53. */
export const SafeCount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
