import { Type } from 'typebox';

/** SHA-256 or HMAC-SHA-256 output as 64 lower-case hex digits. */
export const HashHex = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** 32 bytes as base64url (RFC 4648 section 5) without padding: the last of 43 characters holds four bits. */
export const HashBase64Url = Type.String({ pattern: '^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$' });

/** RFC 3339 instant in UTC with `Z`, zero to nine fraction digits. */
export const InstantUtc = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$',
});

/** A non-negative integer as decimal digits, for values that may pass 2^53. */
export const DecimalString = Type.String({ pattern: '^(0|[1-9][0-9]{0,19})$' });

/** Count or index below 2^53. */
export const SafeCount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
