import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Codec, CompressionType } from 'apache-arrow';
import { CorruptStreamError, ExpansionLimitError } from '../client-errors.ts';
import { packFrameSync, unpackFramesSync } from '../codec/lz4-frame.ts';

export type Arrow = typeof import('apache-arrow');

let loaded: Promise<Arrow> | undefined;

/** The Arrow library, loaded when rows are decoded or encoded for the first time: what lands raw never needs it. */
export function loadArrow(): Promise<Arrow> {
  loaded ??= import('apache-arrow');
  return loaded;
}

/** The codec of buffers inside record batches. */
export async function loadCodec(name: 'zstd' | 'lz4'): Promise<BufferCodec> {
  const arrow = await loadArrow();
  codecs ??= {
    zstd: new BufferCodec(arrow, arrow.CompressionType.ZSTD, 'zstd', zstdCompressSync, zstdDecompressSync),
    lz4: new BufferCodec(arrow, arrow.CompressionType.LZ4_FRAME, 'LZ4', packFrameSync, unpackFramesSync),
  };
  return codecs[name];
}
let codecs: { readonly zstd: BufferCodec; readonly lz4: BufferCodec } | undefined;

/**
 * A codec as the library wants it. Its registry is the process's, and others may put theirs there: each use registers
 * ours again.
 */
export class BufferCodec implements Codec {
  readonly type: CompressionType;
  readonly #arrow: Arrow;
  readonly #name: string;
  readonly #encode: (bytes: Uint8Array) => Buffer;
  readonly #decode: Decode;
  /** Lengths of the buffers that {@link pack} has packed so far, in order. */
  #lengths: number[] | undefined;
  /** What the buffers of the batch at hand may still expand to. */
  #leftBytes = BATCH_MAX_BYTES;

  constructor(
    arrow: Arrow,
    type: CompressionType,
    name: string,
    encode: (bytes: Uint8Array) => Buffer,
    decode: Decode,
  ) {
    this.#arrow = arrow;
    this.type = type;
    this.#name = name;
    this.#encode = encode;
    this.#decode = decode;
  }

  /** Runs what packs or unpacks buffers, without waiting. @returns also the lengths of what was packed, in order */
  use<T>(work: () => T): { result: T; lengths: number[] } {
    const { compressionRegistry } = this.#arrow;
    if (compressionRegistry.get(this.type) !== this) compressionRegistry.set(this.type, this);
    const lengths: number[] = [];
    this.#lengths = lengths;
    this.#leftBytes = BATCH_MAX_BYTES;
    try {
      return { result: work(), lengths };
    } finally {
      this.#lengths = undefined;
    }
  }

  readonly encode = (bytes: Uint8Array): Uint8Array => {
    this.#lengths?.push(bytes.byteLength);
    return this.#encode(bytes);
  };

  readonly decode = (bytes: Uint8Array): Uint8Array => {
    const claimed = claimedBytes(bytes);
    // Without a claim a codec may still make a gigabyte of a few bytes.
    const mostBytes = Math.min(Number(claimed ?? this.#leftBytes), this.#leftBytes);
    let unpacked: Buffer;
    try {
      if (claimed !== undefined && claimed > this.#leftBytes) throw tooLong();
      unpacked = this.#decode(bytes, { maxOutputLength: mostBytes || 1 });
    } catch (cause) {
      if (cause instanceof ExpansionLimitError || isTooLong(cause, claimed)) throw tooLong(cause);
      throw new CorruptStreamError(`a ${this.#name} buffer of an Arrow batch does not unpack`, { cause });
    }
    this.#leftBytes -= unpacked.byteLength;
    if (claimed === undefined || claimed === BigInt(unpacked.byteLength)) return unpacked;
    const message = `a ${this.#name} buffer of an Arrow batch has ${unpacked.byteLength} bytes of ${claimed}`;
    throw new CorruptStreamError(message);
  };
}

type Decode = (bytes: Uint8Array, bounds: { readonly maxOutputLength: number }) => Buffer;

/** Of one batch, all its buffers together: memory holds them at once. */
const BATCH_MAX_BYTES = 512 * 1024 * 1024;

/** Beyond a claim, bytes are wrong; where none was made, there are too many. */
const isTooLong = (error: unknown, claimed: bigint | undefined): boolean =>
  claimed === undefined && (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';

const tooLong = (cause?: unknown) =>
  new ExpansionLimitError(`a batch of the Arrow stream expands to more than ${BATCH_MAX_BYTES} bytes`, { cause });

/** The length of a buffer stands before its packed bytes. The library leaves it there, but does not compare it. */
function claimedBytes({ buffer, byteOffset }: Uint8Array): bigint | undefined {
  const claimed = byteOffset < 8 ? -1n : new DataView(buffer, byteOffset - 8, 8).getBigInt64(0, true);
  return claimed < 0n ? undefined : claimed;
}
