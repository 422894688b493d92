import type { IncomingHttpHeaders } from 'node:http';

export interface Representation {
  /** Strong. */
  readonly etag: string;
  readonly modified: Date;
}

/** `send whole`: the range asked for is of another version, so the answer is all of this one. */
export type Condition = 'send' | 'send whole' | 304 | 412;

/** In the order of RFC 9110, section 13.2.2. */
export function evaluate(headers: IncomingHttpHeaders, { etag, modified }: Representation): Condition {
  const changedAt = Math.floor(modified.getTime() / 1000) * 1000; // a header's date has whole seconds
  const isAfter = (date: string | undefined) => date !== undefined && changedAt > Date.parse(date);

  const match = headers['if-match'];
  if (match !== undefined ? !listHas(match, etag) : isAfter(headers['if-unmodified-since'])) return 412;
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) {
    if (listHas(noneMatch.replaceAll('W/', ''), etag)) return 304;
  } else if (headers['if-modified-since'] !== undefined && !isAfter(headers['if-modified-since'])) {
    return 304;
  }
  const ifRange = headers['if-range']?.toString();
  if (ifRange === undefined) return 'send';
  const isSame = ifRange.startsWith('"') ? ifRange === etag : Date.parse(ifRange) === changedAt;
  return isSame ? 'send' : 'send whole';
}

function listHas(list: string, etag: string): boolean {
  return list
    .split(',')
    .map((item) => item.trim())
    .some((item) => item === '*' || item === etag);
}

/**
 * One range of bytes, half-open. More than one, and what cannot be read, is answered by the whole, as the standard allows.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!found || (found[1] === '' && found[2] === '')) return undefined;
  const suffix = found[1] === '';
  const start = suffix ? Math.max(0, sizeBytes - Number(found[2])) : Number(found[1]);
  const end = suffix || found[2] === '' ? sizeBytes : Math.min(sizeBytes, Number(found[2]) + 1);
  if (!suffix && found[2] !== '' && Number(found[2]) < start) return undefined;
  return start >= end ? 'unsatisfiable' : { start, end };
}
