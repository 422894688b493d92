import { setTimeout as wait } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { awsAttempts, awsStatus, describeAwsError, isTransientAwsError } from '../core/aws-errors.ts';
import { backoffMs } from '../core/backoff.ts';
import { chunksOf } from '../core/concurrency.ts';
import { IngestError } from '../core/errors.ts';
import { bytes } from '../core/units.ts';
import { type BlockSink, BlockWriter } from './block-writer.ts';
import { checkKey, checkPrefix } from './object-key.ts';
import {
  type CreateOptions,
  ObjectMissingError,
  type Objects,
  type PutOptions,
  StorageError,
  type StoredObject,
} from './objects.ts';
import { PARTS_MAX, S3_PARTS } from './parts.ts';

export interface S3ObjectsOptions {
  readonly bucket: string;
  /** Put before every key, as it is: `landfall/`. */
  readonly prefix?: string;
  /** 0 to 1, for the waits between repetitions. */
  readonly random?: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/**
 * Objects in a bucket. Encryption is the bucket's default; the SDK adds a checksum to every write and checks those of
 * what it reads. The client's own retries come first; what they do not overcome is a `StorageError`.
 *
 * Uploads whose worker was killed leave parts that nobody sees: the bucket has a lifecycle rule for them.
 */
export function s3Objects(client: S3Client, options: S3ObjectsOptions): Objects {
  const { bucket, prefix = '', random = Math.random, wait: pause = wait } = options;

  const target = (key: string): { readonly Bucket: string; readonly Key: string } => {
    checkKey(key);
    return { Bucket: bucket, Key: prefix + key };
  };

  async function getObject(
    key: string,
    range?: { start: number; end: number; signal?: AbortSignal },
  ): Promise<GetObjectCommandOutput | undefined> {
    try {
      const command = new GetObjectCommand({ ...target(key), Range: range && rangeHeader(range) });
      return await client.send(command, { abortSignal: range?.signal });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async function head(key: string): Promise<StoredObject | undefined> {
    try {
      const { ContentLength = 0, ETag = '' } = await client.send(new HeadObjectCommand(target(key)));
      return { bytes: bytes(ContentLength), etag: ETag };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async function putOnce(
    key: string,
    data: Uint8Array,
    { ifMatch, ifAbsent, ...about }: PutOptions,
  ): Promise<StoredObject> {
    const condition = { IfMatch: ifMatch, IfNoneMatch: ifAbsent ? '*' : undefined };
    const command = new PutObjectCommand({ ...target(key), Body: data, ...headers(about), ...condition });
    const { ETag = '' } = await client.send(command, { abortSignal: about.signal });
    return { bytes: bytes(data.byteLength), etag: ETag };
  }

  /** Our own write, if it took effect although its answer was lost and the SDK sent it again. */
  async function writtenBefore(key: string, data: Uint8Array, refusal: unknown): Promise<StoredObject | undefined> {
    if (awsAttempts(refusal) === 1) return undefined;
    const there = await getObject(key);
    if (there?.ContentLength !== data.byteLength || !there.Body) return undefined;
    const isOurs = Buffer.compare(await there.Body.transformToByteArray(), data) === 0;
    return isOurs ? { bytes: bytes(data.byteLength), etag: there.ETag ?? '' } : undefined;
  }

  async function put(key: string, data: Uint8Array, options: PutOptions): Promise<StoredObject | undefined> {
    const isConditional = options.ifMatch !== undefined || options.ifAbsent === true;
    for (let attempt = 0; ; attempt++) {
      try {
        return await putOnce(key, data, options);
      } catch (error) {
        if (!isConditional) throw error;
        if (awsStatus(error) === 412) return writtenBefore(key, data, error);
        // With a condition on what is there, "missing" says that nothing is.
        if (options.ifMatch !== undefined && isNoSuchKey(error)) return undefined;
        // Two conditional writes met: neither is refused for good.
        if (awsStatus(error) !== 409 || attempt + 1 === CONFLICT_ATTEMPTS) throw error;
        await pause(backoffMs(attempt, random, { firstMs: 50, maxMs: 2000 }));
      }
    }
  }

  function uploadOf(key: string, options: CreateOptions): BlockSink {
    const object = target(key);
    const { signal: abortSignal } = options;
    const parts: CompletedPart[] = [];
    let starting: Promise<string> | undefined;

    const start = async (): Promise<string> => {
      const command = new CreateMultipartUploadCommand({ ...object, ...headers(options) });
      const { UploadId } = await client.send(command, { abortSignal });
      if (!UploadId) throw new StorageError(`S3 began no upload of ${locationOf(key)}`, { retryable: true });
      return UploadId;
    };

    return {
      whole: (data) => named(key, () => putOnce(key, data, options)),
      block: (data, number) =>
        named(key, async () => {
          if (number > PARTS_MAX) {
            throw new StorageError(`${locationOf(key)} would have more than ${PARTS_MAX} parts`, {
              code: 'ObjectTooLarge',
            });
          }
          starting ??= start();
          const part = { ...object, UploadId: await starting, PartNumber: number, Body: data };
          const { $metadata: _, ...stored } = await client.send(new UploadPartCommand(part), { abortSignal });
          // Its etag and its checksum, which S3 compares with those of what it has.
          const { ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 } = stored;
          const checksums = { ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 };
          parts[number - 1] = { PartNumber: number, ETag, ...checksums };
        }),
      finish: (totalBytes) =>
        named(key, async () => {
          const MultipartUpload = { Parts: parts };
          const command = new CompleteMultipartUploadCommand({ ...object, UploadId: await starting, MultipartUpload });
          const { ETag = '' } = await client.send(command, { abortSignal });
          return { bytes: bytes(totalBytes), etag: ETag };
        }),
      async cancel() {
        // Without the signal, which may be why we are here. The lifecycle rule removes what stays.
        const UploadId = await starting?.catch(() => undefined);
        if (UploadId) await client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(() => {});
      },
    };
  }

  const locationOf = (key: string): string => `s3://${bucket}/${prefix}${key}`;

  async function named<T>(key: string, call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw storageError(error, locationOf(key), signal);
    }
  }

  return {
    create(key, options = {}) {
      return new BlockWriter(uploadOf(key, options), S3_PARTS, options.signal);
    },

    put: (key, data, options = {}) => named(key, () => put(key, data, options), options.signal),

    get: (key) =>
      named(key, async () => {
        const object = await getObject(key);
        if (!object?.Body) return undefined;
        return { data: await object.Body.transformToByteArray(), etag: object.ETag ?? '' };
      }),

    async *read(key, { start = 0, end = Infinity, signal } = {}) {
      signal?.throwIfAborted();
      if (start >= end) {
        if (await named(key, () => head(key))) return;
        throw new ObjectMissingError(key);
      }
      const isWhole = start === 0 && end === Infinity;
      try {
        const object = await getObject(key, { start, end, signal });
        if (!object?.Body) throw new ObjectMissingError(key);
        yield* object.Body as unknown as AsyncIterable<Uint8Array>;
      } catch (error) {
        // The object ends before `start`: there is nothing to read.
        if (!isWhole && awsStatus(error) === 416) return;
        throw storageError(error, locationOf(key), signal);
      }
    },

    head: (key) => named(key, () => head(key)),

    async delete(keys) {
      for (const batch of chunksOf(keys, DELETE_BATCH)) await deleteBatch(batch);
    },

    async *list(keyPrefix) {
      checkPrefix(keyPrefix);
      let token: string | undefined;
      do {
        const command = new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix + keyPrefix,
          ContinuationToken: token,
        });
        const page = await named(keyPrefix, () => client.send(command));
        for (const { Key = '' } of page.Contents ?? []) yield Key.slice(prefix.length);
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token);
    },

    location(key) {
      checkKey(key);
      return locationOf(key);
    },
  };

  async function deleteBatch(keys: readonly string[]): Promise<void> {
    let left: readonly string[] = keys;
    for (let attempt = 0; ; attempt++) {
      const Delete = { Quiet: true, Objects: left.map((key) => ({ Key: target(key).Key })) };
      const { Errors = [] } = await named(left[0]!, () =>
        client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete })),
      );
      if (Errors.length === 0) return;
      const [{ Key = '', Code = '', Message = '' } = {}] = Errors.filter((error) => !PASSING.has(error.Code ?? ''));
      if (Key) throw new StorageError(`s3://${bucket}/${Key} could not be deleted: ${Code} ${Message}`, { code: Code });
      if (attempt + 1 === DELETE_ATTEMPTS) {
        const message = `S3 failed to delete ${Errors.length} objects of s3://${bucket} ${DELETE_ATTEMPTS} times: ${Errors[0]!.Code}`;
        throw new StorageError(message, { code: 'StorageUnavailable', retryable: true });
      }
      left = Errors.map((error) => (error.Key ?? '').slice(prefix.length));
      await pause(backoffMs(attempt, random, { firstMs: 100, maxMs: 5000 }));
    }
  }
}

const CONFLICT_ATTEMPTS = 8;
/** S3's limit for one request. */
const DELETE_BATCH = 1000;
const DELETE_ATTEMPTS = 5;
const PASSING = new Set(['InternalError', 'SlowDown', 'ServiceUnavailable', 'OperationAborted']);

/** HTTP's ranges include their last byte; ours do not. */
function rangeHeader({ start, end }: { start: number; end: number }): string | undefined {
  if (start === 0 && end === Infinity) return undefined;
  return `bytes=${start}-${end === Infinity ? '' : end - 1}`;
}

function headers({ contentType, contentEncoding }: CreateOptions) {
  return { ContentType: contentType, ContentEncoding: contentEncoding };
}

/** A HEAD has no body to tell a missing key from a missing bucket. */
function isMissing(error: unknown): boolean {
  return isNoSuchKey(error) || (error instanceof Error && error.name === 'NotFound');
}

function isNoSuchKey(error: unknown): boolean {
  return error instanceof Error && error.name === 'NoSuchKey';
}

/** Our own errors and the reason of an abort pass; what S3 refused for good keeps S3's own name as its code. */
function storageError(error: unknown, location: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof IngestError || !(error instanceof Error) || error.name === 'AbortError') return error;
  const message = `${location}: ${describeAwsError(error)}`;
  const isPassing = isTransientAwsError(error) || awsStatus(error) === 409;
  const code = isPassing ? 'StorageUnavailable' : awsStatus(error) === undefined ? 'Storage' : error.name;
  return new StorageError(message, { code, retryable: isPassing, cause: error });
}
