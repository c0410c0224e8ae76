/** Failures of the engine as errors of this program. */
import { PipelineError, type ErrorCode } from '../../../schemas/errors.ts';

/** Kind of statement: only a read can exceed limits or carry bad parameters. */
export type EngineStep = 'read' | 'write';

/** Numeric codes of the engine for: too many rows, timeout, too slow, set size, memory, bytes, result rows. */
const LIMIT_CODES: ReadonlySet<string> = new Set(['158', '159', '160', '191', '241', '307', '396']);

/** The value of a parameter is not a number, not an instant, or outside the range of its type. */
const PARAMETER_CODES: ReadonlySet<string> = new Set(['6', '27', '36', '38', '41', '69', '72', '407', '457']);

/** A defect of this program: unknown names and types, syntax, a write inside a read. */
const DEFECT_CODES: ReadonlySet<string> = new Set([
  '42',
  '43',
  '46',
  '47',
  '53',
  '62',
  '115',
  '164',
  '184',
  '386',
  '456',
]);

/**
 * A part of a table that the engine knows and cannot read, which it reports at each read: it was not written whole (246), as
 * a full disk leaves one, or its files are gone (107, 1001), as where the folder was away when they were written.
 */
const DAMAGED_PART_CODES: ReadonlySet<string> = new Set(['107', '246', '1001']);

export function isDamagedPart(error: unknown): boolean {
  return DAMAGED_PART_CODES.has(engineCodeOf(error) ?? '');
}

/** Translates a failure of the engine by its numeric code. Without a code, the engine did not answer. */
export function toPipelineError(error: unknown, step: EngineStep, attempted: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const engineCode = engineCodeOf(error);
  const code = engineCode === undefined ? 'STORE_UNAVAILABLE' : classify(engineCode, step);
  const detail = engineCode === undefined ? attempted : `${attempted} (engine code ${engineCode})`;
  return new PipelineError(code, detail, { cause: error });
}

/**
 * The client and the engine in process have one class of this error each, so the code is recognised by its form: digits.
 * A failure of the network has a code of letters. Errors of `insertText` in process have a number in `clickhouseCode`.
 */
function engineCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('clickhouseCode' in error && typeof error.clickhouseCode === 'number')
    return String(error.clickhouseCode);
  if (!('code' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9]+$/.test(error.code) ? error.code : undefined;
}

function classify(code: string, step: EngineStep): ErrorCode {
  if (DEFECT_CODES.has(code)) return 'INTERNAL';
  if (step === 'write') return 'STORE_UNAVAILABLE';
  if (LIMIT_CODES.has(code)) return 'QUERY_LIMIT';
  return PARAMETER_CODES.has(code) ? 'PARAMETER_INVALID' : 'STORE_UNAVAILABLE';
}
