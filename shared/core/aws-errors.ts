import { isRetryable } from './errors.ts';

/** What an AWS SDK error carries beside its name and message. Read by shape, so that this file needs no SDK. */
interface SdkFacts {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number };
  readonly $retryable?: object;
}

const TRANSIENT_NAMES = new Set([
  'InternalError',
  'InternalServerError',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);

/** True for what passes by itself: throttling, a failure of the service, a broken or timed-out connection. */
export function isTransientAwsError(error: unknown): boolean {
  if (!(error instanceof Error) || error.name === 'AbortError') return false;
  const { $metadata, $retryable } = error as SdkFacts;
  const status = $metadata?.httpStatusCode ?? 0;
  // 501 is an endpoint that lacks the operation: it will lack it tomorrow.
  if (status === 429 || (status >= 500 && status !== 501)) return true;
  return $retryable !== undefined || TRANSIENT_NAMES.has(error.name) || isRetryable(error);
}

/** `Name: message (request id)`: what support asks for, and nothing that was signed. */
export function describeAwsError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const id = (error as SdkFacts).$metadata?.requestId;
  return `${error.name}: ${error.message}${id ? ` (request ${id})` : ''}`;
}

export function awsStatus(error: unknown): number | undefined {
  return error instanceof Error ? (error as SdkFacts).$metadata?.httpStatusCode : undefined;
}

/** How many times the SDK sent the request that failed so. From the second on, an earlier one may have had its effect. */
export function awsAttempts(error: unknown): number {
  return (error instanceof Error && (error as SdkFacts).$metadata?.attempts) || 1;
}
