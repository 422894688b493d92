import { mapInOrder } from '../../core/concurrency.ts';
import { idOf } from '../../core/ids.ts';
import { isObject, type JsonValue } from '../../core/json.ts';
import { type ListRun, type Metadata, SourceChangedError } from '../connector.ts';
import type { HttpClient } from './client.ts';
import type { Entry } from './entry.ts';
import { type FingerprintBy, probe } from './probe.ts';
import { maySign } from './urls.ts';

export interface DescribeOptions {
  readonly fingerprint: FingerprintBy;
  readonly onMissing: 'fail' | 'skip';
  readonly concurrency: number;
}

/** So often a listing says where it could go on. */
const CHECKPOINT_ENTRIES = 200;

/** Yields the metadata of each entry, in order, asking servers for versions several at a time. */
export async function* describeEntries(
  client: HttpClient,
  entries: readonly Entry[],
  options: DescribeOptions,
  run: ListRun,
): AsyncGenerator<Metadata> {
  // The names and their order must be those that the cursor counted.
  const of = idOf(...entries.map(({ name }) => name));
  let done = doneBefore(run.resumeFrom, of);
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  try {
    const rest = entries.slice(done);
    for await (const metadata of mapInOrder(rest, options.concurrency, (entry) =>
      describe(client, entry, options, signal),
    )) {
      done++;
      if (metadata) yield metadata;
      if (done % CHECKPOINT_ENTRIES === 0) await run.checkpoint({ done, of });
    }
  } finally {
    stop.abort(new Error('the listing has ended'));
  }
}

function doneBefore(cursor: JsonValue | undefined, of: string): number {
  if (!isObject(cursor) || typeof cursor.done !== 'number') return 0;
  if (cursor.of === of) return cursor.done;
  throw new SourceChangedError('the index changed while it was listed: it names other files than before');
}

async function describe(
  client: HttpClient,
  entry: Entry,
  { fingerprint, onMissing }: DescribeOptions,
  signal: AbortSignal,
): Promise<Metadata | undefined> {
  const { name, url, size, lastModified } = entry;
  // A URL that may be a key to something is not stored: the read looks it up in the index again.
  const where = maySign(url) ? {} : { url: url.href };
  if (entry.isFolder) return { name, fingerprint: '', isPrefix: true, ...where };
  const told = {
    ...(size === undefined ? {} : { size }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
  if (entry.fingerprint !== undefined)
    return { name, fingerprint: entry.fingerprint, isPrefix: false, ...told, ...where };
  const probed = await probe(client, url, fingerprint, onMissing, signal);
  if (!probed) return undefined;
  const { etag, modified, sizeBytes } = probed.version;
  const modifiedAt = new Date(modified ?? Number.NaN);
  return {
    name,
    fingerprint: probed.fingerprint,
    isPrefix: false,
    ...told,
    ...(sizeBytes === undefined ? {} : { size: sizeBytes }),
    ...(Number.isNaN(modifiedAt.getTime()) ? {} : { lastModified: modifiedAt.toISOString() }),
    ...where,
    ...(etag === undefined ? {} : { etag }),
    ...(modified === undefined ? {} : { modified }),
    ...(probed.sha256 === undefined ? {} : { sha256: probed.sha256 }),
  };
}
