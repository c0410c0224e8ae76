import { parseStrict } from '../../connectors/wire/json/strict-json.ts';
import {
  claudeCodeTranscript,
  TRANSCRIPT_LINE_TYPES,
} from '../../connectors/sources/claude-code/transcript.ts';
import { isJsonObject } from '../../schemas/json.ts';
import { PipelineError } from '../../schemas/errors.ts';
import { readItems } from './items.ts';
import type { Reading, Received } from './reading.ts';

/**
 * Lines of Claude Code's transcript. A body with a line of another type than `user` or `assistant` is refused as a
 * whole, because those hold the vendor's text, which must not be kept, not even in quarantine.
 */
export function readTranscript(reading: Reading): Received {
  let line = 0;
  for (const text of reading.body.toString('utf8').split('\n')) {
    line += 1;
    if (text.trim() !== '') checkLine(text, line);
  }
  return readItems(claudeCodeTranscript, reading);
}

function checkLine(text: string, line: number): void {
  const { value } = parseStrict(Buffer.from(text));
  const type = isJsonObject(value) ? value['type'] : undefined;
  if (typeof type === 'string' && TRANSCRIPT_LINE_TYPES.includes(type)) return;
  throw new PipelineError('BODY_MALFORMED', 'a transcript body has lines of type user and assistant alone', {
    place: `body line ${String(line)}`,
  });
}
