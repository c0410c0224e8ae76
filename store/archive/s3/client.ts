/** One client of one bucket, and the meaning of its answers. The only file that knows the SDK's errors. */
import { S3Client, S3ServiceException, type S3ClientConfig } from '@aws-sdk/client-s3';

export interface S3Connection {
  /** URL of a server that speaks S3. @default AWS itself */
  readonly endpoint?: string | undefined;
  readonly region: string;
  readonly bucket: string;
  /** @default the SDK's chain (environment, profile, web identity, instance) */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Bucket in the path instead of the host name. @default true where an endpoint is given */
  readonly forcePathStyle?: boolean | undefined;
  /** A request without an answer by then has an unknown outcome. @default 20000 */
  readonly requestTimeoutMs?: number | undefined;
}

/** Bucket and client go together through the adapter. */
export interface S3Bucket {
  readonly client: S3Client;
  readonly bucket: string;
}

/**
 * - `transient`: the same request may succeed later, and a write may have been applied.
 * - `exists`: a create-only write found an object.
 * - `missing`: there is no such object, version or upload.
 * - `refused`: the server understood and said no.
 */
type S3Outcome = 'transient' | 'exists' | 'missing' | 'refused';

/** How long the store may take to accept a connection. */
const CONNECT_TIMEOUT_MS = 3_000;
/** How long the store may take for an answer, unless the connection says otherwise. */
const REQUEST_TIMEOUT_MS = 20_000;

/** 4xx answers that concern this attempt and not the request: a body cut or changed on its way, a racing writer. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'OperationAborted',
  'RequestTimeout',
  'SlowDown',
  'ThrottlingException',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
]);

/**
 * The SDK's retries are off: after a write of unknown outcome the adapter must look before it repeats, and the SDK would
 * repeat at once and take its first object for a rival's. The adapter sends digests, so the SDK adds none.
 */
export function openBucket(connection: S3Connection): S3Bucket {
  const { endpoint, region, bucket, credentials, requestTimeoutMs = REQUEST_TIMEOUT_MS } = connection;
  const config: S3ClientConfig = {
    region,
    maxAttempts: 1,
    forcePathStyle: connection.forcePathStyle ?? endpoint !== undefined,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      socketTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  };
  if (endpoint !== undefined) config.endpoint = endpoint;
  if (credentials !== undefined) config.credentials = credentials;
  return { client: new S3Client(config), bucket };
}

/** Undefined where the error is neither an answer nor a failed connection: a mistake in this program or its settings. */
export function outcomeOf(error: unknown): S3Outcome | undefined {
  const status = statusOf(error);
  if (nameOf(error) === 'CredentialsProviderError') return 'refused';
  if (status === undefined) return isConnectionFailure(error) ? 'transient' : undefined;
  if (status >= 500 || status === 429 || status === 408 || status < 400) return 'transient';
  if (PASSING_CODES.has(nameOf(error))) return 'transient';
  if (status === 412) return 'exists';
  return status === 404 ? 'missing' : 'refused';
}

/** For people: `403 AccessDenied`, or the name of the connection's error. Never a key, a token or a body. */
export function describeError(error: unknown): string {
  const status = statusOf(error);
  return status === undefined ? nameOf(error) : `${String(status)} ${nameOf(error)}`;
}

/** Status of the HTTP answer, undefined without an answer. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof S3ServiceException) return error.$metadata.httpStatusCode;
  // An answer that does not decode (a proxy's page, a cut body) has a status and is not an S3ServiceException.
  const metadata = (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata;
  return metadata?.httpStatusCode;
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error instanceof S3ServiceException) return error.name;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return code ?? error.name;
}

/** Node's system errors, the SDK's timeouts, and bodies that ended early. */
function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'TimeoutError' || error.name === 'AbortError' || error.message === 'aborted')
    return true;
  return (
    'code' in error && typeof error.code === 'string' && /^(E[A-Z_]+|ERR_STREAM_[A-Z_]+)$/.test(error.code)
  );
}
