import {
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { IngestError, isRetryable, RetryableError } from '../../core/errors.ts';
import type { S3Credential } from '../../core/s3-credential.ts';
import { SourceChangedError, SourceRefusedError } from '../connector.ts';
import type { Bucket, ListedObject, ListPage, ObjectVersion, Page } from './bucket.ts';

export interface SdkBucketOptions {
  readonly bucket: string;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly versions: boolean;
  readonly requesterPays: boolean;
  readonly credential: S3Credential | undefined;
}

/** Loaded only when a context is built: the SDK takes longer to load than all the rest. */
export function sdkBucket(options: SdkBucketOptions): Bucket {
  return new SdkBucket(options, new S3Client(clientConfig(options)));
}

function clientConfig({ region, endpoint, credential }: SdkBucketOptions): S3ClientConfig {
  return {
    // Another endpoint than AWS has no regions, but the SDK wants one to sign with.
    ...(region ? { region } : endpoint ? { region: 'us-east-1' } : {}),
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(credential ? { credentials: credential } : {}),
    // A range has no checksum of its own, and length and ETag are checked here.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // A bucket may be in another region than the function.
    followRegionRedirects: !endpoint,
  };
}

class SdkBucket implements Bucket {
  readonly #options: SdkBucketOptions;
  readonly #client: S3Client;

  constructor(options: SdkBucketOptions, client: S3Client) {
    this.#options = options;
    this.#client = client;
  }

  list(page: ListPage, signal: AbortSignal): Promise<Page> {
    return this.#told(`s3://${this.#options.bucket}/${page.prefix}`, signal, () =>
      this.#options.versions ? this.#listVersions(page, signal) : this.#listObjects(page, signal),
    );
  }

  async *read(
    { key, etag, versionId }: ObjectVersion,
    start: number,
    end: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { bucket } = this.#options;
    const label = `s3://${bucket}/${key}`;
    const command = new GetObjectCommand({
      ...this.#common(),
      Key: key,
      Range: `bytes=${start}-${end - 1}`,
      IfMatch: etag,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
    });
    const { Body, ContentRange } = await this.#told(label, signal, () =>
      this.#client.send(command, { abortSignal: signal }),
    );
    const met = Number(/\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? Number.NaN);
    if (!Body || met < end)
      throw new SourceChangedError(`${label} is not the version that was listed: it has ${met} bytes`);
    try {
      yield* Body as unknown as AsyncIterable<Uint8Array>;
    } catch (error) {
      signal.throwIfAborted();
      throw new RetryableError(`${label}: the connection broke while the body was read`, { cause: error });
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async #listObjects({ prefix, delimiter, after }: ListPage, abortSignal: AbortSignal): Promise<Page> {
    const page = await this.#client.send(
      new ListObjectsV2Command({
        ...this.#common(),
        Prefix: prefix,
        Delimiter: delimiter,
        ContinuationToken: after?.token,
      }),
      { abortSignal },
    );
    return {
      objects: (page.Contents ?? []).map(({ Key, ETag, Size, LastModified }) => listed(Key, ETag, Size, LastModified)),
      prefixes: (page.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []),
      ...(page.IsTruncated && page.NextContinuationToken ? { next: { token: page.NextContinuationToken } } : {}),
    };
  }

  async #listVersions({ prefix, delimiter, after }: ListPage, abortSignal: AbortSignal): Promise<Page> {
    const page = await this.#client.send(
      new ListObjectVersionsCommand({
        ...this.#common(),
        Prefix: prefix,
        Delimiter: delimiter,
        KeyMarker: after?.key,
        VersionIdMarker: after?.versionId,
      }),
      { abortSignal },
    );
    // An object whose newest version is a delete marker has none that is the latest here: it is gone.
    const latest = (page.Versions ?? []).filter(({ IsLatest }) => IsLatest);
    const { NextKeyMarker: key, NextVersionIdMarker: versionId } = page;
    return {
      objects: latest.map(({ Key, ETag, Size, LastModified, VersionId }) => ({
        ...listed(Key, ETag, Size, LastModified),
        versionId: VersionId ?? 'null',
      })),
      prefixes: (page.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []),
      ...(page.IsTruncated && key !== undefined
        ? { next: { key, ...(versionId === undefined ? {} : { versionId }) } }
        : {}),
    };
  }

  #common(): { Bucket: string; RequestPayer?: 'requester' } {
    const { bucket, requesterPays } = this.#options;
    return { Bucket: bucket, ...(requesterPays ? { RequestPayer: 'requester' as const } : {}) };
  }

  /** Turns what the SDK throws, after retries of its own, into errors with our names. */
  async #told<T>(label: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      throw toIngestError(label, error);
    }
  }
}

function listed(key = '', etag = '', sizeBytes = 0, lastModified?: Date): ListedObject {
  return { key, etag, sizeBytes, ...(lastModified ? { lastModified } : {}) };
}

function toIngestError(label: string, error: unknown): unknown {
  if (error instanceof IngestError) return error;
  if (!(error instanceof S3ServiceException)) {
    // No answer at all: the network, or no credentials to sign with, which the SDK says well enough.
    return isRetryable(error) ? new RetryableError(`${label}: no answer from S3`, { cause: error }) : error;
  }
  const { name, message, $metadata } = error;
  const status = $metadata.httpStatusCode ?? 0;
  const facts = `${label} was answered ${status} ${name} (request ${$metadata.requestId ?? 'unknown'})`;
  if (status === 412) return new SourceChangedError(`${label} is not the version that was listed: ${name} (412)`);
  if (status === 416) return new SourceChangedError(`${label} is shorter than was listed: ${name} (416)`);
  const later = status === 429 || status >= 500 || error.$retryable !== undefined || name === 'SlowDown';
  const cause = { cause: error };
  return later ? new RetryableError(facts, cause) : new SourceRefusedError(`${facts}: ${message}`, cause);
}
