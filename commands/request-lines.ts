import type { SimulatedRequest, SimulatedSession } from '../connectors/simulation/simulate.ts';
import { toInstant } from '../schemas/clock.ts';
import type { DeliveryTotals } from './simulate-delivery.ts';
import type { Pace } from './pace.ts';

/** Lines are written in chunks of about this size. */
const CHUNK_CHARACTERS = 65_536;

export interface RequestLinesOptions {
  readonly pace: Pace;
  readonly signal: AbortSignal;
  /** Counts the requests and records that were written. */
  readonly totals: DeliveryTotals;
}

/** The requests as NDJSON, many lines at a time. Only the current session is held in memory. */
export async function* toRequestLines(
  sessions: Iterable<SimulatedSession>,
  { pace, signal, totals }: RequestLinesOptions,
): AsyncGenerator<Buffer> {
  let text = '';
  for (const session of sessions) {
    for (const request of session.requests()) {
      await pace(request.records, signal);
      text += toLine(request);
      totals.requests += 1;
      totals.records += request.records;
      if (text.length < CHUNK_CHARACTERS) continue;
      yield Buffer.from(text);
      text = '';
    }
  }
  if (text !== '') yield Buffer.from(text);
}

/** A JSON body is text in `body`; any other body is in `body_base64`. */
function toLine({ path, contentType, body, atMs }: SimulatedRequest): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const carried =
    contentType === 'application/json'
      ? { body: bytes.toString('utf8') }
      : { body_base64: bytes.toString('base64') };
  return `${JSON.stringify({ path, content_type: contentType, ...carried, at: toInstant(atMs) })}\n`;
}
