/**
 * Errors of kafkajs as `KafkaFailure`.
 *
 * Defect of kafkajs: it wraps an error in one that says less (`KafkaJSNonRetriableError`,
 * `KafkaJSNumberOfRetriesExceeded`, `KafkaJSAggregateError`), up to several times. The kind is read from the first cause.
 */
import { PipelineError } from '../../../schemas/errors.ts';
import { KafkaFailure, type Remedy } from '../errors.ts';

/** Answers that end a member's claim on its partitions. kafkajs joins the group again when `eachBatch` throws one. */
const CLAIM_ENDED = [
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'NOT_COORDINATOR_FOR_GROUP',
];

/** Answers of a broker that has just taken over a group and still loads it. */
const LOADING = ['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'];

/** Answers of a broker that does not lead a partition yet, or no longer. */
const LEADER_MOVES = ['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE'];

/** No retry helps against these: an operator has to change a setting or a right. */
const NEEDS_SETTING = [
  'KafkaJSSASLAuthenticationError',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
];

const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

/** An error of the pipeline or a failure that was converted already passes as it is. */
export function toFailure(error: unknown): KafkaFailure | PipelineError {
  if (error instanceof KafkaFailure || error instanceof PipelineError) return error;
  const kind = kindOf(error);
  return new KafkaFailure(kind, { remedy: remedyFor(kind), cause: error });
}

/** Settles as `work` does, with its error converted. */
export async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toFailure(error);
  }
}

export function isLoading(error: unknown): boolean {
  return LOADING.includes(kindOf(error));
}

export function leaderMoves(error: unknown): boolean {
  return LEADER_MOVES.includes(kindOf(error));
}

export function endsClaim(error: unknown): error is Error {
  return error instanceof Error && CLAIM_ENDED.includes(kindOf(error));
}

function remedyFor(kind: string): Remedy {
  if (TOO_LARGE.includes(kind)) return 'smaller';
  return NEEDS_SETTING.includes(kind) ? 'setting' : 'later';
}

interface KafkajsError extends Error {
  readonly type?: string;
  readonly code?: unknown;
  readonly errors?: readonly unknown[];
}

/** Name of the protocol error where the broker gave one, else code or name of the error, always of the first cause. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  const { type, code, cause, errors, name } = error as KafkajsError;
  if (cause instanceof Error && cause !== error) return kindOf(cause);
  if (errors?.[0] instanceof Error) return kindOf(errors[0]);
  if (type !== undefined) return type;
  return typeof code === 'string' ? code : name;
}
