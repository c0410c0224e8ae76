import { PipelineError } from '../../../schemas/errors.ts';
import type { JsonValue } from '../../../schemas/json.ts';
import { parseStrict } from './strict-json.ts';

/** The value of JSON text; anything else, and text that does not parse or could not be hashed, as it is. */
export function parsedText(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    const { value: parsed, problems } = parseStrict(Buffer.from(value));
    return problems.length === 0 ? parsed : value;
  } catch (error) {
    if (error instanceof PipelineError) return value;
    throw error;
  }
}
