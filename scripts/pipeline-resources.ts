// The part of the stack that follows from the pipelines: their schedules, and the leave to read the buckets they name.
import { fileURLToPath } from 'node:url';
import { catalogOf } from '../shared/pipelines/catalog.ts';
import type { Pipeline } from '../shared/pipelines/define.ts';
import { loadPipelineFiles } from '../shared/pipelines/folder.ts';

const PIPELINES = fileURLToPath(new URL('../pipelines', import.meta.url));

type Resources = Record<string, { readonly Type: string; readonly Properties: object }>;

/**
 * @param prefix what the names of the stack begin with
 * @throws {InvalidPipelineError} a pipeline does not load: without it, its schedule would silently go
 */
export async function pipelineResources(prefix: string, folder = PIPELINES): Promise<Resources> {
  const loaded = await loadPipelineFiles(folder);
  catalogOf(loaded);
  const pipelines = loaded.map((one) => {
    if ('error' in one) throw one.error;
    return one.pipeline;
  });
  return { ...schedules(prefix, pipelines), ...sourcePolicies(pipelines) };
}

/** Of EventBridge's scheduler, not its rules: it knows time zones, and spreads starts. */
function schedules(prefix: string, pipelines: readonly Pipeline[]): Resources {
  const scheduled = pipelines.filter(({ schedule }) => schedule !== 'manual');
  const resources: Resources = {
    Schedules: { Type: 'AWS::Scheduler::ScheduleGroup', Properties: { Name: prefix } },
    SweepSchedule: scheduleOf({
      // No pipeline is called so: their names have no underscore.
      name: '_sweep',
      description: 'Looks after lost messages, runs that do not end, and garbage',
      expression: 'rate(5 minutes)',
      starts: 'SweepLambdaFunction',
      input: {},
    }),
  };
  for (const { name, schedule, timezone, jitterMinutes, paused } of scheduled) {
    resources[`${logicalId(name)}PipelineSchedule`] = scheduleOf({
      name,
      description: `Refreshes ${name}`,
      expression: schedule,
      timezone,
      jitterMinutes,
      paused,
      starts: 'StartDashrefreshLambdaFunction',
      input: { pipeline: name, trigger: 'schedule' },
    });
  }
  return resources;
}

interface ScheduleOptions {
  readonly name: string;
  readonly description: string;
  readonly expression: string;
  readonly timezone?: string;
  readonly jitterMinutes?: number;
  readonly paused?: boolean;
  readonly starts: string;
  readonly input: object;
}

function scheduleOf(options: ScheduleOptions): Resources[string] {
  const { name, description, expression, timezone = 'UTC', jitterMinutes = 0, paused = false, starts, input } = options;
  return {
    Type: 'AWS::Scheduler::Schedule',
    Properties: {
      Name: name,
      GroupName: { Ref: 'Schedules' },
      Description: description,
      State: paused ? 'DISABLED' : 'ENABLED',
      ScheduleExpression: expression,
      ScheduleExpressionTimezone: timezone,
      FlexibleTimeWindow:
        jitterMinutes > 0 ? { Mode: 'FLEXIBLE', MaximumWindowInMinutes: jitterMinutes } : { Mode: 'OFF' },
      Target: {
        Arn: { 'Fn::GetAtt': [starts, 'Arn'] },
        RoleArn: { 'Fn::GetAtt': ['ScheduleRole', 'Arn'] },
        Input: JSON.stringify(input),
        // A start that could not be delivered within an hour is left to the next one.
        RetryPolicy: { MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 10 },
      },
    },
  };
}

/** A bucket that is read with the function's own role, since its pipeline names no credential, needs that role's leave. */
function sourcePolicies(pipelines: readonly Pipeline[]): Resources {
  const sources = pipelines
    .filter(({ source, credentials }) => source.type === 's3' && !credentials)
    .map(({ source }) => source.identity as unknown as BucketIdentity)
    .filter(({ endpoint }) => endpoint === null);
  if (sources.length === 0) return {};
  const list = sources.map(({ bucket, prefix }) => ({
    Effect: 'Allow',
    Action: ['s3:ListBucket', 's3:ListBucketVersions'],
    Resource: bucketArn(bucket),
    ...(prefix === '' ? {} : { Condition: { StringLike: { 's3:prefix': `${prefix}*` } } }),
  }));
  const read = sources.map((source) => ({
    Effect: 'Allow',
    Action: ['s3:GetObject', 's3:GetObjectVersion'],
    Resource: objectsArn(source),
  }));
  return {
    ListSourcesPolicy: policyOf('list-sources', 'ListObjectsRole', list),
    ReadSourcesPolicy: policyOf('read-sources', 'ReadBytesRole', read),
  };
}

/** As the `s3` connector identifies its source. */
interface BucketIdentity {
  readonly bucket: string;
  readonly prefix: string;
  readonly endpoint: string | null;
}

const policyOf = (name: string, role: string, statements: readonly object[]): Resources[string] => ({
  Type: 'AWS::IAM::Policy',
  Properties: {
    PolicyName: name,
    Roles: [{ Ref: role }],
    PolicyDocument: { Version: '2012-10-17', Statement: statements },
  },
});

/** A bucket may be named by the ARN of an access point, whose objects have one word more. */
const isArn = (bucket: string) => bucket.startsWith('arn:');
const bucketArn = (bucket: string) => (isArn(bucket) ? bucket : inPartition(`s3:::${bucket}`));
const objectsArn = ({ bucket, prefix }: BucketIdentity) =>
  isArn(bucket) ? `${bucket}/object/${prefix}*` : inPartition(`s3:::${bucket}/${prefix}*`);
const inPartition = (resource: string) => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:${resource}`]] });

/** Two names never become one: theirs have no capitals. */
const logicalId = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', 'Dash');
