import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AthenaConnector } from '../../shared/connectors/async/built-in/aws/athena.ts';
import { S3SensorConnector } from '../../shared/connectors/async/built-in/aws/sensor-s3.ts';
import { StepFunctionsConnector } from '../../shared/connectors/async/built-in/aws/step-functions.ts';
import { idempotencyToken } from '../../shared/connectors/async/idempotency-token.ts';
import { isTerminal } from '../../shared/connectors/async/phases.ts';
import { aContext, aRequest, failure, kept } from '../shared/connectors/async/built-in/harness.ts';

const s3 = new S3Client();
const states = new SFNClient();
const bucket = `jobs-${randomUUID()}`;
let stateMachineArn = '';

/** No secrets and no configs: as in a function, the SDK's own chain gives credentials and region. */
const contextOf = (run: string) => aContext({}, { idempotencyToken: idempotencyToken('t', run, 'task', 0) });

beforeAll(async () => {
  const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' as const };
  await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
  const definition = JSON.stringify({ StartAt: 'Done', States: { Done: { Type: 'Pass', End: true } } });
  const roleArn = 'arn:aws:iam::123456789012:role/states';
  const made = await states.send(new CreateStateMachineCommand({ name: `m-${randomUUID()}`, definition, roleArn }));
  stateMachineArn = made.stateMachineArn ?? '';
});
afterAll(() => {
  s3.destroy();
  states.destroy();
});

describe('sensor.s3 on an AWS-compatible endpoint', () => {
  it('waits for an object, then for more of them', async () => {
    const connector = new S3SensorConnector();
    const context = contextOf(randomUUID());
    const custom = { bucket, prefix: 'in/', minObjects: 2, minBytes: 5 };
    const one = kept(connector, await connector.create(aRequest('sensor.s3', { bucket, key: 'in/a' })));
    const two = kept(connector, await connector.create(aRequest('sensor.s3', custom)));

    expect((await connector.get(one, context)).phase).toBe('RUNNING');
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'in/a', Body: 'abc' }));
    expect((await connector.get(one, context)).outputs).toMatchObject({ key: 'in/a', bytes: 3, objects: 1 });
    expect((await connector.get(two, context)).phase).toBe('RUNNING');
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'in/b', Body: 'de' }));
    expect((await connector.get(two, context)).outputs).toEqual({ bucket, objects: 2, bytes: 5 });
  });

  it('names a bucket that is not there', async () => {
    const connector = new S3SensorConnector();
    const handle = await connector.create(aRequest('sensor.s3', { bucket: `none-${randomUUID()}`, key: 'a' }));

    expect(await failure(connector.get(handle, contextOf('r')))).toMatchObject({ code: 'BadTaskSpecification' });
  });
});

describe('aws.athena on an AWS-compatible endpoint', () => {
  it('runs a query, tells where its result is, and stops it', async () => {
    const connector = new AthenaConnector();
    const context = contextOf(randomUUID());
    const sql = { statement: 'SELECT * FROM t WHERE day = ?' };
    const request = {
      taskTemplate: { type: 'aws.athena', sql, custom: { database: 'default', parameters: ['day'] } },
      inputs: { day: '2026-01-01' },
      outputPrefix: `s3://${bucket}/out`,
    };

    const handle = kept(connector, await connector.create(request, context));
    let resource = await connector.get(handle, context);
    for (let looks = 0; !isTerminal(resource.phase) && looks < 20; looks++)
      resource = await connector.get(handle, context);

    expect(resource).toMatchObject({ phase: 'SUCCEEDED', outputs: { queryId: handle.queryId } });
    expect(resource.outputs?.resultLocation).toContain(`s3://${bucket}/out/`);
    const metrics = await connector.getMetrics(handle, { queries: [] }, context);
    expect(metrics.results[0]?.metric).toBe('INGEST_BYTES_SCANNED');
    await connector.delete(handle, context);
    await connector.delete(handle, context);
  });
});

describe('aws.stepfunctions on an AWS-compatible endpoint', () => {
  it('makes one execution of two calls with one token, and stops it', async () => {
    const connector = new StepFunctionsConnector();
    const context = contextOf(randomUUID());
    const request = aRequest('aws.stepfunctions', { stateMachineArn }, { inputs: { day: '2026-01-01' } });

    const first = kept(connector, await connector.create(request, context));
    const second = await connector.create(request, context);
    const before = await connector.get(first, context);
    await connector.delete(first, context);
    const stopped = await connector.get(first, context);
    // With this name, and ended: a third call still means the same execution.
    const third = await connector.create(request, context);

    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect(before.phase).toBe('RUNNING');
    expect(stopped.phase).toBe('ABORTED');
    await connector.delete(first, context);
  });

  it('tells the history', async () => {
    const connector = new StepFunctionsConnector();
    const context = contextOf(randomUUID());
    const handle = await connector.create(aRequest('aws.stepfunctions', { stateMachineArn }), context);

    expect((await connector.getLogs(handle, { lines: 100 }, context)).lines[0]?.message).toBe('ExecutionStarted\n');
  });

  it('names a state machine, and an execution, that is not there', async () => {
    const connector = new StepFunctionsConnector();
    const none = stateMachineArn.replace(/[^:]+$/, `none-${randomUUID()}`);
    const executionArn = stateMachineArn.replace(':stateMachine:', ':execution:').concat(':none');

    const create = connector.create(aRequest('aws.stepfunctions', { stateMachineArn: none }), contextOf('r'));
    expect(await failure(create)).toMatchObject({ code: 'BadTaskSpecification' });
    expect(await failure(connector.get({ executionArn }, contextOf('r')))).toMatchObject({ code: 'ResourceGone' });
    await connector.delete({ executionArn }, contextOf('r'));
  });
});
