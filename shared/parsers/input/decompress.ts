import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { IngestError } from '../../core/errors.ts';
import { MIB } from '../../core/units.ts';
import { CorruptInputError, ExpansionLimitError } from '../errors.ts';
import type { CommonSettings } from '../options.ts';
import type { ParseRun } from '../parser.ts';
import type { Counters } from '../typing/counters.ts';

type Known = 'none' | 'gzip' | 'zstd' | 'deflate' | 'bzip2' | 'zip';

interface Limits extends Pick<CommonSettings, 'member' | 'maxExpandedBytes' | 'maxExpansionRatio'> {
  /** `outer`: as `auto`, but a zip file is the input itself. */
  readonly compression: CommonSettings['compression'] | 'outer';
}

/**
 * The bytes of the input, decompressed, within limits on what they expand to.
 *
 * @throws {CorruptInputError} the input does not unpack, or ends early
 * @throws {ExpansionLimitError} it expands to more than is allowed
 */
export async function* decompress(
  chunks: AsyncIterable<Uint8Array>,
  limits: Limits,
  run: ParseRun,
  counters: Counters,
): AsyncGenerator<Uint8Array> {
  const { head, all } = await peek(counted(chunks, run, counters), 4);
  const compression = knownCompression(limits.compression, head);
  const unpacked = await unpack(all, compression, limits, run, counters);
  if (unpacked === all) {
    for await (const chunk of all) {
      counters.expandedBytes += chunk.length;
      yield chunk;
    }
    return;
  }
  for await (const chunk of unpacked) {
    counters.expandedBytes += chunk.length;
    checkExpansion(limits, run, counters);
    yield chunk;
  }
}

function knownCompression(given: Limits['compression'], head: Uint8Array): Known {
  if (given !== 'auto' && given !== 'outer') return given;
  const found = compressionOf(head);
  return given === 'outer' && found === 'zip' ? 'none' : found;
}

/** What a file begins with. A zlib stream has no such mark: its first bytes may be text. */
export function compressionOf(head: Uint8Array): Known {
  const [a, b, c, d] = head;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  if (a === 0x42 && b === 0x5a && c === 0x68 && d! >= 0x31 && d! <= 0x39) return 'bzip2';
  if (a === 0x50 && b === 0x4b && (c === 3 || c === 5) && (d === 4 || d === 6)) return 'zip';
  return 'none';
}

const RATIO_FROM_BYTES = 64 * MIB;

function checkExpansion(limits: Limits, { label }: ParseRun, { inputBytes, expandedBytes }: Counters): void {
  if (expandedBytes > limits.maxExpandedBytes)
    throw new ExpansionLimitError(`${label} expands to more than maxExpandedBytes, ${limits.maxExpandedBytes} bytes`);
  if (expandedBytes > RATIO_FROM_BYTES && expandedBytes / inputBytes > limits.maxExpansionRatio)
    throw new ExpansionLimitError(
      `${label} expands to more than maxExpansionRatio, ${limits.maxExpansionRatio} times its size`,
    );
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  { signal }: ParseRun,
  counters: Counters,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    counters.inputBytes += chunk.length;
    yield chunk;
  }
}

async function peek(
  chunks: AsyncGenerator<Uint8Array>,
  bytes: number,
): Promise<{ head: Uint8Array; all: AsyncGenerator<Uint8Array> }> {
  const first: Uint8Array[] = [];
  let size = 0;
  while (size < bytes) {
    const next = await chunks.next();
    if (next.done) break;
    first.push(next.value);
    size += next.value.length;
  }
  async function* all() {
    try {
      yield* first;
      yield* chunks;
    } finally {
      await chunks.return(undefined);
    }
  }
  return { head: Buffer.concat(first.map((chunk) => chunk.subarray(0, bytes))), all: all() };
}

async function unpack(
  chunks: AsyncGenerator<Uint8Array>,
  compression: Known,
  limits: Limits,
  run: ParseRun,
  counters: Counters,
): Promise<AsyncIterable<Uint8Array>> {
  switch (compression) {
    case 'none':
      return chunks;
    case 'gzip':
      return inflated(chunks, createGunzip(OUTPUT), run, counters);
    case 'deflate':
      return inflated(chunks, createInflate(OUTPUT), run, counters);
    case 'zstd':
      return inflated(chunks, createZstdDecompress(OUTPUT), run, counters);
    case 'bzip2': {
      const { bunzip2 } = await import('./bzip2.ts');
      return bunzip2(chunks, run.label);
    }
    case 'zip': {
      const { zipMember } = await import('./zip.ts');
      return zipMember(chunks, limits.member, run);
    }
  }
}

/** Bigger pieces than the default of 16 KiB: each one costs a turn of the event loop. */
const OUTPUT = { chunkSize: 128 * 1024 };

async function* inflated(
  chunks: AsyncIterable<Uint8Array>,
  stream: Transform & { readonly bytesWritten: number },
  { label }: ParseRun,
  counters: Counters,
): AsyncGenerator<Uint8Array> {
  // With a callback, an error of the source reaches the reader below, and leaving early ends the source.
  pipeline(Readable.from(chunks, { objectMode: false }), stream, () => {});
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (error instanceof IngestError || typeof code !== 'string' || !/^(?:Z_|ZSTD_|ERR_Z)/.test(code)) throw error;
    const what = code === 'Z_BUF_ERROR' ? 'its compressed data ends early' : 'its compressed data is damaged';
    throw new CorruptInputError(`${label}: ${what}`, { cause: error });
  }
  // zlib stops in silence at what does not look like another member.
  if (stream.bytesWritten < counters.inputBytes)
    throw new CorruptInputError(`${label}: something follows the end of its compressed data`);
}
