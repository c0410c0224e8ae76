import { PipelineError } from '../../schemas/errors.ts';

/** Protocol errors that end a member's claim on its partitions; the client answers them by joining the group again. */
const CLAIM_ENDED = [
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'NOT_COORDINATOR_FOR_GROUP',
];

/** No retry helps against these; somebody has to change a setting. */
const REFUSED = [
  'KafkaJSSASLAuthenticationError',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
];

/**
 * A failure of the client as one of the pipeline's. The text names what was attempted and the kind of failure; messages
 * of the client stay in `cause`.
 */
export function toPipelineError(error: unknown, attempted: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const kind = kindOf(error);
  if (kind === 'MESSAGE_TOO_LARGE' || kind === 'RECORD_LIST_TOO_LARGE') {
    return new PipelineError('BODY_TOO_LARGE', `${attempted}: larger than the topic takes`, { cause: error });
  }
  return new PipelineError('LOG_UNAVAILABLE', `${attempted}: ${kind}`, { cause: error });
}

/** The same at the start, where what no retry can mend is refused at once. */
export function toStartError(error: unknown, attempted: string): PipelineError {
  const failure = toPipelineError(error, attempted);
  if (!REFUSED.includes(kindOf(error))) return failure;
  return new PipelineError('START_REFUSED', failure.detail, { cause: error });
}

/** What a broker answers for the groups that it has just taken over. */
const LOADING = ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'];

export function isLoading(error: unknown): boolean {
  return LOADING.includes(kindOf(error));
}

export function endsClaim(error: unknown): boolean {
  return CLAIM_ENDED.includes(kindOf(error));
}

/** Settles as `work` does, or rejects with LOG_UNAVAILABLE after `deadlineMs`; `work` itself goes on. */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number, attempted: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new PipelineError('LOG_UNAVAILABLE', `${attempted}: no answer in ${deadlineMs} ms`));
    }, deadlineMs);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

interface KafkaFailure extends Error {
  readonly type?: string;
  readonly code?: unknown;
  readonly errors?: readonly unknown[];
}

/** Name of the protocol error where the broker gave one, else of the system's or the client's error, of the first cause. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  const { type, code, cause, errors, name } = error as KafkaFailure;
  if (cause instanceof Error && cause !== error) return kindOf(cause);
  if (errors?.[0] instanceof Error) return kindOf(errors[0]);
  if (type !== undefined) return type;
  return typeof code === 'string' ? code : name;
}
