import { sha256 } from '../../core/ids.ts';
import type { HttpClient, HttpReply } from './client.ts';
import { type Version, versionOf } from './version.ts';

/** Which answer of the server identifies a version; `auto` takes the first that it gives. */
export type FingerprintBy = 'auto' | 'lastModified' | 'hash';

/** What a listing keeps of a resource. */
export interface Probed {
  readonly fingerprint: string;
  /** What the read must meet again; without the ETag if the fingerprint does not go by it. */
  readonly version: Version;
  /** SHA-256 of the content, hex, where nothing else identifies it. */
  readonly sha256?: string;
}

/** Statuses by which servers say that they do not answer HEAD; signed URLs say 403. */
const HEAD_REFUSED = [400, 403, 404, 405, 501];

/**
 * Asks for the version of a resource: by HEAD, by GET of its first byte where HEAD is refused, and by reading it whole
 * where the server names no version.
 *
 * @returns undefined if the resource is not there (404, 410) and `missing` allows that
 */
export async function probe(
  client: HttpClient,
  url: URL,
  by: FingerprintBy,
  missing: 'fail' | 'skip',
  signal: AbortSignal,
): Promise<Probed | undefined> {
  const gone = missing === 'skip' ? [404, 410] : [];
  if (by !== 'hash') {
    const reply = await head(client, url, gone, signal);
    if (!reply) return undefined;
    const probed = identify(versionOf(reply.headers, reply.status), by);
    if (probed) return probed;
  }
  return hashContent(client, url, gone, signal);
}

async function head(
  client: HttpClient,
  url: URL,
  gone: readonly number[],
  signal: AbortSignal,
): Promise<HttpReply | undefined> {
  const byHead = await client.request({ method: 'HEAD', url, accept: [...HEAD_REFUSED, ...gone], signal });
  byHead.drop();
  if (byHead.status < 300) return byHead;
  const accept = [416, ...gone];
  const firstByte = await client.request({ method: 'GET', url, headers: { range: 'bytes=0-0' }, accept, signal });
  firstByte.drop();
  if (gone.includes(firstByte.status)) return undefined;
  if (firstByte.status !== 416) return firstByte;
  // An empty file has no first byte.
  const whole = await client.request({ method: 'GET', url, accept: gone, signal });
  whole.drop();
  return gone.includes(whole.status) ? undefined : whole;
}

function identify({ etag, modified, sizeBytes }: Version, by: FingerprintBy): Probed | undefined {
  // Some servers answer every HEAD with length 0, so 0 says nothing.
  const size = sizeBytes ? { sizeBytes } : {};
  if (by === 'auto' && etag !== undefined) {
    return { fingerprint: etag, version: { etag, ...(modified === undefined ? {} : { modified }), ...size } };
  }
  if (modified === undefined) return undefined;
  return { fingerprint: sizeBytes ? `${modified}, ${sizeBytes} bytes` : modified, version: { modified, ...size } };
}

async function hashContent(
  client: HttpClient,
  url: URL,
  gone: readonly number[],
  signal: AbortSignal,
): Promise<Probed | undefined> {
  const reply = await client.request({ method: 'GET', url, accept: gone, signal });
  if (gone.includes(reply.status)) {
    reply.drop();
    return undefined;
  }
  const hash = sha256();
  let sizeBytes = 0;
  for await (const chunk of reply.body()) {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
  }
  const digest = hash.digest('hex');
  return { fingerprint: `sha256 ${digest}`, version: { sizeBytes }, sha256: digest };
}
