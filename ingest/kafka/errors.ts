/** Failures of brokers and of the client library, as the pipeline's errors. */
import { PipelineError } from '../../schemas/errors.ts';

/**
 * The remedy for a failure. `later`: the same request may succeed later. `smaller`: only a smaller request can succeed.
 * `setting`: an operator has to change a setting or a right first.
 */
export type Remedy = 'later' | 'smaller' | 'setting';

export interface KafkaFailureOptions {
  readonly remedy: Remedy;
  /** The library's error. */
  readonly cause: unknown;
}

/** A failure as the adapter of a client library reports it. */
export class KafkaFailure extends Error {
  /** The protocol's name of the error where a broker gave one, else the name or code of the library's error. */
  readonly kind: string;
  readonly remedy: Remedy;

  constructor(kind: string, { remedy, cause }: KafkaFailureOptions) {
    super(kind, { cause });
    this.name = 'KafkaFailure';
    this.kind = kind;
    this.remedy = remedy;
  }
}

/** The text names the attempt and the kind of failure; messages of the library stay in `cause`. */
export function toPipelineError(error: unknown, attempted: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const { kind, remedy, cause } = describe(error);
  if (remedy === 'smaller') {
    return new PipelineError('BODY_TOO_LARGE', `${attempted}: larger than the topic takes`, { cause });
  }
  return new PipelineError('LOG_UNAVAILABLE', `${attempted}: ${kind}`, { cause });
}

/** As `toPipelineError`, for the start: a failure that waits for a changed setting refuses the start at once. */
export function toStartError(error: unknown, attempted: string): PipelineError {
  const converted = toPipelineError(error, attempted);
  if (!(error instanceof KafkaFailure) || error.remedy !== 'setting') return converted;
  return new PipelineError('START_REFUSED', converted.detail, { cause: error.cause });
}

function describe(error: unknown): KafkaFailureOptions & { readonly kind: string } {
  if (error instanceof KafkaFailure) return { kind: error.kind, remedy: error.remedy, cause: error.cause };
  return { kind: error instanceof Error ? error.name : 'unknown failure', remedy: 'later', cause: error };
}

/** Settles as `work` does, or rejects with LOG_UNAVAILABLE after `deadlineMs`; the work itself continues. */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number, attempted: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new PipelineError('LOG_UNAVAILABLE', `${attempted}: no answer in ${deadlineMs} ms`));
    }, deadlineMs);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
