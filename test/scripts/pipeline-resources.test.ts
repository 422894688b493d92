import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pipelineResources } from '../../scripts/pipeline-resources.ts';

const SHARED = resolve(import.meta.dirname, '../../shared');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'landfall-resources-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function pipeline(name: string, options: string, source = `files({ folder: 'data' })`): void {
  const text = `import { definePipeline, secret } from ${JSON.stringify(`${SHARED}/pipelines/define.ts`)};
    import { files } from ${JSON.stringify(`${SHARED}/connectors/files/files.ts`)};
    import { s3 } from ${JSON.stringify(`${SHARED}/connectors/s3/s3.ts`)};
    export default definePipeline({ name: '${name}', source: ${source}, ${options} });`;
  writeFileSync(join(folder, `${name}.ts`), text);
}

const resources = () => pipelineResources('landfall-test', folder);

describe('the schedules of the stack', () => {
  it('start each pipeline that has one, in its own time zone', async () => {
    pipeline('canvas', `schedule: 'cron(0 6 * * ? *)', timezone: 'Europe/Berlin'`);
    pipeline('by-hand', '');

    const { CanvasPipelineSchedule, ...others } = await resources();

    expect(CanvasPipelineSchedule?.Properties).toMatchObject({
      Name: 'canvas',
      State: 'ENABLED',
      ScheduleExpression: 'cron(0 6 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: { 'Fn::GetAtt': ['StartDashrefreshLambdaFunction', 'Arn'] },
        Input: '{"pipeline":"canvas","trigger":"schedule"}',
      },
    });
    expect(Object.keys(others)).toEqual(['Schedules', 'SweepSchedule']);
  });

  it('spread what may jitter, and rest what is paused', async () => {
    pipeline('hourly', `schedule: 'rate(1 hour)', jitterMinutes: 15, paused: true`);

    const { HourlyPipelineSchedule } = await resources();

    expect(HourlyPipelineSchedule?.Properties).toMatchObject({
      State: 'DISABLED',
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
    });
  });

  it('sweep every five minutes', async () => {
    const { SweepSchedule } = await resources();

    expect(SweepSchedule?.Properties).toMatchObject({
      Name: '_sweep',
      ScheduleExpression: 'rate(5 minutes)',
      Target: { Arn: { 'Fn::GetAtt': ['SweepLambdaFunction', 'Arn'] }, Input: '{}' },
    });
  });

  it('have names of their own where those of pipelines are alike', async () => {
    for (const name of ['a-1', 'a1', 'sweep']) pipeline(name, `schedule: 'rate(1 day)'`);

    const names = Object.keys(await resources());

    expect(names.filter((name) => name.endsWith('PipelineSchedule'))).toHaveLength(3);
    expect(names).toContain('SweepSchedule');
  });

  it('are not made without a pipeline that does not load', async () => {
    pipeline('good', `schedule: 'rate(1 day)'`);
    writeFileSync(join(folder, 'bad.ts'), `throw new Error('no table is named')`);

    await expect(resources()).rejects.toMatchObject({ code: 'InvalidPipeline' });
    await expect(resources()).rejects.toThrow(/bad\.ts does not define a pipeline: no table is named/);
  });
});

describe('the leave to read buckets', () => {
  it("is given for what a pipeline reads with the function's own role, below its prefix", async () => {
    pipeline('weather', '', `s3({ bucket: 'noaa-ghcn-pds', prefix: 'csv/' })`);

    const { ListSourcesPolicy, ReadSourcesPolicy } = await resources();

    expect(ListSourcesPolicy?.Properties).toMatchObject({
      Roles: [{ Ref: 'ListObjectsRole' }],
      PolicyDocument: {
        Statement: [
          {
            Action: ['s3:ListBucket', 's3:ListBucketVersions'],
            Resource: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::noaa-ghcn-pds']] },
            Condition: { StringLike: { 's3:prefix': 'csv/*' } },
          },
        ],
      },
    });
    expect(ReadSourcesPolicy?.Properties).toMatchObject({
      Roles: [{ Ref: 'ReadBytesRole' }],
      PolicyDocument: {
        Statement: [
          {
            Action: ['s3:GetObject', 's3:GetObjectVersion'],
            Resource: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::noaa-ghcn-pds/csv/*']] },
          },
        ],
      },
    });
  });

  it('is not needed with a credential, or at another endpoint', async () => {
    pipeline('with-key', `credentials: secret('landfall/key')`, `s3({ bucket: 'theirs' })`);
    pipeline('elsewhere', '', `s3({ bucket: 'theirs', endpoint: 'https://s3.example.com' })`);

    expect(Object.keys(await resources())).toEqual(['Schedules', 'SweepSchedule']);
  });
});
