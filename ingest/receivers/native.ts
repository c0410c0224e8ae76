import { parseStrict } from '../../connectors/wire/json/strict-json.ts';
import { native } from '../../connectors/sources/native/native.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { jsonReply, quarantinedUnits, type Reading, type Received } from './reading.ts';

/** An item that is kept but will be sealed as quarantined; `pointer` is a JSON pointer into the body. */
interface QuarantinedReport {
  readonly index: number;
  readonly reason: string;
  readonly pointer: string;
}

/**
 * Records in the system's own shape: a JSON object, an array of them, or one per line. The connector is asked here
 * what it will make of each item, since a sender of this shape can mend what is wrong with it.
 */
export function readNative(reading: Reading): Received {
  checkBody(reading);
  const expanded = native.expand({ ...reading.toHeader(0), body: reading.body });
  const quarantined = expanded.flatMap((one, index): QuarantinedReport[] =>
    one.kind === 'quarantined' ? [{ index, reason: one.item.reason, pointer: one.item.pointer }] : [],
  );
  const accepted = expanded.length - quarantined.length;
  return {
    itemCount: expanded.length,
    quarantinedUnits: quarantinedUnits(expanded, (index) => `/${index}`),
    reply: jsonReply({ accepted, quarantined }),
  };
}

/** Throws BODY_MALFORMED for what has no items at all; what has some is never refused for one of them. */
export function checkBody({ body, contentType }: Reading): void {
  if (contentType === 'application/x-ndjson') {
    checkLines(body);
    return;
  }
  const { value } = parseStrict(body);
  if (typeof value !== 'object' || value === null) {
    const detail = 'the body is neither an object nor an array of objects';
    throw new PipelineError('BODY_MALFORMED', detail, { place: 'line 1 column 1' });
  }
}

/** Lines that hold nothing are no items. Throws BODY_MALFORMED with the line of the body and the place in it. */
function checkLines(body: Buffer): void {
  let start = 0;
  for (let line = 1; start < body.length; line += 1) {
    const found = body.indexOf(0x0a, start);
    const end = found === -1 ? body.length : found;
    const bytes = body.subarray(start, end);
    if (!isBlank(bytes)) checkLine(bytes, line);
    start = end + 1;
  }
}

function checkLine(bytes: Buffer, line: number): void {
  try {
    parseStrict(bytes);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    const place = `body line ${line}, in it ${error.place ?? 'at an unknown place'}`;
    throw new PipelineError(error.code, error.detail, { place });
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
