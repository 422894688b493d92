import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, HeadObjectCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { s3Objects } from '../../shared/landing/s3.ts';
import { objectsContract } from '../shared/landing/objects-contract.ts';

const client = new S3Client();
const bucket = `test-${randomUUID()}`;
beforeAll(async () => {
  const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' as const };
  await client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
});
afterAll(() => client.destroy());

const freshObjects = () => s3Objects(client, { bucket, prefix: `${randomUUID()}/` });

describe('s3Objects on an AWS-compatible endpoint', () => {
  objectsContract(async () => freshObjects());

  it('takes back the parts of an upload that is dropped', async () => {
    const writer = freshObjects().create('data/x');
    for (let n = 0; n < 5; n++) await writer.write(new Uint8Array(4 * 1024 * 1024));
    const underWay = new ListMultipartUploadsCommand({ Bucket: bucket });
    await vi.waitFor(async () => expect((await client.send(underWay)).Uploads ?? []).toHaveLength(1));

    await writer.abort();

    expect((await client.send(underWay)).Uploads ?? []).toEqual([]);
  });

  it('keeps content type and encoding, in one request and in parts', async () => {
    const prefix = `${randomUUID()}/`;
    const objects = s3Objects(client, { bucket, prefix });
    const about = { contentType: 'application/x-ndjson', contentEncoding: 'gzip' };
    await objects.put('put', new Uint8Array(1), about);
    for (const [key, size] of [
      ['small', 1],
      ['large', 9 * 1024 * 1024],
    ] as const) {
      const writer = objects.create(key, about);
      await writer.write(new Uint8Array(size));
      await writer.close();
    }

    for (const key of ['put', 'small', 'large']) {
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: prefix + key }));
      expect(head).toMatchObject({ ContentType: 'application/x-ndjson', ContentEncoding: 'gzip' });
    }
  });

  it('names a bucket that is not there, not to be tried again', async () => {
    const objects = s3Objects(client, { bucket: `${bucket}-missing` });

    for (const call of [
      () => objects.get('x'),
      () => objects.put('x', new Uint8Array(1)),
      () => objects.delete(['x']),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'NoSuchBucket',
        retryable: false,
        message: expect.stringContaining(`${bucket}-missing/x`),
      });
    }
  });
});
