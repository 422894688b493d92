import { describe, expect, it } from 'vitest';
import { CONDITIONS, ConnectorError, GRPC_CODES } from '../../../../shared/connectors/async/errors.ts';
import { httpApi } from '../../../../shared/connectors/async/http-api.ts';
import { InvalidInputError, RetryableError } from '../../../../shared/core/errors.ts';
import { aJob, all, aRequest, CALL, failureOfCall, serviceWorld } from '../../../support/fake-connector.ts';

const handle = 'eyJpZCI6ImpvYi0xIn0';

function awsError(name: string, httpStatusCode = 400, more: object = {}): Error {
  return Object.assign(new Error('the service says no'), { name, $metadata: { httpStatusCode }, ...more });
}

const withStatus = (status: number, more: object = {}) =>
  Object.assign(new Error(`HTTP ${status}`), { status, ...more });
const fetchFailed = (code: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });

interface Row {
  readonly condition: string;
  readonly thrown: unknown;
  readonly code: string;
  readonly grpc: keyof typeof GRPC_CODES;
  readonly http: number;
  readonly retryable: boolean;
}

const row = (
  condition: string,
  thrown: unknown,
  code: string,
  grpc: Row['grpc'],
  http: number,
  retryable: boolean,
): Row => ({
  condition,
  thrown,
  code,
  grpc,
  http,
  retryable,
});

const THROWN: readonly Row[] = [
  row(
    'bad template or input',
    new ConnectorError('BadTaskSpecification'),
    'BadTaskSpecification',
    'INVALID_ARGUMENT',
    400,
    false,
  ),
  row('bad setting', new InvalidInputError('"x" is unknown'), 'BadTaskSpecification', 'INVALID_ARGUMENT', 400, false),
  row('external 401', withStatus(401), 'Unauthenticated', 'UNAUTHENTICATED', 401, false),
  row('expired token', awsError('ExpiredTokenException'), 'Unauthenticated', 'UNAUTHENTICATED', 401, false),
  row('external 403', withStatus(403), 'PermissionDenied', 'PERMISSION_DENIED', 403, false),
  row('denied', awsError('AccessDeniedException'), 'PermissionDenied', 'PERMISSION_DENIED', 403, false),
  row('external 404 in get', withStatus(404), 'ResourceGone', 'FAILED_PRECONDITION', 400, false),
  row('unknown execution', awsError('ExecutionDoesNotExist'), 'ResourceGone', 'FAILED_PRECONDITION', 400, false),
  row('external 429', withStatus(429), 'Throttled', 'RESOURCE_EXHAUSTED', 429, true),
  row('throttling', awsError('ThrottlingException'), 'Throttled', 'RESOURCE_EXHAUSTED', 429, true),
  row('external 5xx', withStatus(502), 'Unavailable', 'UNAVAILABLE', 503, true),
  row('external 5xx of an SDK', awsError('Whatever', 500), 'Unavailable', 'UNAVAILABLE', 503, true),
  row('socket error', fetchFailed('ECONNRESET'), 'Unavailable', 'UNAVAILABLE', 503, true),
  row('socket error', Object.assign(new Error('x'), { code: 'EPIPE' }), 'Unavailable', 'UNAVAILABLE', 503, true),
  row('said to be retryable', new RetryableError('busy'), 'Unavailable', 'UNAVAILABLE', 503, true),
  row(
    'a deadline of its own',
    new DOMException('late', 'TimeoutError'),
    'DeadlineExceeded',
    'DEADLINE_EXCEEDED',
    504,
    true,
  ),
  row('anything else', new Error('boom'), 'Internal', 'INTERNAL', 500, true),
  row('not even an error', 'boom', 'Internal', 'INTERNAL', 500, true),
  row('a code of its own', new ConnectorError('Odd', { retryable: false }), 'Odd', 'INTERNAL', 500, false),
  row(
    'said not to be retryable',
    Object.assign(new Error('x'), { retryable: false }),
    'Internal',
    'INTERNAL',
    500,
    false,
  ),
];

describe('what a connector throws', () => {
  it.each(THROWN)('$condition is $code: $grpc, $http', async ({ thrown, code, grpc, http, retryable }) => {
    const { service, connector, metrics } = serviceWorld();
    connector.onGet = () => {
      throw thrown;
    };

    const error = await failureOfCall(service.get(aJob(), {}));
    const answer = await httpApi({ service, newId: () => 'id' })({
      method: 'GET',
      path: `/api/v1/connector/task/fake/0/${handle}`,
    });

    expect(error).toMatchObject({ code, status: grpc, httpStatus: http, retryable });
    expect(error.message).toMatch(/^get of fake failed: /);
    expect(answer.status).toBe(http);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: GRPC_CODES[grpc],
      message: error.message,
      details: [{ reason: code, metadata: { status: grpc, retryable: String(retryable) } }],
    });
    expect(metrics).toContainEqual({
      name: 'requests_failure_total',
      value: 1,
      dimensions: { TaskType: 'fake', Operation: 'get', ErrorCode: code },
    });
  });

  it.each([
    ['create', 404, 'BadTaskSpecification'],
    ['create', 400, 'BadTaskSpecification'],
    ['get', 400, 'Internal'],
  ] as const)('%s that is answered with %i is %s', async (operation, status, code) => {
    const { service, connector } = serviceWorld();
    connector.onCreate = connector.onGet = () => {
      throw withStatus(status);
    };
    const call = operation === 'create' ? service.create(aRequest(), CALL) : service.get(aJob(), {});

    expect(await failureOfCall(call)).toMatchObject({ code });
  });

  it('a job that delete finds gone has stopped', async () => {
    const { service, connector } = serviceWorld();
    connector.onDelete = () => {
      throw awsError('ResourceNotFoundException', 404);
    };

    await service.delete(aJob(), {});

    expect(connector.calls).toEqual(['delete']);
  });
});

describe('what the service itself finds', () => {
  it.each([
    ['no such type', { ...aJob(), taskType: 'nothing' }, /"nothing" version 0/],
    ['no such version', { ...aJob(), taskTypeVersion: 7 }, /"fake" version 7/],
  ])('%s is NOT_FOUND, 404, not retryable', async (_what, job, message) => {
    const { service, metrics } = serviceWorld();

    const error = await failureOfCall(service.get(job, {}));

    expect(error).toMatchObject({ code: 'ConnectorNotFound', status: 'NOT_FOUND', httpStatus: 404, retryable: false });
    expect(error.message).toMatch(message);
    expect(metrics.at(-1)?.dimensions).toMatchObject({ ErrorCode: 'ConnectorNotFound' });
  });

  it('no such name is NOT_FOUND, 404', async () => {
    const { service } = serviceWorld();

    expect(await failureOfCall(() => service.getConnector('Nobody'))).toMatchObject({
      status: 'NOT_FOUND',
      httpStatus: 404,
    });
  });

  it('makes no metric dimension of what a stranger names', async () => {
    const { service, metrics } = serviceWorld();

    await failureOfCall(service.get({ ...aJob(), taskType: 'made-up-4711' }, {}));

    expect(metrics.map(({ dimensions }) => dimensions.TaskType)).toEqual(['unknown', 'unknown']);
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['a required member missing', '{}'],
    ['too long', `{"id":"${'x'.repeat(65_536)}"}`],
  ])('a handle that does not decode (%s) is INTERNAL with BadResourceMeta, not retryable', async (_what, text) => {
    const { service, connector } = serviceWorld();

    const error = await failureOfCall(service.get(aJob(new TextEncoder().encode(text)), {}));

    expect(error).toMatchObject({ code: 'BadResourceMeta', status: 'INTERNAL', httpStatus: 500, retryable: false });
    expect(connector.calls).toEqual([]);
  });

  it('a missing input is INVALID_ARGUMENT with BadTaskSpecification, and no job is created', async () => {
    const { service, connector } = serviceWorld();

    const error = await failureOfCall(service.create(aRequest({ interface: { inputs: { day: 'datetime' } } }), CALL));

    expect(error).toMatchObject({ code: 'BadTaskSpecification', status: 'INVALID_ARGUMENT', retryable: false });
    expect(error.message).toContain('input day is missing');
    expect(connector.calls).toEqual([]);
  });

  it.each(['metrics', 'logs'] as const)('a connector without %s is UNIMPLEMENTED, 501', async (what) => {
    const { service } = serviceWorld();
    const call =
      what === 'metrics' ? service.getMetrics(aJob(), { queries: [] }, {}) : all(service.getLogs(aJob(), {}, {}));

    expect(await failureOfCall(call)).toMatchObject({
      code: 'Unimplemented',
      status: 'UNIMPLEMENTED',
      httpStatus: 501,
      retryable: false,
    });
  });

  it('metrics outside the time of the task are OUT_OF_RANGE, 400', async () => {
    const { service, connector } = serviceWorld();
    Object.assign(connector, {
      getMetrics: async () => {
        throw new ConnectorError('MetricsOutOfRange');
      },
    });

    expect(await failureOfCall(service.getMetrics(aJob(), { queries: [] }, {}))).toMatchObject({
      status: 'OUT_OF_RANGE',
      httpStatus: 400,
      retryable: false,
    });
  });

  it('a log token that has expired is INVALID_ARGUMENT, 400', async () => {
    const { service, connector } = serviceWorld();
    Object.assign(connector, {
      getLogs: async () => {
        throw new ConnectorError('InvalidArgument', { message: 'the token has expired' });
      },
    });

    expect(await failureOfCall(all(service.getLogs(aJob(), { token: 'old' }, {})))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: 'logs of fake failed: the token has expired',
    });
  });
});

describe('how long to wait', () => {
  it.each([
    ['ConnectorError', new ConnectorError('Throttled', { retryAfterMs: 2500 }), 2500, '3'],
    ['RetryableError', new RetryableError('later', { retryAfterMs: 61_000 }), 61_000, '61'],
    [
      'an SDK',
      awsError('TooManyRequestsException', 429, { $response: { headers: { 'retry-after': '7' } } }),
      7000,
      '7',
    ],
    ['nobody', withStatus(429), undefined, '1'],
  ])('is taken from %s', async (_who, thrown, retryAfterMs, header) => {
    const { service, connector } = serviceWorld();
    connector.onGet = () => {
      throw thrown;
    };

    const error = await failureOfCall(service.get(aJob(), {}));
    const answer = await httpApi({ service, newId: () => 'id' })({
      method: 'GET',
      path: `/api/v1/connector/task/fake/0/${handle}`,
    });

    expect((error as ConnectorError).retryAfterMs).toBe(retryAfterMs);
    expect(answer.headers['retry-after']).toBe(header);
  });
});

describe('ConnectorError', () => {
  it('has status, retryability and origin from its code, and the last two as they are given', () => {
    expect(new ConnectorError('Throttled')).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      retryable: true,
      origin: 'service',
    });
    expect(new ConnectorError('Throttled', { retryable: false, origin: 'user' })).toMatchObject({
      retryable: false,
      origin: 'user',
    });
  });

  it('says what caused it unless it is told what to say', () => {
    expect(new ConnectorError('Odd', { cause: new Error('disk full') }).message).toBe('Odd: disk full');
  });

  it('keeps its code and origin through the service', async () => {
    const { service, connector } = serviceWorld();
    connector.onGet = () => {
      throw new ConnectorError('QuotaExceeded', { retryable: true, origin: 'user', message: 'too many slots' });
    };

    expect(await failureOfCall(service.get(aJob(), {}))).toMatchObject({
      name: 'ConnectorError',
      code: 'QuotaExceeded',
      origin: 'user',
      retryable: true,
      message: 'get of fake failed: too many slots',
    });
  });

  it('is retryable for the conditions that pass, and no other', () => {
    const retryable = Object.entries(CONDITIONS).flatMap(([code, { retryable }]) => (retryable ? [code] : []));

    expect(retryable).toEqual(['Throttled', 'Unavailable', 'DeadlineExceeded', 'Internal']);
  });
});
