import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT, serverless } from '../support/command.ts';

interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly Properties: Record<string, unknown>;
}

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const OUTPUT = join(ROOT, '.serverless');
const FUNCTIONS = [
  'start-refresh',
  'list-objects',
  'poll-job',
  'read-bytes',
  'finish-refresh',
  'stream-upload',
  'sweep',
  'connector-service',
];
const QUEUES = 5;
let resources: Record<string, Resource>;

beforeAll(async () => {
  const { code, stdout, stderr } = await serverless(['package', '--stage', 'test']);
  expect({ code, told: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, told: '' });
  resources = JSON.parse(readFileSync(join(OUTPUT, 'cloudformation-template-update-stack.json'), 'utf8')).Resources;
});

const ofType = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);
const named = (property: string, name: string) =>
  Object.values(resources).find(({ Properties }) => Properties?.[property] === name)!;
const functionNamed = (name: string) => named('FunctionName', `landfall-test-${name}`).Properties;

function roleOf(name: string): Statement[] {
  const { 'Fn::Sub': reference } = functionNamed(name).Role as { 'Fn::Sub': string };
  const { Policies } = resources[reference.slice(2, -'.Arn}'.length)]!.Properties;
  return (Policies as { PolicyDocument: { Statement: Statement[] } }[]).flatMap(
    ({ PolicyDocument }) => PolicyDocument.Statement,
  );
}

const statementOf = (name: string, action: string) =>
  roleOf(name).find(({ Action }) => Action.includes(action) || (Action as unknown) === action);
const actionsOf = (name: string, service: string) =>
  roleOf(name)
    .flatMap(({ Action }) => Action)
    .filter((action) => action.startsWith(`${service}:`));

describe('the functions', () => {
  it.each(FUNCTIONS)('%s runs on Node 24 on arm64, and knows where its tables, queues and objects are', (name) => {
    expect(functionNamed(name)).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: `dist/${name}/index.handler`,
      Environment: {
        Variables: {
          LANDFALL_PREFIX: 'landfall-test',
          LANDFALL_BUCKET: { Ref: 'LandingBucket' },
          NODE_OPTIONS: '--max-semi-space-size=1',
        },
      },
    });
  });

  it.each(FUNCTIONS)('%s is packaged with its own bundle and nothing else', (name) => {
    const list = execFileSync('python3', ['-m', 'zipfile', '--list', join(OUTPUT, `${name}.zip`)], {
      encoding: 'utf8',
    });
    const files = list
      .split('\n')
      .slice(1)
      .flatMap((line) => /^\S+/.exec(line)?.[0] ?? []);

    expect(files).toContain(`dist/${name}/index.js`);
    expect(files).toContain(`dist/${name}/package.json`);
    expect(files.filter((file) => !file.startsWith(`dist/${name}/`))).toEqual([]);
  });

  it('each have a log group that forgets', () => {
    const groups = ofType('AWS::Logs::LogGroup').map(({ Properties }) => Properties);

    expect(groups).toHaveLength(FUNCTIONS.length);
    for (const group of groups) expect(group).toMatchObject({ RetentionInDays: 30 });
  });
});

describe('the roles', () => {
  it('are one for each function, and never wildcards', () => {
    const roles = FUNCTIONS.map((name) => functionNamed(name).Role);

    expect(new Set(roles.map((role) => JSON.stringify(role))).size).toBe(FUNCTIONS.length);
    for (const { Action, Resource } of FUNCTIONS.flatMap(roleOf)) {
      expect([Action].flat().join()).not.toContain('*');
      expect([Resource].flat()).not.toContain('*');
    }
  });

  it.each([
    ['start-refresh', []],
    ['list-objects', ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject', 's3:ListBucket']],
    ['poll-job', ['s3:PutObject']],
    ['read-bytes', ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload']],
    ['finish-refresh', ['s3:GetObject', 's3:PutObject', 's3:ListBucket']],
    ['stream-upload', ['s3:GetObject', 's3:PutObject', 's3:ListBucket']],
    ['sweep', ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:ListBucket', 's3:ListBucket']],
    ['connector-service', []],
  ])('let %s do to objects only what it does', (name, actions) => {
    expect(actionsOf(name, 's3')).toEqual(actions);
  });

  it('let only the sweep delete objects, and list nothing but garbage', () => {
    expect(statementOf('sweep', 's3:DeleteObject')?.Resource).toEqual(
      ['data', 'manifest', 'garbage'].map((kind) => ({ 'Fn::Sub': `\${LandingBucket.Arn}/*/${kind}/*` })),
    );
    expect(statementOf('sweep', 's3:ListBucket')?.Condition).toEqual({ StringLike: { 's3:prefix': ['*/garbage/*'] } });
  });

  it.each([
    ['start-refresh', 0],
    ['list-objects', 1],
    ['poll-job', 1],
    ['read-bytes', 1],
    ['finish-refresh', 0],
    ['stream-upload', 1],
    ['sweep', 1],
    ['connector-service', 1],
  ])('let %s read secrets only if it opens sources', (name, count) => {
    const secrets = actionsOf(name, 'secretsmanager');

    expect(secrets).toHaveLength(count);
    if (count === 0) return;
    expect(JSON.stringify(statementOf(name, 'secretsmanager:GetSecretValue')?.Resource)).toContain('secret:landfall/*');
    expect(JSON.stringify(statementOf(name, 'ssm:GetParameter')?.Resource)).toContain('parameter/landfall/*');
  });

  it('let a function receive from its own queue only', () => {
    for (const [name, queue] of [
      ['list-objects', 'ListObjectsQueue'],
      ['poll-job', 'PollJobQueue'],
      ['stream-upload', 'StreamUploadQueue'],
      ['read-bytes', 'ReadBytesQueue'],
      ['finish-refresh', 'FinishRefreshQueue'],
    ] as const) {
      expect(statementOf(name, 'sqs:ReceiveMessage')?.Resource).toEqual([{ 'Fn::GetAtt': [queue, 'Arn'] }]);
    }
    expect(statementOf('sweep', 'sqs:ReceiveMessage')).toBeUndefined();
  });
});

describe('the queues', () => {
  it.each(['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload'])(
    '%s hides a message for longer than its function',
    (name) => {
      const { Timeout } = functionNamed(name);
      const { VisibilityTimeout } = named('QueueName', `landfall-test-${name}`).Properties;

      expect(VisibilityTimeout).toBeGreaterThan(Timeout as number);
    },
  );

  it.each(['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload'])(
    '%s keeps messages, and what fails, encrypted',
    (name) => {
      const queue = named('QueueName', `landfall-test-${name}`).Properties;
      const dead = named('QueueName', `landfall-test-${name}-dead`).Properties;

      expect(queue).toMatchObject({
        MessageRetentionPeriod: 1_209_600,
        SqsManagedSseEnabled: true,
        RedrivePolicy: { maxReceiveCount: 10 },
      });
      expect(dead).toMatchObject({ MessageRetentionPeriod: 1_209_600, SqsManagedSseEnabled: true });
    },
  );

  it.each([
    ['ListObjectsQueue', 10],
    ['PollJobQueue', 10],
    ['ReadBytesQueue', 1],
    ['FinishRefreshQueue', 1],
    ['StreamUploadQueue', 1],
  ])('%s feeds its function with partial failures and bounded concurrency', (queue, batchSize) => {
    const source = ofType('AWS::Lambda::EventSourceMapping').find(({ Properties }) =>
      JSON.stringify(Properties.EventSourceArn).includes(`"${queue}"`),
    );

    expect(source?.Properties).toMatchObject({
      BatchSize: batchSize,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: expect.any(Number) },
    });
  });
});

describe('what must outlive the stack', () => {
  it.each(['nodes', 'partitions', 'runs', 'jobs', 'buckets'])(
    'the table %s is on demand and can be restored',
    (name) => {
      const table = named('TableName', `landfall-test-${name}`);

      expect(table).toMatchObject({
        DeletionPolicy: 'Retain',
        UpdateReplacePolicy: 'Retain',
        Properties: {
          BillingMode: 'PAY_PER_REQUEST',
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
          TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
          SSESpecification: { SSEEnabled: true },
        },
      });
    },
  );

  it('the bucket is encrypted, closed to the public, and clears what is left over', () => {
    const { LandingBucket, LandingBucketPolicy } = resources;

    expect(LandingBucket).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LifecycleConfiguration: {
          Rules: [
            { Prefix: 'staging/', ExpirationInDays: 2, Status: 'Enabled' },
            { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 }, Status: 'Enabled' },
          ],
        },
      },
    });
    expect(LandingBucketPolicy?.Properties).toMatchObject({
      PolicyDocument: {
        Statement: [{ Effect: 'Deny', Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }],
      },
    });
  });
});

describe('what watches and starts', () => {
  it('alarms tell of dead letters, errors, throttles and old messages, and of jobs and sinks out of hand', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);
    const metricsOf = ({ Metrics }: Record<string, unknown>) =>
      (Metrics as { MetricStat?: { Metric: { MetricName: string } } }[]).flatMap(
        ({ MetricStat }) => MetricStat?.Metric.MetricName ?? [],
      );

    expect(alarms.map(({ AlarmName }) => AlarmName)).toEqual(
      ['dead-letters', 'oldest-message', 'errors', 'throttles', 'jobs-not-stopped', 'sinks-behind'].map(
        (name) => `landfall-test-${name}`,
      ),
    );
    expect(alarms.map((alarm) => [new Set(metricsOf(alarm)), metricsOf(alarm).length])).toEqual([
      [new Set(['ApproximateNumberOfMessagesVisible']), QUEUES],
      [new Set(['ApproximateAgeOfOldestMessage']), QUEUES],
      [new Set(['Errors']), FUNCTIONS.length],
      [new Set(['Throttles']), FUNCTIONS.length],
      [new Set(['landfall-test-jobs-not-stopped']), 1],
      [new Set(['landfall-test-sinks-behind']), 1],
    ]);
  });

  it('schedules start the sweep and the pipelines that have one', () => {
    const names = ofType('AWS::Scheduler::Schedule').map(({ Properties }) => Properties.Name);

    expect(names).toContain('_sweep');
    expect(names).toContain('earthquakes');
  });
});

describe('the connector service', () => {
  it('is reached over an HTTP API, by callers whom IAM lets in, and by no other way', () => {
    const routes = ofType('AWS::ApiGatewayV2::Route').map(({ Properties }) => Properties);

    expect(routes.map(({ RouteKey }) => RouteKey).sort()).toEqual(['ANY /api/v1/{proxy+}', 'GET /healthz']);
    for (const route of routes) expect(route).toMatchObject({ AuthorizationType: 'AWS_IAM' });
    expect(ofType('AWS::Lambda::Url')).toEqual([]);
    expect(ofType('AWS::ApiGatewayV2::Api')[0]?.Properties).toMatchObject({
      Name: 'landfall-test-connectors',
      ProtocolType: 'HTTP',
    });
    expect(ofType('AWS::ApiGatewayV2::Api')[0]?.Properties).not.toHaveProperty('CorsConfiguration');
  });

  it('gets events of format 2.0, and connections as JSON', () => {
    const integration = ofType('AWS::ApiGatewayV2::Integration')[0]?.Properties;

    expect(integration).toMatchObject({ PayloadFormatVersion: '2.0' });
    expect(functionNamed('connector-service')).toMatchObject({
      Timeout: 29,
      Environment: { Variables: { LANDFALL_CONNECTIONS: '{}' } },
    });
  });
});

it('no part of the template names this machine', () => {
  expect(existsSync(OUTPUT)).toBe(true);
  expect(JSON.stringify(resources)).not.toContain(ROOT);
});
