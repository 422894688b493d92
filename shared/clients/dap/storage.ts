import { backoffMs } from '../../core/backoff.ts';
import { IngestError, isRetryable } from '../../core/errors.ts';
import { SilenceLimit } from '../transport/abort.ts';
import { declaredBytes, parseRetryAfter, plainCause } from '../transport/reply.ts';
import { DownloadCorruptError, DownloadError, DownloadTruncatedError } from './errors.ts';
import type { Machine } from './machine.ts';
import type { Resource } from './wire.ts';

/** Where the bytes of one object come from. */
export interface Link {
  /** How messages name it: never by its URL. */
  readonly label: string;
  resource(signal: AbortSignal): Promise<Resource>;
  /** Trades for a new URL, since the last one was refused. Absent if nobody knows what to trade. */
  renew?(signal: AbortSignal): Promise<void>;
}

export interface Head {
  /** Of the whole object; absent if the server does not say. */
  readonly totalBytes?: number;
  /** The HTTP layer has unpacked the body, so that a name in `.gz` is not true of the bytes. */
  readonly isUnpacked: boolean;
}

/**
 * The bytes of an object as they are stored, in order, each once. A connection that breaks is taken up again where it
 * broke; a URL that has expired is traded again, at most 3 times. Nothing is held beyond one chunk.
 *
 * @param onHead told once, before the first byte
 * @throws {DownloadError} a refusal, with its status
 * @throws {DownloadTruncatedError} the body keeps ending early
 */
export async function* readObject(
  machine: Machine,
  link: Link,
  signal: AbortSignal,
  onHead: (head: Head) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const { retry, random } = machine.settings;
  const reading: Reading = { offset: 0, etag: undefined, totalBytes: undefined, isUnpacked: false };
  let renewals = 0;
  let failures = 0;
  for (let isFirst = true; ; ) {
    const before = reading.offset;
    try {
      const body = await openBody(machine, link, reading, signal);
      if (isFirst) onHead(headOf(reading));
      isFirst = false;
      yield* body;
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (reading.offset > before) failures = 0;
      if (error instanceof DownloadError && error.status === 403 && link.renew && renewals < MAX_RENEWALS) {
        renewals++;
        await link.renew(signal);
        continue;
      }
      if (!isPassing(error) || failures >= retry.transient.repeats) throw error;
      const waitMs = backoffMs(failures++, random, retry.transient, (error as DownloadError).retryAfterMs);
      machine.settings.logger.warn('the download is resumed', {
        object: link.label,
        at: reading.offset,
        waitMs,
        error,
      });
      await machine.pause(waitMs, signal);
    }
  }
}

const MAX_RENEWALS = 3;

/** A URL that was refused, and bytes that are wrong, stay so; a broken connection need not. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof DownloadError) || error instanceof DownloadCorruptError) return false;
  return error.retryable && error.status !== 403;
}

/** How far an object has been read, and which one it was. */
interface Reading {
  offset: number;
  etag: string | undefined;
  totalBytes: number | undefined;
  isUnpacked: boolean;
}

function headOf({ totalBytes, isUnpacked }: Reading): Head {
  return { ...(totalBytes !== undefined && { totalBytes }), isUnpacked };
}

/** Opens the rest of an object, and checks that it is the rest of the same one. */
async function openBody(
  machine: Machine,
  link: Link,
  reading: Reading,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array>> {
  const { url } = await link.resource(signal);
  // What was unpacked on the way has no offset in what is stored: it is read again from the start, and skipped.
  const start = reading.isUnpacked ? 0 : reading.offset;
  const silence = new SilenceLimit(machine.settings.idleTimeoutMs, () => {
    const message = `${link.label}: no byte within ${machine.settings.idleTimeoutMs} ms`;
    return new DownloadError(message, { retryable: true });
  });
  silence.start();
  let response: Response;
  try {
    const headers: Record<string, string> = {
      'user-agent': machine.settings.userAgent,
      // The gzip layer belongs to the file; one more would only make lengths and ranges untrue.
      'accept-encoding': 'identity',
      ...(start > 0 && { range: `bytes=${start}-` }),
    };
    response = await machine.settings.fetch(url, { headers, signal: AbortSignal.any([signal, silence.signal]) });
  } catch (error) {
    silence.stop();
    throw failure(error, link, silence, signal);
  }
  silence.stop();
  const from = await checkHead(machine, response, link, reading, start);
  return readBody(response, link, reading, from, silence, signal);
}

/** @returns the offset of the first byte of the body; Infinity if nothing is left of the object */
async function checkHead(
  machine: Machine,
  response: Response,
  link: Link,
  reading: Reading,
  start: number,
): Promise<number> {
  const { status, headers } = response;
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  if (status === 416 && start > 0 && Number(range?.[2]) === start) {
    await drop(response);
    return Infinity;
  }
  if (!response.ok) {
    await drop(response);
    throw new DownloadError(`${link.label}: object storage answered ${status}`, {
      status,
      retryable: status === 403 || status === 408 || status === 429 || (status >= 500 && status !== 501),
      retryAfterMs: parseRetryAfter(headers.get('retry-after') ?? undefined, machine.settings.clock()),
    });
  }
  const from = status === 206 ? Number(range?.[1] ?? Number.NaN) : 0;
  const declared = declaredBytes(headers);
  const hasLength = declared > 0 || headers.get('content-length') === '0';
  const totalBytes = hasLength && !headers.has('content-encoding') ? from + declared : undefined;
  const etag = headers.get('etag') ?? undefined;
  const isOther =
    (status === 206 && from !== start) ||
    (reading.etag !== undefined && etag !== undefined && etag !== reading.etag) ||
    (reading.totalBytes !== undefined && totalBytes !== undefined && totalBytes !== reading.totalBytes);
  if (isOther) {
    await drop(response);
    throw new DownloadCorruptError(`${link.label}: the object is another one than when its download began`);
  }
  reading.etag ??= etag;
  reading.totalBytes ??= totalBytes;
  reading.isUnpacked ||= headers.has('content-encoding') && headers.get('content-encoding') !== 'identity';
  return from;
}

async function* readBody(
  response: Response,
  link: Link,
  reading: Reading,
  from: number,
  silence: SilenceLimit,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (from === Infinity || !response.body) return checkLength(link, reading);
  let at = from;
  const reader = response.body.getReader();
  // Not every `fetch` ends a body by the signal it was given; a read that is cancelled ends at once.
  const ended = AbortSignal.any([signal, silence.signal]);
  const endRead = () => void reader.cancel().catch(() => {});
  ended.addEventListener('abort', endRead, { once: true });
  try {
    for (;;) {
      // The time that the consumer takes, to store what it got, is not the server's.
      silence.start();
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw failure(error, link, silence, signal);
      });
      silence.stop();
      ended.throwIfAborted();
      if (done) break;
      const known = Math.min(value.byteLength, Math.max(0, reading.offset - at));
      at += value.byteLength;
      if (known === value.byteLength) continue;
      reading.offset = at;
      yield known === 0 ? value : value.subarray(known);
    }
  } finally {
    silence.stop();
    ended.removeEventListener('abort', endRead);
    await reader.cancel().catch(() => {});
  }
  if (at < reading.offset) throw new DownloadTruncatedError(`${link.label}: the body ended before where it broke off`);
  checkLength(link, reading);
}

function checkLength(link: Link, { offset, totalBytes }: Reading): void {
  if (totalBytes === undefined || offset === totalBytes) return;
  throw new DownloadTruncatedError(`${link.label}: the body ended after ${offset} of ${totalBytes} bytes`);
}

function failure(error: unknown, link: Link, silence: SilenceLimit, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (silence.signal.aborted) return silence.signal.reason;
  if (error instanceof IngestError) return error;
  const cause = plainCause(error);
  return new DownloadError(`${link.label}: the connection failed (${cause.message})`, {
    retryable: isRetryable(error),
    cause,
  });
}

async function drop(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}
