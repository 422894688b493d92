import { describe, expect, it } from 'vitest';
import type { CreateRequest } from '../../../../../shared/connectors/async/async-connector.ts';
import { AthenaConnector } from '../../../../../shared/connectors/async/built-in/aws/athena.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { AWS_SECRETS, awsError, useAwsService } from './aws-endpoint.ts';
import { aContext, aRequest, failure, kept, NOW, TOKEN } from './harness.ts';

const athena = useAwsService('AWS_ENDPOINT_URL_ATHENA');
const HANDLE = { queryId: 'q-1' };
const secrets = AWS_SECRETS;

const aQuery = (custom: JsonObject = {}, changed: Partial<CreateRequest> = {}): CreateRequest => ({
  ...aRequest('aws.athena', custom),
  taskTemplate: { type: 'aws.athena', custom, sql: { statement: 'SELECT * FROM t WHERE day = ? AND n > ?' } },
  ...changed,
});

/** For each test a connector of its own: clients are kept, and the endpoint is another one each time. */
const looked = (execution: JsonObject, context = aContext({ secrets })) => {
  athena.answer = () => ({ json: { QueryExecution: execution } });
  return new AthenaConnector().get(HANDLE, context);
};

describe('aws.athena, create', () => {
  it('starts the query with the token, results below the output prefix, and texts quoted', async () => {
    athena.answer = () => ({ json: { QueryExecutionId: 'q-1' } });
    const connector = new AthenaConnector();
    const custom = { database: 'db', catalog: 'c', workGroup: 'wg', parameters: ['day', 'n'], reuseMinutes: 60 };

    const handle = await connector.create(
      aQuery(custom, { inputs: { day: "1' OR '1'='1", n: 5 } }),
      aContext({ secrets }),
    );

    expect(kept(connector, handle, Object.values(secrets))).toEqual({ queryId: 'q-1' });
    expect(athena.calls).toEqual([
      {
        operation: 'StartQueryExecution',
        accessKeyId: 'AKIAEXAMPLE',
        region: 'eu-central-1',
        input: {
          QueryString: 'SELECT * FROM t WHERE day = ? AND n > ?',
          ClientRequestToken: TOKEN,
          QueryExecutionContext: { Database: 'db', Catalog: 'c' },
          WorkGroup: 'wg',
          ResultConfiguration: { OutputLocation: 's3://out/run/1/' },
          ExecutionParameters: ["'1'' OR ''1''=''1'", '5'],
          ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: 60 } },
        },
      },
    ]);
  });

  it('makes one query of two calls with one token', async () => {
    const queries = new Map<string, string>();
    athena.answer = ({ input }) => {
      const token = String(input.ClientRequestToken);
      queries.set(token, queries.get(token) ?? `q-${queries.size + 1}`);
      return { json: { QueryExecutionId: queries.get(token)! } };
    };
    const connector = new AthenaConnector();

    const first = await connector.create(aQuery(), aContext({ secrets }));
    const second = await connector.create(aQuery(), aContext({ secrets }));

    expect(second).toEqual(first);
    expect(queries.size).toBe(1);
  });

  it('leaves the location to the work group where outputs are not in S3', async () => {
    athena.answer = () => ({ json: { QueryExecutionId: 'q-1' } });

    await new AthenaConnector().create(aQuery({}, { outputPrefix: '/data/run/1' }), aContext({ secrets }));

    expect(athena.calls[0]?.input).not.toHaveProperty('ResultConfiguration');
  });

  it("keeps the region a task was started in, the template's before the connection's", async () => {
    athena.answer = () => ({ json: { QueryExecutionId: 'q-1' } });
    const connector = new AthenaConnector();
    const context = aContext({ secrets, configs: { region: 'us-east-1' } });

    const handle = kept(connector, await connector.create(aQuery({ region: 'eu-west-1' }), context));
    await connector.delete(handle, context);

    expect(athena.calls.map(({ region }) => region)).toEqual(['eu-west-1', 'eu-west-1']);
  });

  it('never takes the client of another credential', async () => {
    athena.answer = () => ({ json: { QueryExecutionId: 'q-1' } });
    const connector = new AthenaConnector();
    const others = { ...secrets, accessKeyId: 'AKIAOTHER' };

    for (const each of [secrets, others, secrets]) await connector.delete(HANDLE, aContext({ secrets: each }));

    expect(athena.calls.map(({ accessKeyId }) => accessKeyId)).toEqual(['AKIAEXAMPLE', 'AKIAOTHER', 'AKIAEXAMPLE']);
  });

  it.each<[string, CreateRequest]>([
    ['no statement', aRequest('aws.athena', {})],
    ['an empty one', { ...aQuery(), taskTemplate: { type: 'aws.athena', sql: { statement: '  ' } } }],
    ['one too long', { ...aQuery(), taskTemplate: { type: 'aws.athena', sql: { statement: 'é'.repeat(131_073) } } }],
    ['an input that is missing', aQuery({ parameters: ['day'] })],
    ['an input with parts', aQuery({ parameters: ['day'] }, { inputs: { day: [1] } })],
    ['a region that is none', aQuery({ region: 'evil.test#' })],
    ['a setting it does not know', aQuery({ db: 'x' })],
  ])('refuses %s', async (_name, request) => {
    const error = await failure(new AthenaConnector().create(request, aContext({ secrets })));

    expect(error).toMatchObject({ code: 'BadTaskSpecification', retryable: false });
    expect(athena.calls).toEqual([]);
  });

  it('takes a key in one secret, as JSON', async () => {
    athena.answer = () => ({ json: { QueryExecutionId: 'q-1' } });

    await new AthenaConnector().create(aQuery(), aContext({ secrets: { credentials: JSON.stringify(secrets) } }));

    expect(athena.calls[0]?.accessKeyId).toBe('AKIAEXAMPLE');
    const error = await failure(
      new AthenaConnector().create(aQuery(), aContext({ secrets: { credentials: '{"canary' } })),
    );
    expect(error).toMatchObject({ code: 'Unauthenticated' });
    expect(error.message).not.toContain('canary');
  });

  it('refuses half a key', async () => {
    const context = aContext({ secrets: { accessKeyId: 'AKIAEXAMPLE' } });

    expect(await failure(new AthenaConnector().create(aQuery(), context))).toMatchObject({ code: 'Unauthenticated' });
  });
});

describe('aws.athena, get', () => {
  it.each([
    ['QUEUED', 'QUEUED'],
    ['RUNNING', 'RUNNING'],
    ['SUCCEEDED', 'SUCCEEDED'],
    ['CANCELLED', 'ABORTED'],
    ['FAILED', 'FAILED'],
  ])('%s is %s', async (State, phase) => {
    expect((await looked({ Status: { State } })).phase).toBe(phase);
  });

  it('FAILED is RETRYABLE_FAILED where Athena says so', async () => {
    const AthenaError = { ErrorCategory: 1, ErrorType: 233, Retryable: true, ErrorMessage: 'try again' };

    expect(await looked({ Status: { State: 'FAILED', AthenaError } })).toMatchObject({
      phase: 'RETRYABLE_FAILED',
      message: 'try again',
      error: { code: 'AthenaError233', retryable: true, origin: 'service' },
    });
  });

  it.each(['PAUSED', 'toString'])('%s, which it does not know, goes on and is counted', async (State) => {
    const context = aContext({ secrets });

    expect(await looked({ Status: { State } }, context)).toMatchObject({
      phase: 'RUNNING',
      message: `unrecognised state ${State}`,
    });
    expect(context.warnings[0]).toContain('unknown_external_state');
  });

  it('tells where the result is and what was scanned', async () => {
    const resource = await looked({
      Status: { State: 'SUCCEEDED' },
      Statistics: { DataScannedInBytes: 123 },
      ResultConfiguration: { OutputLocation: 's3://out/run/1/q-1.csv' },
    });

    expect(resource.outputs).toEqual({ queryId: 'q-1', resultLocation: 's3://out/run/1/q-1.csv', scannedBytes: 123 });
  });
});

const CALLS = {
  create: (connector: AthenaConnector) => connector.create(aQuery(), aContext({ secrets })),
  get: (connector: AthenaConnector) => connector.get(HANDLE, aContext({ secrets })),
  delete: (connector: AthenaConnector) => connector.delete(HANDLE, aContext({ secrets })),
};

describe('aws.athena, errors', () => {
  it.each<[keyof typeof CALLS, number, string, string, boolean]>([
    ['create', 400, 'InvalidRequestException', 'BadTaskSpecification', false],
    ['get', 400, 'InvalidRequestException', 'ResourceGone', false],
    ['get', 400, 'UnrecognizedClientException', 'Unauthenticated', false],
    ['get', 403, 'ExpiredTokenException', 'Unauthenticated', false],
    ['create', 403, 'InvalidSignatureException', 'Unauthenticated', false],
    ['create', 400, 'AccessDeniedException', 'PermissionDenied', false],
    ['delete', 403, 'AccessDeniedException', 'PermissionDenied', false],
    ['create', 400, 'TooManyRequestsException', 'Throttled', true],
    ['get', 400, 'ThrottlingException', 'Throttled', true],
    ['delete', 500, 'InternalServerException', 'Unavailable', true],
    ['create', 503, 'Unknown', 'Unavailable', true],
    ['get', 0, 'no answer at all', 'Unavailable', true],
    ['get', 400, 'MetadataException', 'AwsRefused', false],
  ])('%s: %i %s is %s', async (call, status, name, code, retryable) => {
    athena.answer = () => (status === 0 ? { hangUp: true } : awsError(name, status));

    expect(await failure(CALLS[call](new AthenaConnector()))).toMatchObject({ code, retryable });
  });

  it('show nothing of what was signed', async () => {
    athena.answer = () =>
      awsError('InvalidSignatureException', 403, 'canonical: x-amz-security-token:canary-aws-session');

    const error = await failure(CALLS.get(new AthenaConnector()));

    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain('canary');
  });

  it('leave the caller its own reason', async () => {
    const reason = new Error('the time is up');
    const context = aContext({ secrets }, { signal: AbortSignal.abort(reason) });

    await expect(new AthenaConnector().get(HANDLE, context)).rejects.toBe(reason);
  });
});

describe('aws.athena, delete', () => {
  it('stops the query, as often as it is called', async () => {
    const connector = new AthenaConnector();

    await connector.delete(HANDLE, aContext({ secrets }));
    await connector.delete(HANDLE, aContext({ secrets }));

    expect(athena.calls).toMatchObject([{ operation: 'StopQueryExecution', input: { QueryExecutionId: 'q-1' } }, {}]);
  });

  it('is content if there is no such query', async () => {
    athena.answer = () => awsError('InvalidRequestException');

    await CALLS.delete(new AthenaConnector());
  });

  it.each(['SUCCEEDED', 'FAILED', 'CANCELLED'])('is content with a refusal if the query is %s', async (State) => {
    athena.answer = ({ operation }) =>
      operation === 'StopQueryExecution'
        ? awsError('AnyException')
        : { json: { QueryExecution: { Status: { State } } } };

    await CALLS.delete(new AthenaConnector());
  });

  it('fails with a refusal if the query may go on', async () => {
    athena.answer = ({ operation }) =>
      operation === 'StopQueryExecution'
        ? awsError('AnyException')
        : { json: { QueryExecution: { Status: { State: 'RUNNING' } } } };

    expect(await failure(CALLS.delete(new AthenaConnector()))).toMatchObject({ code: 'AwsRefused' });
  });
});

describe('aws.athena, getMetrics', () => {
  const metrics = (queries: string[], range: { startTime?: Date; endTime?: Date } = {}) => {
    athena.answer = () => ({
      json: {
        QueryExecution: {
          Status: { State: 'SUCCEEDED', CompletionDateTime: 1_767_225_600.5 },
          Statistics: { DataScannedInBytes: 10 },
        },
      },
    });
    return new AthenaConnector().getMetrics(HANDLE, { queries, ...range }, aContext({ secrets }));
  };
  const POINT = [1_767_225_600.5, '10'];

  it.each([[[]], [['INGEST_BYTES_SCANNED', 'OTHER']]])('tells the bytes scanned, as of %j', async (queries) => {
    expect(await metrics(queries)).toEqual({
      results: [
        {
          metric: 'INGEST_BYTES_SCANNED',
          data: { resultType: 'matrix', result: [{ metric: { queryId: 'q-1' }, values: [POINT] }] },
        },
      ],
    });
  });

  it('has no other metric, and no point outside the time asked for', async () => {
    expect(await metrics(['OTHER'])).toEqual({ results: [] });
    const later = await metrics([], { startTime: new Date(Date.parse(NOW) + 60_000) });
    expect(later.results[0]?.data.result[0]?.values).toEqual([]);
  });
});
