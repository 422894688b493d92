import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3Sink } from '../../shared/sinks/s3/sink.ts';
import { newWorld, type World } from '../support/world.ts';

const client = new S3Client();
const bucket = `sink-${randomUUID()}`;

beforeAll(async () => {
  const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' as const };
  await client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
});
afterAll(() => client.destroy());

const keys = async (prefix: string) => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key }) => Key!.slice(prefix.length)).filter((key) => !key.startsWith('_landfall/'));
};
const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};

describe('s3Sink on an AWS-compatible endpoint', () => {
  it('copies, replaces and removes, also what takes many parts', async () => {
    const prefix = `${randomUUID()}/`;
    const world = newWorld({ deleteGuard: 'off', sinks: [s3Sink({ bucket, prefix })] });
    const large = 'x'.repeat(20 * 1024 * 1024);
    world.source.leaf('f/large.bin', 'v1', { bytes: large }).leaf('a.txt', 'v1', { bytes: 'one' });
    await refreshed(world);
    expect(await keys(prefix)).toEqual(['a.txt', 'f/large.bin']);
    const { ContentLength } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: `${prefix}f/large.bin` }));
    expect(ContentLength).toBe(large.length);

    world.source.leaf('a.txt', 'v2', { bytes: 'two' }).remove('f/large.bin');
    await refreshed(world);

    expect(await keys(prefix)).toEqual(['a.txt']);
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}a.txt` }));
    expect(await Body!.transformToString()).toBe('two');
  });

  it('writes rows, with what they are in their headers', async () => {
    const prefix = `${randomUUID()}/`;
    const sink = s3Sink({ bucket, prefix, format: 'ndjson', compression: 'gzip', key: 'dt={date}/{path}' });
    const world = newWorld({ sinks: [sink], land: { parser: { format: 'csv' } } });
    world.source.leaf('a.csv', 'v1', { bytes: 'id\n7\n' });

    await refreshed(world);

    const [key] = await keys(prefix);
    expect(key).toMatch(/^dt=[\d-]{10}\/a\.csv\/part-00000\.ndjson\.gz$/);
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: prefix + key }));
    expect(head).toMatchObject({ ContentType: 'application/x-ndjson', ContentEncoding: 'gzip' });
  });

  it('is told of a bucket that is not there, and waits', async () => {
    const world = newWorld({ sinks: [s3Sink({ bucket: `${bucket}-missing` })] });
    world.source.leaf('a', 'v1');

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
    await world.drain();

    expect(await world.deps().sinks.get('p', 's3')).toMatchObject({ error: { code: 'NoSuchBucket' } });
  });
});
