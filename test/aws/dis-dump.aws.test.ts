import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { afterAll, describe, expect, it } from 'vitest';
import { startDisApi } from '../support/dis-api.ts';

const client = new S3Client();
afterAll(() => client.destroy());

describe('dump tasks of the local DIS server on an AWS-compatible endpoint', () => {
  it('write into its buckets, and fail visibly where there is none', async () => {
    const bucket = `test-${randomUUID()}`;
    const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' as const };
    await client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
    const dump = { endpoint: process.env.AWS_ENDPOINT_URL_S3!, region: 'eu-central-1' };
    await using api = await startDisApi({ dump });
    await api.stream();
    for (const [name, path] of [
      ['there', bucket],
      ['missing', `test-${randomUUID()}`],
    ]) {
      const obs = { task_name: name, agency_name: 'a', obs_bucket_path: path, deliver_time_interval: 30 };
      await api.call('POST', '/streams/s/transfer-tasks', { obs_destination_descriptor: { ...obs, file_prefix: 'p' } });
    }
    await api.put(['a', 'b']);
    await api.server.advance(30_000);

    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
    const [file] = Contents;
    expect(Contents.map(({ Key }) => Key)).toEqual([expect.stringMatching(/^p\/\w{19}_\w{19}_0_\d{13}\.txt$/)]);
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: file!.Key! }));
    expect(await Body!.transformToString()).toBe('a\nb\n');
    const { json } = await api.get('/streams/s/transfer-tasks');
    expect(json.tasks.map(({ task_name, state }) => [task_name, state])).toEqual([
      ['there', 'RUNNING'],
      ['missing', 'ERROR'],
    ]);
  });
});
