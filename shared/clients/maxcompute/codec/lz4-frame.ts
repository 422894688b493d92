import { ChecksumMismatchError, CorruptStreamError, StreamTruncatedError } from '../client-errors.ts';
import type { ByteReader } from './byte-reader.ts';
import { packBlock, packedBound, unpackBlock } from './lz4-block.ts';
import { Xxh32, xxh32 } from './xxh32.ts';

export const LZ4_MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** How far back a block may refer. */
const WINDOW_BYTES = 64 * 1024;
const STORED = 0x80000000;

interface Descriptor {
  readonly isIndependent: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  readonly contentBytes: number | undefined;
  readonly blockMaxBytes: number;
}

/** A number asks for that many bytes, fewer only at the end; bytes are a block that has been unpacked. */
type Steps<T = void> = Generator<number | Uint8Array, T, Uint8Array>;

/**
 * Unpacks LZ4 frames, one or several, block by block; all checksums that are there are verified.
 *
 * @throws {StreamTruncatedError} the input ends within a frame
 * @throws {ChecksumMismatchError} {@link CorruptStreamError}
 */
export async function* unpackFrames(input: ByteReader): AsyncGenerator<Uint8Array> {
  const steps = unpackSteps();
  for (let step = steps.next(); !step.done; ) {
    if (typeof step.value === 'number') step = steps.next(await input.read(step.value));
    else {
      yield step.value;
      step = steps.next(NOTHING);
    }
  }
}

/** {@link unpackFrames} of what is in memory. @throws {CorruptStreamError} also for a block beyond `maxOutputLength` */
export function unpackFramesSync(input: Uint8Array, { maxOutputLength = Number.POSITIVE_INFINITY } = {}): Buffer {
  const blocks: Uint8Array[] = [];
  const steps = unpackSteps(maxOutputLength);
  let at = 0;
  for (let step = steps.next(); !step.done; ) {
    if (typeof step.value === 'number') {
      const bytes = input.subarray(at, at + step.value);
      at += bytes.byteLength;
      step = steps.next(bytes);
    } else {
      blocks.push(step.value);
      step = steps.next(NOTHING);
    }
  }
  const [first] = blocks;
  return blocks.length === 1 ? Buffer.from(first!.buffer, first!.byteOffset, first!.byteLength) : Buffer.concat(blocks);
}

const NOTHING = new Uint8Array(0);

function* unpackSteps(maxBytes = Number.POSITIVE_INFINITY): Steps {
  for (let isFirst = true; ; isFirst = false) {
    const start = yield 4;
    if (start.byteLength === 0 && !isFirst) return;
    if (start.byteLength < 4) throw new StreamTruncatedError('the LZ4 frame ended in its header');
    const magic = view(start).getUint32(0, true);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) yield* exactly(yield* word());
    else if (magic === LZ4_MAGIC) yield* unpackFrame(yield* descriptor(), maxBytes);
    else throw new CorruptStreamError('this is no LZ4 frame');
  }
}

function* unpackFrame(frame: Descriptor, maxBytes: number): Steps {
  const content = frame.hasContentChecksum ? new Xxh32() : undefined;
  // What a small frame holds, it says.
  const roomBytes = Math.min(frame.blockMaxBytes, frame.contentBytes ?? frame.blockMaxBytes, maxBytes);
  let history: Uint8Array = NOTHING;
  let produced = 0;
  for (;;) {
    const header = yield* word();
    if (header === 0) break;
    const storedBytes = header & ~STORED;
    if (storedBytes > frame.blockMaxBytes)
      throw new CorruptStreamError(`an LZ4 block of ${storedBytes} bytes is too long`);
    const packed = yield* exactly(storedBytes);
    if (frame.hasBlockChecksums) check(xxh32(packed), yield* word(), 'block');
    // Room for the window and the block in one piece, so that a distance is a distance in one buffer.
    const output = Buffer.allocUnsafeSlow(history.byteLength + (header < 0 ? storedBytes : roomBytes));
    output.set(history);
    let end = history.byteLength + storedBytes;
    if (header < 0) output.set(packed, history.byteLength);
    else end = unpackBlock(packed, output, history.byteLength);
    const block = output.subarray(history.byteLength, end);
    if (!frame.isIndependent) history = output.subarray(Math.max(0, end - WINDOW_BYTES), end);
    content?.update(block);
    produced += block.byteLength;
    if (block.byteLength > 0) yield block;
  }
  if (content) check(content.digest(), yield* word(), 'content');
  if (frame.contentBytes !== undefined && frame.contentBytes !== produced) {
    throw new CorruptStreamError(`the LZ4 frame holds ${produced} bytes and claims ${frame.contentBytes}`);
  }
}

function* descriptor(): Steps<Descriptor> {
  const [flags, block] = yield* exactly(2);
  if (flags! >>> 6 !== 1) throw new CorruptStreamError('an LZ4 frame of an unknown version');
  const hasContentSize = (flags! & 8) !== 0;
  const hasDictionary = (flags! & 1) !== 0;
  const rest = yield* exactly((hasContentSize ? 8 : 0) + (hasDictionary ? 4 : 0));
  const [checksum] = yield* exactly(1);
  check((xxh32(Buffer.concat([Uint8Array.of(flags!, block!), rest])) >>> 8) & 255, checksum!, 'header');
  if (hasDictionary) throw new CorruptStreamError('the LZ4 frame needs a dictionary');
  const size = (block! >>> 4) & 7;
  if (size < 4) throw new CorruptStreamError('an LZ4 frame with an unknown block size');
  return {
    isIndependent: (flags! & 32) !== 0,
    hasBlockChecksums: (flags! & 16) !== 0,
    hasContentChecksum: (flags! & 4) !== 0,
    contentBytes: hasContentSize ? Number(view(rest).getBigUint64(0, true)) : undefined,
    blockMaxBytes: 1 << (8 + 2 * size),
  };
}

function check(computed: number, stored: number, of: string): void {
  if (computed >>> 0 !== stored >>> 0) throw new ChecksumMismatchError(`the checksum of an LZ4 ${of} does not fit`);
}

/** 32 bits as they are, the highest one as the sign. */
function* word(): Steps<number> {
  return view(yield* exactly(4)).getInt32(0, true);
}

function* exactly(count: number): Steps<Uint8Array> {
  if (count === 0) return NOTHING;
  const bytes = yield count;
  if (bytes.byteLength === count) return bytes;
  throw new StreamTruncatedError('the LZ4 frame ended early');
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const PACK_BLOCK_BYTES = 256 * 1024;

/** Packs bytes as one LZ4 frame of independent blocks of at most 256 KiB, with a checksum of the content. */
export async function* packFrame(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const content = new Xxh32();
  yield frameHeader();
  for await (const chunk of input) yield* packedBlocks(chunk, content);
  yield frameEnd(content);
}

/** {@link packFrame} of what is in memory. */
export function packFrameSync(input: Uint8Array): Buffer {
  const content = new Xxh32();
  return Buffer.concat([frameHeader(), ...packedBlocks(input, content), frameEnd(content)]);
}

function frameHeader(): Uint8Array {
  const descriptor = Uint8Array.of(0b01100100, 5 << 4);
  const header = Buffer.alloc(7);
  header.writeUInt32LE(LZ4_MAGIC, 0);
  header.set(descriptor, 4);
  header[6] = (xxh32(descriptor) >>> 8) & 255;
  return header;
}

function* packedBlocks(chunk: Uint8Array, content: Xxh32): Generator<Uint8Array> {
  content.update(chunk);
  for (let at = 0; at < chunk.byteLength; at += PACK_BLOCK_BYTES) {
    yield packedBlock(chunk.subarray(at, at + PACK_BLOCK_BYTES));
  }
}

function frameEnd(content: Xxh32): Uint8Array {
  const end = Buffer.alloc(8);
  end.writeUInt32LE(content.digest(), 4);
  return end;
}

function packedBlock(block: Uint8Array): Uint8Array {
  const output = Buffer.allocUnsafe(4 + packedBound(block.byteLength));
  const end = packBlock(block, output, 4);
  if (end - 4 < block.byteLength) {
    output.writeInt32LE(end - 4, 0);
    return output.subarray(0, end);
  }
  // What does not shrink is stored.
  output.writeInt32LE(block.byteLength | STORED, 0);
  output.set(block, 4);
  return output.subarray(0, 4 + block.byteLength);
}
