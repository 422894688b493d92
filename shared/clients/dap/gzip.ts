import { finished, pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip, type Gunzip } from 'node:zlib';
import { DownloadCorruptError, DownloadError, DownloadTruncatedError } from './errors.ts';

/**
 * Unpacks a gzip file, of one member or many. Bytes that do not begin like gzip pass as they are: they were unpacked on the
 * way, or never packed. No bytes are no bytes.
 *
 * @throws {DownloadTruncatedError} the stream ends within a member
 * @throws {DownloadCorruptError} it does not unpack, something else follows it, or it is a bomb: it expands a thousandfold
 */
export async function* unpack(bytes: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const { isGzip, all } = await sniff(bytes);
  if (!isGzip) {
    yield* all;
    return;
  }
  const count = { fed: 0, isOver: false };
  const gunzip = createGunzip(OUTPUT);
  // With a callback, an error of the source reaches the reader below, and leaving early ends the source.
  pipeline(Readable.from(counted(all, count)), gunzip, () => {});
  try {
    let unpackedBytes = 0;
    for await (const chunk of gunzip) {
      unpackedBytes += (chunk as Uint8Array).byteLength;
      checkRatio(unpackedBytes, count.fed, label);
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw gzipError(error, label);
  }
  checkEnd(gunzip, count, label);
}

/**
 * The bytes as they are, with the errors of {@link unpack}: to see that a file is whole without storing it unpacked.
 *
 * @param onUnpacked is handed what they unpack to, chunk by chunk
 */
export async function* verify(
  bytes: AsyncIterable<Uint8Array>,
  label: string,
  onUnpacked: (chunk: Uint8Array) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const { isGzip, all } = await sniff(bytes);
  if (!isGzip) {
    for await (const chunk of all) {
      onUnpacked(chunk);
      yield chunk;
    }
    return;
  }
  const count = { fed: 0, isOver: false };
  const gunzip = createGunzip(OUTPUT);
  const ended = promisify(finished)(gunzip, { writable: false });
  ended.catch(() => {});
  gunzip.on('data', onUnpacked);
  try {
    for await (const chunk of counted(all, count)) {
      // At most one chunk waits to be unpacked while its consumer stores it.
      const unpacked = new Promise<void>((resolve) => gunzip.write(chunk, () => resolve()));
      yield chunk;
      await Promise.race([unpacked, ended]);
      if (gunzip.readableEnded) break;
    }
    gunzip.end();
    await ended;
  } catch (error) {
    throw gzipError(error, label);
  } finally {
    gunzip.destroy();
  }
  checkEnd(gunzip, count, label);
}

/** As the parsers have it: rows that repeat themselves hardly pack a hundredfold. */
const RATIO_MAX = 1000;
const RATIO_FROM_BYTES = 64 * 1024 * 1024;

function checkRatio(unpackedBytes: number, packedBytes: number, label: string): void {
  if (unpackedBytes <= RATIO_FROM_BYTES || unpackedBytes <= packedBytes * RATIO_MAX) return;
  throw new DownloadCorruptError(`${label}: the gzip stream expands more than ${RATIO_MAX} times`);
}

/** Bigger pieces than the default of 16 KiB: each one costs a turn of the event loop. */
const OUTPUT = { chunkSize: 128 * 1024 };

interface Count {
  fed: number;
  isOver: boolean;
}

async function* counted(bytes: AsyncIterable<Uint8Array>, count: Count): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    count.fed += chunk.byteLength;
    yield chunk;
  }
  count.isOver = true;
}

/** zlib stops in silence at what does not look like another member. */
function checkEnd(gunzip: Gunzip, count: Count, label: string): void {
  if (count.isOver && gunzip.bytesWritten === count.fed) return;
  throw new DownloadCorruptError(`${label}: something that is not gzip follows the end of the gzip stream`);
}

function gzipError(error: unknown, label: string): unknown {
  const { code } = error as { code?: unknown };
  if (error instanceof DownloadError || typeof code !== 'string' || !/^Z_/.test(code)) return error;
  if (code === 'Z_BUF_ERROR')
    return new DownloadTruncatedError(`${label}: the gzip stream ended early`, { cause: error });
  return new DownloadCorruptError(`${label}: the gzip stream does not unpack`, { cause: error });
}

/** Looks at the first two bytes; `all` yields them too. */
async function sniff(
  bytes: AsyncIterable<Uint8Array>,
): Promise<{ readonly isGzip: boolean; readonly all: AsyncIterable<Uint8Array> }> {
  const chunks = bytes[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.byteLength < 2) {
    const { done, value } = await chunks.next();
    if (done) break;
    head = head.byteLength === 0 ? value : Buffer.concat([head, value]);
  }
  const all = async function* () {
    try {
      if (head.byteLength > 0) yield head;
      for (;;) {
        const { done, value } = await chunks.next();
        if (done) return;
        yield value;
      }
    } finally {
      await chunks.return?.();
    }
  };
  return { isGzip: head[0] === 0x1f && (head.byteLength < 2 || head[1] === 0x8b), all: all() };
}
