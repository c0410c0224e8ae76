/** Advice to the caller of a failed operation: give up on this input, or try the same again later. */
export type Retry = 'never' | 'later';

interface ErrorEntry {
  readonly status: number;
  readonly retry: Retry;
  readonly title: string;
  readonly hint: string;
}

/** The one list of failures. Codes are append-only; docs/errors.md is generated from it. */
export const ERRORS = {
  AUTH_MISSING: {
    status: 401,
    retry: 'never',
    title: 'credential missing',
    hint: 'send "Authorization: Bearer <token>"',
  },
  AUTH_INVALID: {
    status: 401,
    retry: 'never',
    title: 'credential not known',
    hint: 'check the token; `affidavit init` prints tokens on its first run only, and `affidavit init --collector NAME` makes a new collector token, which the server knows after its restart',
  },
  AUTH_FORBIDDEN: {
    status: 403,
    retry: 'never',
    title: 'credential lacks the role',
    hint: 'send with a collector token and read with an admin token; `affidavit init --collector NAME` makes a collector token',
  },
  WEBHOOK_NOT_CONFIGURED: {
    status: 403,
    retry: 'never',
    title: 'webhook has no secret',
    hint: 'put its secret into webhook-secrets.json in the keys folder and restart; docs/sources.md shows how',
  },
  WEBHOOK_UNSIGNED: {
    status: 401,
    retry: 'never',
    title: 'webhook without proof of its sender',
    hint: 'set the secret at the sender: GitHub then signs with X-Hub-Signature-256, GitLab sends its token, Anthropic signs with webhook-signature',
  },
  WEBHOOK_SIGNATURE_INVALID: {
    status: 401,
    retry: 'never',
    title: 'webhook signature does not match',
    hint: 'compare the secret at the sender with ours, and the clocks of both; no proxy may change the body',
  },
  NOT_FOUND: {
    status: 404,
    retry: 'never',
    title: 'not found',
    hint: 'check the path and the ids in it; /openapi.json of the API lists its routes',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    retry: 'never',
    title: 'method not allowed',
    hint: 'the Allow header names the methods that the route takes',
  },
  BODY_MALFORMED: {
    status: 400,
    retry: 'never',
    title: 'body does not decode',
    hint: 'errors[0].pointer names the place, if it is known; nothing of this request was kept',
  },
  BODY_TOO_LARGE: {
    status: 413,
    retry: 'never',
    title: 'body too large',
    hint: 'send smaller batches or raise ingest.max_body_bytes',
  },
  BODY_INFLATES_TOO_LARGE: {
    status: 413,
    retry: 'never',
    title: 'body inflates too large',
    hint: 'send smaller batches or raise ingest.max_inflated_bytes',
  },
  CONTENT_TYPE_UNSUPPORTED: {
    status: 415,
    retry: 'never',
    title: 'content type not supported',
    hint: 'use application/json, application/x-ndjson or application/x-protobuf as the route allows',
  },
  CONTENT_ENCODING_UNSUPPORTED: {
    status: 415,
    retry: 'never',
    title: 'content encoding not supported',
    hint: 'send the body as it is or with gzip',
  },
  PARAMETER_INVALID: {
    status: 400,
    retry: 'never',
    title: 'parameter not valid',
    hint: 'the errors member names each one',
  },
  CURSOR_INVALID: {
    status: 400,
    retry: 'never',
    title: 'cursor not valid',
    hint: 'start again without a cursor; a cursor is good only for the filters of its list',
  },
  LOG_PUSHBACK: {
    status: 503,
    retry: 'later',
    title: 'event log is full',
    hint: 'retry after the Retry-After header',
  },
  COLLECTOR_PUSHBACK: {
    status: 429,
    retry: 'later',
    title: 'collector has used its share',
    hint: 'retry after the Retry-After header; send fewer requests at once, or smaller ones',
  },
  LOG_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    title: 'event log cannot write',
    hint: 'check space and rights of the data folder, then retry',
  },
  LOG_DAMAGED: {
    status: 500,
    retry: 'never',
    title: 'event log entry does not read as written',
    hint: 'keep the data folder as it is and see docs/runbook.md',
  },
  EVENT_LOG_REPLACED: {
    status: 503,
    retry: 'never',
    title: 'another event log has the name of the known one',
    hint: 'bring the known event log back, or let the operator accept the new one: `affidavit accept-event-log`; see docs/runbook.md',
  },
  RECORD_INVALID: {
    status: 500,
    retry: 'never',
    title: 'record is not of its schema, and was not sealed',
    hint: 'report this defect with the detail; nothing of the batch was written, see docs/runbook.md',
  },
  CLOCK_BEHIND: {
    status: 503,
    retry: 'later',
    title: 'the clock is behind the last sealed record',
    hint: 'earlier versions waited for the clock; this one goes on and seals a record `clock.stepped`',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    title: 'record store does not answer',
    hint: 'retry; /readyz shows when it is back',
  },
  QUERY_LIMIT: {
    status: 422,
    retry: 'never',
    title: 'query exceeds its limits',
    hint: 'narrow the time range or the filters',
  },
  ARCHIVE_CONFLICT: {
    status: 500,
    retry: 'never',
    title: 'archive object exists with other bytes',
    hint: 'another sequencer may own this log; see docs/runbook.md',
  },
  ARCHIVE_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    title: 'archive cannot write',
    hint: 'check space and rights of the archive, then retry',
  },
  ARCHIVE_DAMAGED: {
    status: 500,
    retry: 'never',
    title: 'archive object does not read as written',
    hint: 'run `affidavit verify` on the archive; see docs/runbook.md',
  },
  LEDGER_LOST_RACE: {
    status: 500,
    retry: 'never',
    title: 'another sequencer committed first',
    hint: 'stop one of them; the other reloads the log at its next start',
  },
  START_REFUSED: {
    status: 500,
    retry: 'never',
    title: 'refused to start on doubt',
    hint: 'the detail says what was found; see docs/runbook.md',
  },
  SIGNER_REFUSED: {
    status: 500,
    retry: 'never',
    title: 'signer guard refused a head',
    hint: 'the log is smaller than the head that was signed before, or differs from it; see docs/runbook.md',
  },
  SIGNER_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    title: 'signer cannot store a head',
    hint: 'check space and rights of the keys folder; nothing is signed until then',
  },
  MIGRATION_MISMATCH: {
    status: 500,
    retry: 'never',
    title: 'schema does not match the migrations',
    hint: 'use the version that wrote this store, or `affidavit rebuild`',
  },
  CONFIG_INVALID: {
    status: 500,
    retry: 'never',
    title: 'configuration not valid',
    hint: '`affidavit config check` lists every problem',
  },
  USAGE_INVALID: {
    status: 400,
    retry: 'never',
    title: 'command line not valid',
    hint: 'the detail names the option and the values that it takes; --help lists all options of the command',
  },
  PACKAGE_NOT_READY: {
    status: 409,
    retry: 'later',
    title: 'evidence package not ready',
    hint: 'poll the job until its state is ready',
  },
  PACKAGE_INTERRUPTED: {
    status: 503,
    retry: 'later',
    title: 'evidence package was interrupted',
    hint: 'the process ended before it was written; request it again',
  },
  STORE_DIVERGED: {
    status: 500,
    retry: 'never',
    title: 'record store differs from the signed log',
    hint: 'run `affidavit verify` on the archive, then `affidavit rebuild`; see docs/runbook.md',
  },
  PROOF_NOT_READY: {
    status: 409,
    retry: 'later',
    title: 'no published checkpoint covers the record yet',
    hint: 'retry; a checkpoint is published soon after each batch',
  },
  INTERNAL: {
    status: 500,
    retry: 'never',
    title: 'internal error',
    hint: 'the log line with this request id says more',
  },
  CLOCK_AHEAD: {
    status: 503,
    retry: 'later',
    title: 'the clock is far ahead of all records',
    hint: 'correct the clock of the machine that seals, and sealing goes on by itself; if the clock is right, raise store.max_clock_ahead_days',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    retry: 'never',
    title: 'request headers too large',
    hint: 'send fewer and shorter headers: 16 KiB with the request line',
  },
  DATA_FOLDER_CHANGED: {
    status: 503,
    retry: 'later',
    title: 'data folder is not the one of the start',
    hint: 'bring the folder back to its place and the process goes on, or stop the process; see docs/runbook.md',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    retry: 'later',
    title: 'request took too long',
    hint: 'send headers within 15 seconds and the whole request within a minute',
  },
  KEY_STORE_UNAVAILABLE: {
    status: 503,
    retry: 'later',
    title: 'key store does not answer',
    hint: 'check space and rights of the key store, or the bucket or AWS KMS; nothing is sealed without its key',
  },
  KEY_STORE_DAMAGED: {
    status: 500,
    retry: 'never',
    title: 'object of the key store does not read as written',
    hint: 'bring this object back from the backup of the key store; see docs/runbook.md',
  },
  KEY_STORE_EXPOSED: {
    status: 500,
    retry: 'never',
    title: 'other users may read the key store or a master key',
    hint: 'make folders mode 0700 and files mode 0600, for the user of this process alone; if others may have read them, rotate the master key; see docs/runbook.md',
  },
  KEY_STORE_UNFIT: {
    status: 500,
    retry: 'never',
    title: 'bucket cannot hold keys',
    hint: 'take a bucket that never had versions or object lock, on a store that keeps If-None-Match: elsewhere a destroyed key lives on; see docs/runbook.md',
  },
  MASTER_KEY_MISSING: {
    status: 503,
    retry: 'later',
    title: 'master key is not on this machine',
    hint: 'bring the master key that the detail names to the folder of master keys of this machine; see docs/runbook.md',
  },
  KEY_MISSING: {
    status: 500,
    retry: 'never',
    title: 'no data key opens a frame of the archive',
    hint: 'bring the key store back from its backup; the archive is whole, but this part of it cannot be read; see docs/runbook.md',
  },
  KEY_DESTROYED: {
    status: 500,
    retry: 'never',
    title: 'a data key that is needed was destroyed',
    hint: 'the key store holds a tombstone for the class and month, or for the facts of records; see docs/runbook.md',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * An unexpected failure with a code of the table above. `detail` names the attempted operation with identifiers, never
 * with content; `place` is a JSON pointer, a byte offset or a path into the input where that is known. `hint` says what
 * to do, if this failure needs other advice than its code.
 */
export class PipelineError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly place: string | undefined;
  readonly hint: string;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { cause?: unknown; place?: string; hint?: string } = {},
  ) {
    super(`${code}: ${detail}`, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'PipelineError';
    this.code = code;
    this.detail = detail;
    this.place = options.place;
    this.hint = options.hint ?? ERRORS[code].hint;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }
}
