import { isObject } from '../../core/json.ts';
import { MIB } from '../../core/units.ts';
import { InvalidListingError } from '../connector.ts';
import type { HttpClient } from './client.ts';
import type { Entry } from './entry.ts';
import { nameOf, safeUrl } from './urls.ts';

/** Where in a JSON document the partitions are. A field is a key, or a JSON pointer (RFC 6901) if it begins with `/`. */
export interface JsonIndex {
  readonly url: string;
  /** JSON pointer to an array of URLs or of objects; `''` is the whole document. URLs may be relative to the index. */
  readonly pointer: string;
  /** Default `url`. */
  readonly urlField?: string;
  /** Default: the URL's path below the index, else its host and path. */
  readonly nameField?: string;
  /** A version the index tells itself, text or number. Without it, each URL is asked. */
  readonly fingerprintField?: string;
  /** Expected bytes, for planning. */
  readonly sizeField?: string;
  /** ISO 8601, for people. */
  readonly lastModifiedField?: string;
}

/** An index is held in memory as a whole. */
export const MAX_INDEX_BYTES = 256 * MIB;

/** @throws {InvalidListingError} naming what in the document is not as the pipeline says */
export async function readJsonIndex(client: HttpClient, index: JsonIndex, signal: AbortSignal): Promise<Entry[]> {
  const url = new URL(index.url);
  const reply = await client.request({ method: 'GET', url, headers: { accept: 'application/json' }, signal });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of withinLimit(reply.body(), MAX_INDEX_BYTES, url))
    text += decoder.decode(chunk, { stream: true });
  const items = resolvePointer(parseJson(text + decoder.decode(), url), index.pointer);
  if (!Array.isArray(items)) {
    throw new InvalidListingError(
      `${safeUrl(url)}: "pointer" ${JSON.stringify(index.pointer)} must lead to an array, got ${kindOf(items)}`,
    );
  }
  return items.map((item, at) =>
    entryOf(item, index, reply.url, (what) => new InvalidListingError(`${safeUrl(url)}, item ${at}: ${what}`)),
  );
}

function entryOf(item: unknown, index: JsonIndex, base: URL, invalid: (what: string) => Error): Entry {
  const { urlField = 'url', nameField, fingerprintField, sizeField, lastModifiedField } = index;
  const field = (name: string | undefined) => (name === undefined || !isObject(item) ? undefined : fieldOf(item, name));
  const link = typeof item === 'string' ? item : field(urlField);
  if (typeof link !== 'string') {
    throw invalid(
      `must be a URL or an object with one in ${JSON.stringify(urlField)}, got ${kindOf(isObject(item) ? link : item)}`,
    );
  }
  const url = URL.parse(link, base.href);
  if (!url) throw invalid('its URL cannot be read');
  url.hash = '';
  const name = nameField === undefined ? nameOf(url, base) : field(nameField);
  if (typeof name !== 'string') throw invalid(`must have a name in ${JSON.stringify(nameField)}, got ${kindOf(name)}`);
  const size = field(sizeField);
  const lastModified = field(lastModifiedField);
  return {
    name,
    url,
    ...(fingerprintField === undefined
      ? {}
      : { fingerprint: fingerprintOf(field(fingerprintField), fingerprintField, invalid) }),
    ...(Number.isSafeInteger(size) && (size as number) >= 0 ? { size: size as number } : {}),
    ...(typeof lastModified === 'string' ? { lastModified } : {}),
  };
}

function fingerprintOf(value: unknown, field: string, invalid: (what: string) => Error): string {
  if (typeof value === 'string' && value !== '') return value;
  // An integer beyond 2^53 has lost its last digits here, and with them perhaps the change.
  if (typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value))) return String(value);
  throw invalid(`must have a text or a number up to 2^53 in ${JSON.stringify(field)}, got ${kindOf(value)}`);
}

function fieldOf(item: Record<string, unknown>, field: string): unknown {
  if (field.startsWith('/')) return resolvePointer(item, field);
  return Object.hasOwn(item, field) ? item[field] : undefined;
}

/** RFC 6901. @returns undefined where the document has nothing there */
export function resolvePointer(document: unknown, pointer: string): unknown {
  let at = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at)) at = /^(0|[1-9]\d*)$/.test(key) ? at[Number(key)] : undefined;
    else if (isObject(at) && Object.hasOwn(at, key)) at = at[key];
    else return undefined;
  }
  return at;
}

function parseJson(text: string, url: URL): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    // The parser's own message would quote the document, which may hold signed URLs.
    throw new InvalidListingError(`${safeUrl(url)} is no JSON index: its ${text.length} characters are not JSON`);
  }
}

export async function* withinLimit(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  url: URL,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes)
      throw new InvalidListingError(`${safeUrl(url)}: an index may have ${maxBytes} bytes, got more`);
    yield chunk;
  }
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return Array.isArray(value) ? 'an array' : `a${typeof value === 'object' ? 'n' : ''} ${typeof value}`;
}
