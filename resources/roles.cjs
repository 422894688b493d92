// One role for each function, with the actions its step can come to. A step that calls something new needs a word here; the
// table says what each may do, and to what.

const READ = ['GetItem', 'Query'];
const MANY = ['BatchGetItem'];
const PUT = ['PutItem'];
const CHANGE = ['UpdateItem'];
const DELETE = ['DeleteItem'];
/** Puts or deletes many at once: both are one permission of DynamoDB's. */
const BATCH = ['BatchWriteItem'];

const NEEDS = {
  'start-refresh': {
    tables: { runs: ['GetItem', ...CHANGE] },
    sends: ['list-objects'],
  },
  'list-objects': {
    receives: 'list-objects',
    tables: {
      nodes: [...READ, ...MANY, ...CHANGE],
      partitions: [...READ, ...CHANGE, ...DELETE, ...BATCH],
      runs: ['GetItem', ...CHANGE],
      // A job is begun, or waited for.
      jobs: ['Query', ...PUT, ...CHANGE],
    },
    sends: ['list-objects', 'poll-job', 'read-bytes', 'finish-refresh'],
    // Of a node that completes at once it also writes the manifest.
    gets: ['*/manifest/*', 'staging/*'],
    puts: ['*/manifest/*', '*/garbage/*', 'staging/*'],
    uploads: ['staging/*'],
    // What was kept there of a listing that has ended.
    deletes: ['staging/*'],
    looksForMissing: true,
    secrets: true,
  },
  'poll-job': {
    receives: 'poll-job',
    // A job may be a refresh of another pipeline: it begins a run, finds it again, and ends it.
    tables: {
      jobs: ['GetItem', ...PUT, ...CHANGE, ...DELETE],
      buckets: ['GetItem', ...CHANGE],
      runs: [...READ, ...CHANGE],
    },
    sends: ['poll-job', 'list-objects'],
    // What a job made is kept there until its node is listed.
    puts: ['staging/*'],
    secrets: true,
  },
  'read-bytes': {
    receives: 'read-bytes',
    tables: {
      nodes: [...READ, ...MANY, ...CHANGE],
      partitions: ['Query', ...MANY, ...CHANGE, ...DELETE],
      runs: ['GetItem', ...CHANGE],
    },
    // It reads what it landed itself to go on with its hash, and completes what it was the last to read.
    gets: ['*/data/*', '*/manifest/*'],
    puts: ['*/data/*', '*/manifest/*', '*/garbage/*'],
    uploads: ['*/data/*'],
    // Its own messages for later; the root's end; and the next run's beginning.
    sends: ['read-bytes', 'finish-refresh', 'list-objects'],
    secrets: true,
  },
  'finish-refresh': {
    receives: 'finish-refresh',
    tables: { nodes: ['GetItem'], runs: ['GetItem', ...CHANGE] },
    // The next run's beginning, and the sinks.
    sends: ['list-objects', 'stream-upload'],
    gets: ['*/manifest/*', '*/latest.json'],
    puts: ['*/manifest/*', '*/garbage/*', '*/latest.json'],
    looksForMissing: true,
  },
  'stream-upload': {
    receives: 'stream-upload',
    // How far the sink is, and what it has refused.
    tables: { runs: [...READ, ...CHANGE, ...DELETE] },
    sends: ['stream-upload'],
    gets: ['*/data/*', '*/manifest/*', '*/latest.json'],
    // Rows that the sink refuses.
    puts: ['*/rejected/*'],
    looksForMissing: true,
    secrets: true,
  },
  sweep: {
    tables: {
      nodes: [...READ, ...MANY, ...CHANGE, ...BATCH],
      partitions: [...READ, ...CHANGE, ...DELETE, ...BATCH],
      runs: [...READ, ...CHANGE],
      jobs: [...READ, ...PUT, ...CHANGE, ...DELETE],
    },
    sends: ['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload'],
    gets: ['*/manifest/*', '*/garbage/*', '*/latest.json'],
    puts: ['*/manifest/*', '*/garbage/*'],
    deletes: ['*/data/*', '*/manifest/*', '*/garbage/*'],
    lists: ['*/garbage/*'],
    looksForMissing: true,
    // What completes is acknowledged to its source.
    secrets: true,
  },
  'connector-service': {
    // A job may be a refresh: it begins a run, finds it again, and ends it.
    tables: { runs: [...READ, ...CHANGE] },
    sends: ['list-objects'],
    secrets: true,
  },
};

const sub = (text) => ({ 'Fn::Sub': text });
const arn = (resource) => ({ 'Fn::GetAtt': [resource, 'Arn'] });
const allow = (actions, resources, condition) => ({
  Effect: 'Allow',
  Action: [actions].flat(),
  Resource: resources,
  ...(condition ? { Condition: condition } : {}),
});
/** As the serverless command calls what it makes of a function: `ReadDashbytesLambdaFunction`. */
const ofFunction = (name, what) => `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll('-', 'Dash')}${what}`;
const pascal = (name) => name.replaceAll(/(?:^|-)([a-z])/g, (_, letter) => letter.toUpperCase());
const keys = (patterns) => patterns.map((pattern) => sub(`\${LandingBucket.Arn}/${pattern}`));
const assumedBy = (service, condition) => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { Service: service },
      Action: 'sts:AssumeRole',
      ...(condition ? { Condition: condition } : {}),
    },
  ],
});

const QUEUES = ['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload'];

function statements(name, needs, secrets) {
  const { receives, tables, sends, gets, puts, uploads, deletes, lists, looksForMissing } = needs;
  return [
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [arn(ofFunction(name, 'LogGroup'))]),
    ...Object.entries(tables).map(([table, actions]) =>
      allow(
        actions.map((action) => `dynamodb:${action}`),
        [arn(`${pascal(table)}Table`)],
      ),
    ),
    ...(receives
      ? [
          allow(
            ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
            [arn(`${pascal(receives)}Queue`)],
          ),
        ]
      : []),
    allow(
      'sqs:SendMessage',
      sends.map((queue) => arn(`${pascal(queue)}Queue`)),
    ),
    // A queue is known by its name; where it is, is asked once.
    allow(
      'sqs:GetQueueUrl',
      QUEUES.flatMap((queue) => [arn(`${pascal(queue)}Queue`), arn(`${pascal(queue)}DeadQueue`)]),
    ),
    ...(gets ? [allow('s3:GetObject', keys(gets))] : []),
    ...(puts ? [allow('s3:PutObject', keys(puts))] : []),
    ...(uploads ? [allow('s3:AbortMultipartUpload', keys(uploads))] : []),
    ...(deletes ? [allow('s3:DeleteObject', keys(deletes))] : []),
    ...(lists ? [allow('s3:ListBucket', [arn('LandingBucket')], { StringLike: { 's3:prefix': lists } })] : []),
    // To a GetObject of a key that is not there S3 answers 403, unless the role may list. Such a request has no prefix.
    ...(looksForMissing ? [allow('s3:ListBucket', [arn('LandingBucket')], { Null: { 's3:prefix': 'true' } })] : []),
    ...(needs.secrets
      ? [
          allow('secretsmanager:GetSecretValue', [
            sub(`arn:\${AWS::Partition}:secretsmanager:\${AWS::Region}:\${AWS::AccountId}:secret:${secrets}`),
          ]),
          allow('ssm:GetParameter', [
            sub(`arn:\${AWS::Partition}:ssm:\${AWS::Region}:\${AWS::AccountId}:parameter/${secrets}`),
          ]),
        ]
      : []),
  ];
}

function role(description, trust, policy) {
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      Description: description,
      AssumeRolePolicyDocument: trust,
      Policies: [{ PolicyName: 'own', PolicyDocument: { Version: '2012-10-17', Statement: policy } }],
    },
  };
}

/** @param secrets what the names of secrets and parameters must match: `landfall/*` */
function roles(secrets) {
  return {
    ...Object.fromEntries(
      Object.entries(NEEDS).map(([name, needs]) => [
        `${pascal(name)}Role`,
        role(`What ${name} may do`, assumedBy('lambda.amazonaws.com'), statements(name, needs, secrets)),
      ]),
    ),
    ScheduleRole: role(
      'Lets the schedules start their functions',
      assumedBy('scheduler.amazonaws.com', { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }),
      [
        allow(
          'lambda:InvokeFunction',
          ['start-refresh', 'sweep'].map((name) => arn(ofFunction(name, 'LambdaFunction'))),
        ),
      ],
    ),
  };
}

module.exports = async ({ resolveVariable }) => ({ Resources: roles(await resolveVariable('param:secrets')) });
module.exports.NEEDS = NEEDS;
