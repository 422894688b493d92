import { awsStatus, describeAwsError, isTransientAwsError } from '../../../../core/aws-errors.ts';
import { type ConditionCode, ConnectorError } from '../../errors.ts';

const THROTTLED =
  /^((Kms)?Throttl\w*|TooManyRequests\w*|RequestLimitExceeded|RequestThrottled\w*|SlowDown|ExecutionLimitExceeded|LimitExceededException|ProvisionedThroughputExceeded\w*)$/;
const UNAUTHENTICATED =
  /^(UnrecognizedClient\w*|InvalidSignature\w*|SignatureDoesNotMatch|ExpiredToken\w*|InvalidToken\w*|InvalidClientTokenId|InvalidAccessKeyId|MissingAuthenticationToken\w*|IncompleteSignature\w*|CredentialsProviderError|TokenRefreshRequired)$/;
const DENIED = /^(AccessDenied\w*|NotAuthorized|OptInRequired|KmsAccessDenied\w*|AllAccessDisabled)$/;

/**
 * What the SDK threw after repetitions of its own, as an error of the connector.
 *
 * @param what was done, in words, for the message
 * @param codes by the SDK's name of the error, for those that mean something here
 */
export function awsConnectorError(
  what: string,
  error: unknown,
  codes: Readonly<Record<string, ConditionCode>> = {},
): ConnectorError {
  if (error instanceof ConnectorError) return error;
  const name = error instanceof Error ? error.name : 'Error';
  const status = awsStatus(error);
  const own = Object.hasOwn(codes, name) ? codes[name] : undefined;
  if (own) return new ConnectorError(own, { message: `${what}: ${describeAwsError(error)}` });
  if (status === 401 || UNAUTHENTICATED.test(name)) {
    // Its message may quote the request as it was signed, session token and all.
    return new ConnectorError('Unauthenticated', { message: `${what}: AWS refused the credentials (${name})` });
  }
  const message = `${what}: ${describeAwsError(error)}`;
  if (status === 403 || DENIED.test(name)) return new ConnectorError('PermissionDenied', { message });
  if (status === 429 || THROTTLED.test(name)) return new ConnectorError('Throttled', { message });
  if (isTransientAwsError(error)) return new ConnectorError('Unavailable', { message });
  return new ConnectorError('AwsRefused', { message, retryable: false, origin: 'service' });
}

/** Calls the SDK; what it throws is named, but for the caller's own abort. */
export async function toldByAws<T>(
  what: string,
  signal: AbortSignal,
  call: () => Promise<T>,
  codes: Readonly<Record<string, ConditionCode>> = {},
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    signal.throwIfAborted();
    throw awsConnectorError(what, error, codes);
  }
}
