import { setTimeout as delay } from 'node:timers/promises';
import { isObject, type JsonValue } from '../../core/json.ts';
import { checkOptions } from '../../core/options.ts';
import { parseS3Credential } from '../../core/s3-credential.ts';
import type { BytesConnector, ListRun, Metadata, Source } from '../connector.ts';
import { anyOf, type PathTest } from '../patterns.ts';
import { rangeReader } from '../ranges.ts';
import type { Bucket, ListedObject, PageToken } from './bucket.ts';

export interface S3Options {
  readonly bucket: string;
  /** Only keys that begin with it; usually ends in the delimiter. Default: the whole bucket. */
  readonly prefix?: string;
  /** Default: the environment's. */
  readonly region?: string;
  /** Of another service that speaks S3, or a local one. */
  readonly endpoint?: string;
  /** What parts a key into folders. Default `/`. */
  readonly delimiter?: string;
  /** List all keys as leaves of one node, in one listing that goes on page by page. Default: a folder for each prefix. */
  readonly flat?: boolean;
  /** Glob patterns; an object is taken if one fits. `*.csv` fits at any depth, `2024/*.csv` below the prefix. */
  readonly match?: string | readonly string[];
  /** Version ids as fingerprints, and reads of exactly that version. The bucket must have versioning. Default false. */
  readonly versions?: boolean;
  /** Agree to pay for requests to a bucket of somebody else. Default false. */
  readonly requesterPays?: boolean;
  /** Bytes of one request, between two checkpoints: 1 MiB to 5 GiB, default 64 MiB. */
  readonly rangeBytes?: number;
}

const OPTIONS = {
  bucket: { kind: 'string', required: true, min: 1, max: 2048 },
  prefix: { kind: 'string', max: 1024, default: '' },
  region: { kind: 'string', min: 1 },
  endpoint: { kind: 'string', min: 1 },
  delimiter: { kind: 'string', min: 1, max: 16, default: '/' },
  flat: { kind: 'boolean', default: false },
  match: { kind: ['string', 'array'], of: 'string' },
  versions: { kind: 'boolean', default: false },
  requesterPays: { kind: 'boolean', default: false },
  rangeBytes: { kind: 'integer', min: 1024 * 1024, max: 5 * 1024 ** 3, default: 64 * 1024 * 1024 },
} as const;

/** What is not the option's; for tests. */
export interface S3Environment {
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * The objects of a bucket below a prefix. Each common prefix is a folder, named without its delimiter; each object a leaf,
 * named by the last segment of its key. Both carry the whole `key` or `prefix`.
 *
 * A leaf's fingerprint is its ETag and size, or its version id. Reads ask for that version only (If-Match), range by
 * range, with a checkpoint after each.
 *
 * The credential is JSON, `{"accessKeyId", "secretAccessKey", "sessionToken"?}`; without one the SDK's own chain is used.
 *
 * @throws {InvalidInputError} naming every option that is wrong
 */
export function s3(options: S3Options, environment: S3Environment = {}): Source {
  const settings = checkOptions('s3', options, OPTIONS);
  const { bucket, prefix, region, endpoint, delimiter, flat, match, versions, requesterPays, rangeBytes } = settings;
  const { random = Math.random, sleep = async (ms, signal) => delay(ms, undefined, { signal }) } = environment;
  const lister: Lister = {
    prefix,
    base: prefix.slice(0, prefix.lastIndexOf(delimiter) + (prefix.includes(delimiter) ? delimiter.length : 0)),
    delimiter,
    flat,
    isMatched: match === undefined ? () => true : anyOf('match', match),
  };

  const connector: BytesConnector<Bucket> = {
    async context(credentials) {
      const { sdkBucket } = await import('./sdk-bucket.ts');
      return sdkBucket({
        bucket,
        region,
        endpoint,
        versions,
        requesterPays,
        credential: parseS3Credential(credentials),
      });
    },
    listObjects: (context, metadata, run) => listPrefix(context, lister, metadata, run),
    readBytes(context, metadata, run) {
      const object = objectOf(metadata);
      const fetchRange = (start: number, end: number) => context.read(object, start, end, run.signal);
      const label = `s3://${bucket}/${object.key}`;
      return rangeReader({ fetchRange, sizeBytes: object.sizeBytes, rangeBytes, label, random, sleep }, run);
    },
    close: (context) => context.close(),
  };
  const identity = { bucket, prefix, endpoint: endpoint ?? null, ...(delimiter === '/' ? {} : { delimiter }) };
  return { type: 's3', connector: connector as BytesConnector, identity };
}

interface Lister {
  readonly prefix: string;
  /** What a root's names are relative to: the prefix up to its last delimiter. */
  readonly base: string;
  readonly delimiter: string;
  readonly flat: boolean;
  readonly isMatched: PathTest;
}

async function* listPrefix(
  bucket: Bucket,
  lister: Lister,
  metadata: Metadata | null,
  run: ListRun,
): AsyncGenerator<Metadata> {
  const { delimiter, flat } = lister;
  const prefix = typeof metadata?.prefix === 'string' ? metadata.prefix : lister.prefix;
  const base = metadata === null ? lister.base : prefix;
  let after = tokenOf(run.resumeFrom);
  for (;;) {
    const page = await bucket.list({ prefix, ...(flat ? {} : { delimiter }), ...(after ? { after } : {}) }, run.signal);
    for (const child of page.prefixes) {
      // A key with two delimiters in a row has a segment without a name; no other name has a delimiter in it.
      const name = child.slice(base.length, -delimiter.length) || delimiter;
      yield { name, fingerprint: '', isPrefix: true, prefix: child };
    }
    for (const object of page.objects) {
      const leaf = leafOf(object, base, lister);
      if (leaf) yield leaf;
    }
    if (!page.next) return;
    after = page.next;
    await run.checkpoint({ ...after });
  }
}

function leafOf(
  object: ListedObject,
  base: string,
  { delimiter, isMatched, base: root }: Lister,
): Metadata | undefined {
  const { key, etag, sizeBytes, versionId, lastModified } = object;
  // Consoles make an empty object to show an empty folder; it is the folder, not a file in it.
  if (key.endsWith(delimiter) && sizeBytes === 0) return undefined;
  const path = key.slice(root.length);
  if (!isMatched(path, path.slice(path.lastIndexOf(delimiter) + 1))) return undefined;
  return {
    name: key.slice(base.length) || delimiter,
    fingerprint: versionId === undefined ? `${etag} ${sizeBytes}` : `${versionId} ${etag}`,
    isPrefix: false,
    size: sizeBytes,
    ...(lastModified ? { lastModified: lastModified.toISOString() } : {}),
    key,
    etag,
    ...(versionId === undefined ? {} : { versionId }),
  };
}

function objectOf({ name, key, etag, size, versionId }: Metadata) {
  return {
    key: typeof key === 'string' ? key : name,
    etag: typeof etag === 'string' ? etag : '',
    sizeBytes: size ?? 0,
    ...(typeof versionId === 'string' ? { versionId } : {}),
  };
}

function tokenOf(cursor: JsonValue | undefined): PageToken | undefined {
  if (!isObject(cursor)) return undefined;
  const { token, key, versionId } = cursor;
  return {
    ...(typeof token === 'string' ? { token } : {}),
    ...(typeof key === 'string' ? { key } : {}),
    ...(typeof versionId === 'string' ? { versionId } : {}),
  };
}
