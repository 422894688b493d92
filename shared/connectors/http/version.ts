import type { IncomingHttpHeaders } from 'node:http';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';

/** What a server says that tells one version of a resource from another. All of it is optional. */
export interface Version {
  /** Verbatim, with its quotes and the `W/` of a weak one. */
  readonly etag?: string;
  /** `Last-Modified`, verbatim. */
  readonly modified?: string;
  /** Bytes of the whole resource. */
  readonly sizeBytes?: number;
}

/** Of a reply to GET or HEAD; of one to a range, the whole resource's size. */
export function versionOf(headers: IncomingHttpHeaders, status: number): Version {
  const { etag, 'last-modified': modified } = headers;
  const sizeBytes = status === 206 ? contentRange(headers)?.sizeBytes : lengthOf(headers);
  return {
    ...(etag ? { etag } : {}),
    ...(modified ? { modified } : {}),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

/** `bytes 10-19/20` is `{ start: 10, end: 20, sizeBytes: 20 }`: the end is exclusive here. */
export function contentRange(
  headers: IncomingHttpHeaders,
): { start: number; end: number; sizeBytes: number | undefined } | undefined {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers['content-range'] ?? '');
  if (!found) return undefined;
  return {
    start: Number(found[1]),
    end: Number(found[2]) + 1,
    sizeBytes: found[3] === '*' ? undefined : Number(found[3]),
  };
}

export const isStrong = (etag: string | undefined): etag is string => etag?.startsWith('"') ?? false;

/** Conditions under which a server answers this version or 412. A weak ETag never passes If-Match, so it is not sent. */
export function guards({ etag, modified }: Version): Record<string, string> {
  if (isStrong(etag)) return { 'if-match': etag };
  if (etag === undefined && modified !== undefined) return { 'if-unmodified-since': modified };
  return {};
}

/** The same for a part: a server that does not know If-Match sends the whole resource if it is another version. */
export function rangeGuards(version: Version, start: number): Record<string, string> {
  const validator = isStrong(version.etag) ? version.etag : version.modified;
  return {
    ...guards(version),
    range: `bytes=${start}-`,
    ...(validator === undefined ? {} : { 'if-range': validator }),
  };
}

/** What differs between the version expected and the one met, in words; undefined if nothing says that they differ. */
export function difference(expected: Version, met: Version): string | undefined {
  if (expected.etag !== undefined && met.etag !== undefined) {
    return opaque(expected.etag) === opaque(met.etag) ? undefined : `its ETag was ${expected.etag} and is ${met.etag}`;
  }
  if (expected.modified !== undefined && met.modified !== undefined && expected.modified !== met.modified) {
    return `it was last modified ${expected.modified} and now ${met.modified}`;
  }
  return sizeDifference(expected, met);
}

function sizeDifference(expected: Version, met: Version): string | undefined {
  const sizeBytes = met.sizeBytes ?? expected.sizeBytes;
  return expected.sizeBytes === undefined || expected.sizeBytes === sizeBytes
    ? undefined
    : `it had ${expected.sizeBytes} bytes and has ${sizeBytes}`;
}

/**
 * The same for a further part of what has been begun: here silence is no consent, and the size must agree even if the
 * ETag does.
 */
export function partDifference(begun: Version, met: Version): string | undefined {
  const silent = begun.etag === undefined ? met.modified === undefined : met.etag === undefined;
  if (silent) return 'the server no longer says which version it sends';
  return difference(begun, met) ?? sizeDifference(begun, met);
}

/** An ETag without the mark of a weak one: some servers weaken it for one reply and not for the next. */
const opaque = (etag: string): string => etag.replace(/^W\//, '');

/**
 * Whether two parts read at different times can be told to be of one version: by a strong ETag, or by a time of change
 * that was past when the server answered (it counts whole seconds, and may change twice in one).
 */
export function isResumable({ etag, modified }: Version, date: string | undefined): boolean {
  if (etag !== undefined) return isStrong(etag);
  if (modified === undefined) return false;
  const age = Date.parse(date ?? '') - Date.parse(modified);
  return Number.isNaN(age) || age >= 2000;
}

/** Where a read goes on, and of which version. */
export interface HttpCursor extends Version {
  readonly offset: number;
}

export function cursorJson({ offset, etag, modified, sizeBytes }: HttpCursor): JsonObject {
  return {
    offset,
    ...(etag === undefined ? {} : { etag }),
    ...(modified === undefined ? {} : { modified }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

/** @returns undefined for what is not a cursor of ours: the read then starts at the first byte */
export function parseCursor(cursor: JsonValue | undefined): HttpCursor | undefined {
  if (!isObject(cursor) || !Number.isSafeInteger(cursor.offset)) return undefined;
  const { offset, etag, modified, sizeBytes } = cursor;
  return {
    offset: offset as number,
    ...(typeof etag === 'string' ? { etag } : {}),
    ...(typeof modified === 'string' ? { modified } : {}),
    ...(typeof sizeBytes === 'number' ? { sizeBytes } : {}),
  };
}
