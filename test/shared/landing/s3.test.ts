import type { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { s3Objects } from '../../../shared/landing/s3.ts';

interface Request {
  readonly operation: string;
  readonly input: Record<string, unknown>;
}

/** Objects whose client answers each request as told, and what was asked of it. */
function objectsThatAnswer(answer: (request: Request, call: number) => unknown) {
  const asked: Request[] = [];
  const client = {
    async send(command: { constructor: { name: string }; input: Record<string, unknown> }) {
      const request = { operation: command.constructor.name.replace('Command', ''), input: command.input };
      asked.push(request);
      const reply = await answer(request, asked.length);
      if (reply instanceof Error) throw reply;
      return reply;
    },
  } as unknown as S3Client;
  const objects = s3Objects(client, { bucket: 'bucket', prefix: 'in/', random: () => 0, wait: async () => {} });
  return { objects, asked, operations: () => asked.map(({ operation }) => operation) };
}

const awsError = (name: string, httpStatusCode?: number, attempts = 1) =>
  Object.assign(new Error('as S3 says'), { name, $metadata: { httpStatusCode, requestId: 'request-1', attempts } });

const text = (words: string) => new TextEncoder().encode(words);
const MIB = 1024 * 1024;

describe('s3Objects', () => {
  it.each([
    ['throttling', awsError('SlowDown', 503), 'StorageUnavailable', true],
    ['a failure of the service', awsError('InternalError', 500), 'StorageUnavailable', true],
    ['a timeout', awsError('TimeoutError'), 'StorageUnavailable', true],
    ['a bucket that is not there', awsError('NoSuchBucket', 404), 'NoSuchBucket', false],
    ['missing rights', awsError('AccessDenied', 403), 'AccessDenied', false],
  ])('tells %s, with bucket, key and request id', async (_what, error, code, retryable) => {
    const { objects } = objectsThatAnswer(() => error);

    await expect(objects.put('a/b', text('x'))).rejects.toMatchObject({
      ...{ name: 'StorageError', code, retryable },
      message: expect.stringMatching(/s3:\/\/bucket\/in\/a\/b: .*as S3 says.*request-1/),
    });
  });

  it('tries a conditional write again that met another', async () => {
    const { objects, asked } = objectsThatAnswer((_request, call) =>
      call < 3 ? awsError('ConditionalRequestConflict', 409) : { ETag: '"new"' },
    );

    expect(await objects.put('latest.json', text('x'), { ifMatch: '"old"' })).toEqual({ bytes: 1, etag: '"new"' });
    expect(asked).toHaveLength(3);
  });

  it('knows its own write again when the answer to it was lost', async () => {
    const mine = { ContentLength: 4, ETag: '"mine"', Body: { transformToByteArray: async () => text('mine') } };
    const refusal = awsError('PreconditionFailed', 412, 2);
    const { objects } = objectsThatAnswer(({ operation }) => (operation === 'PutObject' ? refusal : mine));

    expect(await objects.put('latest.json', text('mine'), { ifMatch: '"old"' })).toEqual({ bytes: 4, etag: '"mine"' });
    expect(await objects.put('latest.json', text('ours'), { ifMatch: '"old"' })).toBeUndefined();
  });

  it('asks HTTP for a range with its last byte', async () => {
    const { objects, asked } = objectsThatAnswer(() => ({ Body: (async function* () {})() }));
    for (const range of [undefined, { start: 5 }, { end: 10 }, { start: 5, end: 10 }]) {
      for await (const _ of objects.read('x', range)) expect.unreachable();
    }

    expect(asked.map(({ input }) => input.Range)).toEqual([undefined, 'bytes=5-', 'bytes=0-9', 'bytes=5-9']);
  });

  it('never has more than four parts in flight, and gives back what it uploaded when one fails', async () => {
    let inFlight = 0;
    let most = 0;
    const { objects, operations } = objectsThatAnswer(async ({ operation, input }) => {
      if (operation === 'CreateMultipartUpload') return { UploadId: 'upload' };
      if (operation !== 'UploadPart') return {};
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
      return input.PartNumber === 9 ? awsError('SlowDown', 503) : { ETag: 'part' };
    });
    const writer = objects.create('large');

    const writing = (async () => {
      for (let n = 0; n < 40; n++) await writer.write(new Uint8Array(8 * MIB));
      await writer.close();
    })();

    await expect(writing).rejects.toMatchObject({ code: 'StorageUnavailable', retryable: true });
    expect(most).toBe(4);
    expect(operations().at(-1)).toBe('AbortMultipartUpload');
    expect(operations()).not.toContain('CompleteMultipartUpload');
  });

  it('completes an upload with the parts in order, their etags and checksums', async () => {
    const { objects, asked } = objectsThatAnswer(async ({ operation, input }) => {
      if (operation === 'CreateMultipartUpload') return { UploadId: 'upload' };
      if (operation === 'CompleteMultipartUpload') return { ETag: '"whole"' };
      // The first part takes longest.
      for (let turn = 0; turn < 5 - Number(input.PartNumber); turn++)
        await new Promise((resolve) => setImmediate(resolve));
      return { ETag: `"${input.PartNumber}"`, ChecksumCRC32: `crc ${input.PartNumber}`, $metadata: {} };
    });
    const writer = objects.create('large');
    await writer.write(new Uint8Array(20 * MIB));

    expect(await writer.close()).toEqual({ bytes: 20 * MIB, etag: '"whole"' });
    expect(asked.at(-1)?.input).toMatchObject({
      ...{ Key: 'in/large', UploadId: 'upload' },
      MultipartUpload: { Parts: [1, 2, 3].map((n) => ({ PartNumber: n, ETag: `"${n}"`, ChecksumCRC32: `crc ${n}` })) },
    });
  });

  it('deletes again what S3 could not delete just now, and names what it refused', async () => {
    const { objects, asked } = objectsThatAnswer((_request, call) => {
      if (call === 1) return { Errors: [{ Key: 'in/b', Code: 'InternalError' }] };
      return call === 2 ? {} : { Errors: [{ Key: 'in/c', Code: 'AccessDenied', Message: 'no' }] };
    });

    await objects.delete(['a', 'b']);
    expect(asked[1]?.input.Delete).toMatchObject({ Objects: [{ Key: 'in/b' }] });

    await expect(objects.delete(['c'])).rejects.toMatchObject({
      code: 'AccessDenied',
      retryable: false,
      message: expect.stringContaining('in/c'),
    });
  });
});
