/** Errors of @platformatic/kafka as `KafkaFailure`. */
import { KafkaFailure, type Remedy } from '../../../ingest/kafka/errors.ts';
import { PipelineError } from '../../../schemas/errors.ts';

/** Answers that end a member's claim on its partitions. */
const CLAIM_ENDED = [
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
];

/** Answers of a broker that has lost a group to another or still loads it. */
const COORDINATOR_MOVES = ['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'];

const NEEDS_SETTING = [
  'PLT_KFK_AUTHENTICATION',
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
];

const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

export async function orFailure<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toFailure(error);
  }
}

export function toFailure(error: unknown): KafkaFailure | PipelineError {
  if (error instanceof KafkaFailure || error instanceof PipelineError) return error;
  const kind = kindOf(error);
  return new KafkaFailure(kind, { remedy: remedyFor(kind), cause: error });
}

export function endsClaim(error: unknown): boolean {
  return CLAIM_ENDED.includes(kindOf(error));
}

export function coordinatorMoves(error: unknown): boolean {
  return COORDINATOR_MOVES.includes(kindOf(error));
}

interface LibraryError extends Error {
  readonly apiId?: unknown;
  readonly code?: unknown;
  readonly errors?: readonly unknown[];
}

/** The protocol's name where a broker gave one, else the code of the first cause; a refused login is named as such. */
export function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  if (error instanceof KafkaFailure) return error.kind;
  const { apiId, code, cause, errors, name } = error as LibraryError;
  if (code === 'PLT_KFK_AUTHENTICATION') return code;
  if (errors?.[0] instanceof Error) return kindOf(errors[0]);
  if (typeof apiId === 'string') return apiId;
  if (cause instanceof Error) return kindOf(cause);
  return typeof code === 'string' ? code : name;
}

function remedyFor(kind: string): Remedy {
  if (TOO_LARGE.includes(kind)) return 'smaller';
  return NEEDS_SETTING.includes(kind) ? 'setting' : 'later';
}
