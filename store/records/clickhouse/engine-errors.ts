import { PipelineError, type ErrorCode } from '../../../schemas/errors.ts';

/** Whose turn it was: only a question can pass limits or carry bad parameters. */
export type EngineStep = 'read' | 'write';

/** Numeric codes of the engine for: too many rows, timeout, too slow, set size, memory, bytes, result rows. */
const LIMIT_CODES: ReadonlySet<string> = new Set(['158', '159', '160', '191', '241', '307', '396']);

/** Text that is no number, no instant, or out of a type's range, given as the value of a parameter. */
const PARAMETER_CODES: ReadonlySet<string> = new Set(['6', '27', '36', '38', '41', '69', '72', '407', '457']);

/** Statements this version should never have sent: unknown names and types, syntax, writes in a question. */
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

/** A part of a table that was not written whole: a full disk can leave one, and the engine reports it at each read. */
const DAMAGED_PART_CODE = '246';

export function isDamagedPart(error: unknown): boolean {
  return engineCodeOf(error) === DAMAGED_PART_CODE;
}

/** Translates a failure of the engine by its numeric code; what has none is an engine that does not answer. */
export function toPipelineError(error: unknown, step: EngineStep, attempted: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const engineCode = engineCodeOf(error);
  const code = engineCode === undefined ? 'STORE_UNAVAILABLE' : classify(engineCode, step);
  const detail = engineCode === undefined ? attempted : `${attempted} (engine code ${engineCode})`;
  return new PipelineError(code, detail, { cause: error });
}

/**
 * The client and the engine in process carry a class of this error each, so the code is known by its form: digits.
 * A network's failure has a code too, of letters. Past the client the engine in process gives a number of its own name.
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
