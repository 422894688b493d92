import { awsStatus } from '../../../../core/aws-errors.ts';
import { IngestError, InvalidInputError } from '../../../../core/errors.ts';
import type { JsonObject } from '../../../../core/json.ts';
import type { Bucket } from '../../../s3/bucket.ts';
import { AsyncConnector, type ConnectorContext, type CreateRequest, type Resource } from '../../async-connector.ts';
import { type ConditionCode, ConnectorError } from '../../errors.ts';
import { jsonResourceMeta } from '../../resource-meta.ts';
import { customOf, Members, specified } from '../settings.ts';
import { fillText, inputPlaceholders } from '../template.ts';
import { type AwsAccess, awsAccess, KeptClients } from './access.ts';

/**
 * What `custom` of a `sensor.s3` template says: it fires when all that is given holds. `key` and `prefix` may hold
 * `{{.inputs.<name>}}`.
 */
export interface S3SensorSettings {
  readonly bucket: string;
  /** One object. Exactly one of `key` and `prefix` is given. */
  readonly key?: string;
  /** All objects whose keys begin with it, but for the empty ones that consoles make to show a folder. */
  readonly prefix?: string;
  /** So many objects below the prefix: 1 (default) to 100,000. */
  readonly minObjects?: number;
  /** So many bytes in all. Default 0. */
  readonly minBytes?: number;
  /** Default: the connection's config `region`, else the environment's. */
  readonly region?: string;
  readonly requesterPays?: boolean;
}

export interface S3SensorHandle extends S3SensorSettings {
  readonly minObjects: number;
  readonly minBytes: number;
  readonly requesterPays: boolean;
}

const SPEC = {
  bucket: { kind: 'string', required: true, min: 1, max: 2048 },
  key: { kind: 'string', min: 1, max: 1024 },
  prefix: { kind: 'string', max: 1024 },
  minObjects: { kind: 'integer', min: 1, max: 100_000, default: 1 },
  minBytes: { kind: 'integer', min: 0, default: 0 },
  region: { kind: 'string', min: 1 },
  requesterPays: { kind: 'boolean', default: false },
} as const;

/** What a bucket is opened with. The endpoint, of another service that speaks S3, is the connection's to say. */
export interface BucketAccess extends AwsAccess {
  readonly bucket: string;
  readonly requesterPays: boolean;
  readonly endpoint?: string;
}

/**
 * Waits until an object, or enough of them, are in a bucket. Nothing is started: the handle is the question. Outputs: `bucket`,
 * `objects`, `bytes`, and of a single key its `key`, `etag` and `lastModified`.
 *
 * From a connection: the secrets `accessKeyId`, `secretAccessKey`, `sessionToken` (without them the SDK's own chain), the
 * configs `region` and `endpoint`.
 */
export class S3SensorConnector extends AsyncConnector<S3SensorHandle> {
  override readonly name = 'Amazon S3 sensor';
  readonly taskTypeName = 'sensor.s3';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = true;
  readonly #buckets: KeptClients<Bucket, BucketAccess>;

  constructor(open: (access: BucketAccess) => Promise<Bucket> = openBucket) {
    super();
    this.#buckets = new KeptClients(open);
  }

  async create(request: CreateRequest): Promise<S3SensorHandle> {
    const settings = customOf<S3SensorSettings, typeof SPEC>(request.taskTemplate, SPEC);
    const { key, prefix } = settings;
    const values = new Map(inputPlaceholders(request.inputs));
    return specified(() => {
      if ((key === undefined) === (prefix === undefined)) {
        throw new InvalidInputError('exactly one of "key" and "prefix" must be given');
      }
      if (key === undefined) return { ...settings, prefix: fillText(prefix ?? '', values) };
      if (settings.minObjects > 1) throw new InvalidInputError('"minObjects" is for a "prefix"; a "key" is one object');
      return { ...settings, key: fillText(key, values) };
    });
  }

  async get(handle: S3SensorHandle, context: ConnectorContext): Promise<Resource> {
    const { bucket, key, region, requesterPays, minObjects, minBytes } = handle;
    const { endpoint } = context.connection.configs;
    const access = {
      ...awsAccess(context.connection, region),
      bucket,
      requesterPays,
      ...(endpoint ? { endpoint } : {}),
    };
    const opened = await this.#buckets.of(access);
    const met = await counted(opened, handle, context.signal).catch((error: unknown) => {
      context.signal.throwIfAborted();
      throw connectorError(error);
    });
    const { objects, bytes } = met;
    if (objects < minObjects || bytes < minBytes) {
      const what =
        key === undefined ? `${objects} of ${minObjects} objects` : objects === 0 ? 'no object' : 'an object';
      return { phase: 'RUNNING', message: `waiting: there is ${what}, with ${bytes} of ${minBytes} bytes` };
    }
    return { phase: 'SUCCEEDED', outputs: { bucket, ...met } };
  }

  /** Nothing runs anywhere. */
  async delete(): Promise<void> {}
}

/** Reads no further than it must to know. */
async function counted(bucket: Bucket, wanted: S3SensorHandle, signal: AbortSignal) {
  const { key, prefix = '', minObjects, minBytes } = wanted;
  if (key !== undefined) {
    // Of all keys that begin with this one, it comes first.
    const { objects } = await bucket.list({ prefix: key }, signal);
    const found = objects.find((object) => object.key === key);
    if (!found) return { objects: 0, bytes: 0 };
    const { etag, sizeBytes, lastModified } = found;
    const facts: JsonObject = { key, etag, ...(lastModified ? { lastModified: lastModified.toISOString() } : {}) };
    return { objects: 1, bytes: sizeBytes, ...facts };
  }
  let objects = 0;
  let bytes = 0;
  let page: Awaited<ReturnType<Bucket['list']>> | undefined;
  do {
    page = await bucket.list({ prefix, ...(page?.next ? { after: page.next } : {}) }, signal);
    for (const object of page.objects) {
      if (object.key.endsWith('/') && object.sizeBytes === 0) continue;
      objects += 1;
      bytes += object.sizeBytes;
    }
  } while (page.next && (objects < minObjects || bytes < minBytes));
  return { objects, bytes };
}

async function openBucket({ credentials, region, endpoint, bucket, requesterPays }: BucketAccess): Promise<Bucket> {
  const { sdkBucket } = await import('../../../s3/sdk-bucket.ts');
  return sdkBucket({ bucket, region, endpoint, requesterPays, versions: false, credential: credentials });
}

const CODES: Readonly<Record<number, ConditionCode>> = {
  400: 'BadTaskSpecification',
  401: 'Unauthenticated',
  403: 'PermissionDenied',
  // A bucket that may be made yet is no more there than a misspelt one.
  404: 'BadTaskSpecification',
  429: 'Throttled',
};
const CREDENTIALS = /^(InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|CredentialsProviderError)$/;

function connectorError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = error.cause instanceof Error ? error.cause : error;
  if (CREDENTIALS.test(cause.name)) {
    return new ConnectorError('Unauthenticated', { message: `S3 refused the credentials (${cause.name})` });
  }
  if (!(error instanceof IngestError)) return error;
  const { message, retryable } = error;
  const code = cause.name === 'SlowDown' ? 'Throttled' : (CODES[awsStatus(cause) ?? 0] ?? 'Unavailable');
  if (retryable || code !== 'Unavailable') return new ConnectorError(code, { message });
  return new ConnectorError('AwsRefused', { message, retryable: false, origin: 'service' });
}

function parseHandle(value: unknown): S3SensorHandle {
  const handle = new Members(value);
  return {
    bucket: handle.text('bucket'),
    minObjects: handle.integer('minObjects'),
    minBytes: handle.integer('minBytes'),
    requesterPays: handle.value('requesterPays') === true,
    ...handle.optional('key', (name) => handle.text(name)),
    ...handle.optional('prefix', (name) => String(handle.value(name))),
    ...handle.optional('region', (name) => handle.text(name)),
  };
}
