import { describe, expect, it } from 'vitest';
import { awsAttempts, awsStatus, describeAwsError, isTransientAwsError } from '../../../shared/core/aws-errors.ts';

const awsError = (name: string, facts: object = {}) => Object.assign(new Error('in its words'), { name, ...facts });
const status = (httpStatusCode: number) => ({ $metadata: { httpStatusCode, requestId: 'request-1', attempts: 3 } });

describe('isTransientAwsError', () => {
  it.each([
    ['throttling by status', awsError('Unknown', status(429)), true],
    ['throttling by name', awsError('ThrottlingException', status(400)), true],
    ['a failure of the service', awsError('InternalError', status(500)), true],
    ['what the SDK calls retryable', awsError('Unknown', { ...status(400), $retryable: {} }), true],
    ['a timeout', awsError('TimeoutError'), true],
    ['a socket error', awsError('Error', { code: 'ECONNRESET' }), true],
    ['a socket error inside', awsError('Error', { cause: awsError('Error', { code: 'ECONNREFUSED' }) }), true],
    ['an operation the endpoint lacks', awsError('NotImplemented', status(501)), false],
    ['missing rights', awsError('AccessDenied', status(403)), false],
    ['a failed condition', awsError('PreconditionFailed', status(412)), false],
    ['an abort', awsError('AbortError', { code: 'ECONNRESET' }), false],
    ['what is no error', 'ECONNRESET', false],
  ])('of %s', (_what, error, transient) => {
    expect(isTransientAwsError(error)).toBe(transient);
  });
});

describe('what an AWS error tells', () => {
  it('is its name, its words and the request id', () => {
    expect(describeAwsError(awsError('AccessDenied', status(403)))).toBe(
      'AccessDenied: in its words (request request-1)',
    );
    expect(describeAwsError(awsError('TimeoutError'))).toBe('TimeoutError: in its words');
  });

  it('is its status and how often it was sent', () => {
    expect([awsStatus(awsError('X', status(403))), awsAttempts(awsError('X', status(403)))]).toEqual([403, 3]);
    expect([awsStatus(new Error('x')), awsAttempts(new Error('x'))]).toEqual([undefined, 1]);
  });
});
