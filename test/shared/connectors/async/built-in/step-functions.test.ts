import { describe, expect, it } from 'vitest';
import { StepFunctionsConnector } from '../../../../../shared/connectors/async/built-in/aws/step-functions.ts';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { AWS_SECRETS, awsError, useAwsService } from './aws-endpoint.ts';
import { aContext, aRequest, failure, kept, TOKEN } from './harness.ts';

const states = useAwsService('AWS_ENDPOINT_URL_SFN');
const MACHINE = 'arn:aws:states:eu-west-1:123456789012:stateMachine:load';
const EXECUTION = `arn:aws:states:eu-west-1:123456789012:execution:load:${TOKEN}`;
const HANDLE = { executionArn: EXECUTION };
const secrets = AWS_SECRETS;

const create = (custom: JsonObject = {}, inputs?: JsonObject, connector = new StepFunctionsConnector()) =>
  connector.create(
    aRequest('aws.stepfunctions', { stateMachineArn: MACHINE, ...custom }, inputs ? { inputs } : {}),
    aContext({ secrets }),
  );

const looked = (
  execution: JsonObject,
  handle: Parameters<StepFunctionsConnector['get']>[0] = HANDLE,
  context = aContext({ secrets }),
) => {
  states.answer = () => ({ json: execution });
  return new StepFunctionsConnector().get(handle, context);
};

describe('aws.stepfunctions, create', () => {
  it('starts an execution named by the token, in the region of the state machine', async () => {
    states.answer = () => ({ json: { executionArn: EXECUTION, startDate: 1 } });
    const connector = new StepFunctionsConnector();
    const input = { day: '{{.inputs.day}}', to: '{{.outputPrefix}}', all: '{{.inputs.list}}' };

    const handle = await create({ input }, { day: '1', list: [1] }, connector);

    expect(kept(connector, handle, Object.values(secrets))).toEqual(HANDLE);
    expect(states.calls).toMatchObject([
      {
        operation: 'StartExecution',
        region: 'eu-west-1',
        input: { stateMachineArn: MACHINE, name: TOKEN, input: '{"day":"1","to":"s3://out/run/1","all":[1]}' },
      },
    ]);
  });

  it('gives the inputs as they are if the template says no other', async () => {
    states.answer = () => ({ json: { executionArn: EXECUTION, startDate: 1 } });

    await create({}, { a: 1 });
    await create();

    expect(states.calls.map(({ input }) => input.input)).toEqual(['{"a":1}', '{}']);
  });

  it.each(['', ':7', ':prod'])('takes an execution that is there already for its own, of %s', async (qualifier) => {
    states.answer = () => awsError('ExecutionAlreadyExists');

    expect(await create({ stateMachineArn: `${MACHINE}${qualifier}` })).toEqual(HANDLE);
  });

  it.each<[string, JsonObject, JsonObject?]>([
    ['no ARN', { stateMachineArn: 'load' }],
    ['an ARN of something else', { stateMachineArn: 'arn:aws:lambda:eu-west-1:123456789012:function:x' }],
    [
      'an ARN that would make another host',
      { stateMachineArn: 'arn:aws:states:evil.test/:123456789012:stateMachine:load' },
    ],
    ['an input that is not there', { input: '{{.inputs.nope}}' }],
    ['too large an input', {}, { a: 'x'.repeat(262_144) }],
    ['a path that is none', { outputs: { rows: 'rows' } }],
    ['a setting it does not know', { name: 'x' }],
  ])('refuses %s', async (_name, custom, inputs) => {
    expect(await failure(create(custom, inputs))).toMatchObject({ code: 'BadTaskSpecification', retryable: false });
    expect(states.calls).toEqual([]);
  });

  it('refuses an express state machine, which cannot be asked how it stands', async () => {
    states.answer = () => ({ json: { executionArn: EXECUTION.replace(':execution:', ':express:'), startDate: 1 } });

    expect(await failure(create())).toMatchObject({ code: 'BadTaskSpecification' });
  });
});

describe('aws.stepfunctions, get', () => {
  it.each([
    ['RUNNING', 'RUNNING'],
    ['PENDING_REDRIVE', 'QUEUED'],
    ['SUCCEEDED', 'SUCCEEDED'],
    ['ABORTED', 'ABORTED'],
    ['TIMED_OUT', 'FAILED'],
    ['FAILED', 'FAILED'],
  ])('%s is %s', async (status, phase) => {
    expect((await looked({ status })).phase).toBe(phase);
  });

  it('TIMED_OUT is TimedOut', async () => {
    expect((await looked({ status: 'TIMED_OUT' })).error).toEqual({ code: 'TimedOut', origin: 'service' });
  });

  it.each(['SLEEPING', 'valueOf'])('%s, which it does not know, goes on and is counted', async (status) => {
    const context = aContext({ secrets });

    expect(await looked({ status }, HANDLE, context)).toMatchObject({
      phase: 'RUNNING',
      message: `unrecognised state ${status}`,
    });
    expect(context.warnings[0]).toContain('unknown_external_state');
  });

  it('tells why an execution failed', async () => {
    expect(await looked({ status: 'FAILED', error: 'States.TaskFailed', cause: 'no table' })).toMatchObject({
      message: 'States.TaskFailed: no table',
      error: { code: 'States.TaskFailed', origin: 'service' },
    });
  });

  it('tells what it put out, whole or in parts, with its long numbers', async () => {
    const execution = { status: 'SUCCEEDED', output: '{"rows":9007199254740993,"where":{"key":"k"}}' };

    expect((await looked(execution)).outputs).toEqual({ output: { rows: '9007199254740993', where: { key: 'k' } } });
    const outputs = { rows: '$.rows', key: '$.where.key', none: '$.none' };
    expect((await looked(execution, { ...HANDLE, outputs })).outputs).toEqual({ rows: '9007199254740993', key: 'k' });
    expect((await looked({ status: 'SUCCEEDED' })).outputs).toEqual({});
  });
});

const CALLS = {
  create: () => create(),
  get: () => new StepFunctionsConnector().get(HANDLE, aContext({ secrets })),
  delete: () => new StepFunctionsConnector().delete(HANDLE, aContext({ secrets })),
  logs: () => new StepFunctionsConnector().getLogs(HANDLE, { lines: 10, token: 't' }, aContext({ secrets })),
};

describe('aws.stepfunctions, errors', () => {
  it.each<[keyof typeof CALLS, number, string, string, boolean]>([
    ['create', 400, 'StateMachineDoesNotExist', 'BadTaskSpecification', false],
    ['create', 400, 'InvalidExecutionInput', 'BadTaskSpecification', false],
    ['create', 400, 'ExecutionLimitExceeded', 'Throttled', true],
    ['create', 400, 'KmsThrottlingException', 'Throttled', true],
    ['get', 400, 'ExecutionDoesNotExist', 'ResourceGone', false],
    ['get', 400, 'UnrecognizedClientException', 'Unauthenticated', false],
    ['get', 400, 'AccessDeniedException', 'PermissionDenied', false],
    ['get', 400, 'KmsAccessDeniedException', 'PermissionDenied', false],
    ['get', 429, 'ThrottlingException', 'Throttled', true],
    ['delete', 500, 'InternalFailure', 'Unavailable', true],
    ['delete', 0, 'no answer at all', 'Unavailable', true],
    ['get', 400, 'InvalidArn', 'AwsRefused', false],
    ['logs', 400, 'InvalidToken', 'InvalidArgument', false],
  ])('%s: %i %s is %s', async (call, status, name, code, retryable) => {
    states.answer = () => (status === 0 ? { hangUp: true } : awsError(name, status));

    expect(await failure(CALLS[call]())).toMatchObject({ code, retryable });
  });
});

describe('aws.stepfunctions, delete', () => {
  it('stops the execution, as often as it is called', async () => {
    states.answer = () => ({ json: { stopDate: 1 } });

    await CALLS.delete();
    await CALLS.delete();

    expect(states.calls).toMatchObject([{ operation: 'StopExecution', input: { executionArn: EXECUTION } }, {}]);
  });

  it('is content if there is no such execution, or if it has ended', async () => {
    states.answer = () => awsError('ExecutionDoesNotExist');
    await CALLS.delete();
    states.answer = ({ operation }) =>
      operation === 'StopExecution' ? awsError('ValidationException') : { json: { status: 'SUCCEEDED' } };
    await CALLS.delete();
  });

  it('fails with a refusal if the execution may go on', async () => {
    states.answer = ({ operation }) =>
      operation === 'StopExecution' ? awsError('ValidationException') : { json: { status: 'RUNNING' } };

    expect(await failure(CALLS.delete())).toMatchObject({ code: 'AwsRefused', retryable: false });
  });
});

describe('aws.stepfunctions, getLogs', () => {
  it('tells the history page by page, without data', async () => {
    states.answer = ({ input }) => ({
      json: input.nextToken
        ? { events: [{ id: 2, type: 'ExecutionSucceeded', timestamp: 1_767_225_601 }] }
        : {
            events: [
              { id: 1, type: 'TaskStateEntered', timestamp: 1_767_225_600, stateEnteredEventDetails: { name: 'Load' } },
            ],
            nextToken: 'next',
          },
    });
    const connector = new StepFunctionsConnector();

    const first = await connector.getLogs(HANDLE, { lines: 5000 }, aContext({ secrets }));
    const second = await connector.getLogs(HANDLE, { lines: 5, token: first.nextToken! }, aContext({ secrets }));

    expect(first).toEqual({
      lines: [{ timestamp: '2026-01-01T00:00:00.000Z', message: 'TaskStateEntered Load\n', originator: 'SYSTEM' }],
      nextToken: 'next',
    });
    expect(second.nextToken).toBeUndefined();
    expect(states.calls.map(({ input }) => input)).toMatchObject([
      { maxResults: 1000, includeExecutionData: false },
      { maxResults: 5, nextToken: 'next' },
    ]);
  });
});

describe('aws.stepfunctions, handles', () => {
  it.each([
    '{}',
    '{"executionArn":"x"}',
    `{"executionArn":"arn:aws:states:evil.test/x:123456789012:execution:load:a"}`,
  ])('refuses %s', (text) => {
    expect(() => new StepFunctionsConnector().metadataType.decode(new TextEncoder().encode(text))).toThrow(
      /executionArn/,
    );
  });
});
