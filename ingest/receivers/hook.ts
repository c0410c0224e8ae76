import { parseStrict } from '../../connectors/wire/json/strict-json.ts';
import { claudeCodeHook } from '../../connectors/sources/claude-code/hook.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { isJsonObject } from '../../schemas/json.ts';
import { jsonReply, quarantinedUnits, type Reading, type Received } from './reading.ts';

/** 0x09, 0x0A, 0x0D, 0x20: the only white space of JSON (RFC 8259 section 2). */
const WHITE_SPACE = new Set([0x09, 0x0a, 0x0d, 0x20]);
const OPENING_BRACE = 0x7b;

/**
 * A Claude Code hook call: one JSON object, one item, but one item per tool call of a batch, which the connector is
 * asked to count. The answer is the empty object, because a client takes any member of it for a decision about the
 * tool call that waits for it.
 */
export function readHook(reading: Reading): Received {
  const { value, problems } = parseStrict(reading.body);
  const first = reading.body.find((byte) => !WHITE_SPACE.has(byte));
  if (first !== OPENING_BRACE) {
    throw new PipelineError('BODY_MALFORMED', 'a hook body is a JSON object', { place: 'line 1 column 1' });
  }
  const reply = jsonReply({});
  if (problems.length > 0) return { itemCount: 1, quarantinedUnits: [''], reply };
  if (!isJsonObject(value) || !Array.isArray(value['tool_calls'])) {
    return { itemCount: 1, quarantinedUnits: [], reply };
  }
  const expanded = claudeCodeHook.expand({ ...reading.toHeader(1), body: reading.body });
  const units = quarantinedUnits(expanded, (index) => `/tool_calls/${index}`);
  return { itemCount: expanded.length, quarantinedUnits: units, reply };
}
