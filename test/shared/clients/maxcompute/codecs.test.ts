import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../../shared/clients/maxcompute/codec/byte-reader.ts';
import {
  packContent,
  parseContentCoding,
  unpackContent,
} from '../../../../shared/clients/maxcompute/codec/content-coding.ts';
import { packFrameSync, unpackFramesSync } from '../../../../shared/clients/maxcompute/codec/lz4-frame.ts';
import { Xxh32, xxh32 } from '../../../../shared/clients/maxcompute/codec/xxh32.ts';
import { Compression, UnsupportedStreamError } from '../../../../shared/clients/maxcompute/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { inPieces } from './harness.ts';

/** The same numbers each time. */
function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Bytes that repeat themselves more or less. */
function bytesOf(length: number, variety: number, seed = length): Buffer {
  const draw = draws(seed);
  return Buffer.from(Uint8Array.from({ length }, () => Math.floor(draw() * variety)));
}

describe('LZ4', () => {
  const sizes = [0, 1, 4, 5, 11, 12, 13, 14, 20, 64, 300, 4096, 65_535, 65_536, 262_143, 262_144, 262_145, 700_000];

  it.each(sizes.flatMap((size) => [1, 3, 256].map((variety) => [size, variety] as const)))(
    '%i bytes of %i kinds come back',
    async (size, variety) => {
      const plain = bytesOf(size, variety);
      const packed = packFrameSync(plain);
      const streamed = Buffer.concat(await collect(packContent(inPieces(plain, 100_000), Compression.LZ4_FRAME)));

      expect(unpackFramesSync(packed).equals(plain)).toBe(true);
      for (const frame of [packed, streamed]) {
        expect(Buffer.concat(await collect(unpackContent(inPieces(frame, 997), 'lz4'))).equals(plain)).toBe(true);
      }
      if (variety === 1 && size > 1000) expect(packed.byteLength).toBeLessThan(size / 50);
    },
  );

  it('what is broken is a named error, never more, never endless', () => {
    const draw = draws(3);
    const packed = packFrameSync(bytesOf(3000, 4));
    for (let round = 0; round < 2000; round++) {
      const broken = Buffer.from(packed.subarray(0, 8 + Math.floor(draw() * packed.byteLength)));
      for (let flips = Math.floor(draw() * 3) + 1; flips > 0; flips--) {
        broken[Math.floor(draw() * broken.byteLength)] = Math.floor(draw() * 256);
      }
      try {
        expect(unpackFramesSync(broken, { maxOutputLength: 100_000 }).equals(bytesOf(3000, 4))).toBe(true);
      } catch (error) {
        expect((error as Error).name).toMatch(/^(CorruptStream|ChecksumMismatch|StreamTruncated)Error$/);
      }
    }
  });

  it('more than there may be is an error', async () => {
    const packed = packFrameSync(bytesOf(3000, 4));

    expect(await failure(() => unpackFramesSync(packed, { maxOutputLength: 2999 }))).toMatchObject({
      name: 'CorruptStreamError',
    });
  });
});

describe('xxHash', () => {
  it.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('of %o', (text, expected) => {
    expect(xxh32(Buffer.from(text))).toBe(expected);
  });

  it('in pieces is the same', () => {
    const bytes = bytesOf(1000, 256);
    for (const size of [1, 5, 15, 16, 17, 33]) {
      const hash = new Xxh32();
      for (let at = 0; at < bytes.byteLength; at += size) hash.update(bytes.subarray(at, at + size));
      expect(hash.digest()).toBe(xxh32(bytes));
    }
  });
});

describe('content codings', () => {
  it.each([
    [null, 'identity'],
    ['identity', 'identity'],
    ['ZSTD', 'zstd'],
    ['x-lz4-frame', 'lz4'],
    ['x-odps-lz4-frame', 'lz4'],
    ['LZ4_FRAME', 'lz4'],
    ['deflate', 'deflate'],
  ])('%o is %s', (header, expected) => {
    expect(parseContentCoding(header)).toBe(expected);
  });

  it('another one is an error of its own', () => {
    expect(() => parseContentCoding('br')).toThrow(UnsupportedStreamError);
  });

  it('zstd comes back; what is cut, or followed by something, does not', async () => {
    const plain = bytesOf(300_000, 5);
    const packed = Buffer.concat(await collect(packContent(inPieces(plain, 9999), Compression.ZSTD)));
    const unpack = (bytes: Buffer) => collect(unpackContent(inPieces(bytes, 5000), 'zstd'));

    expect(Buffer.concat(await unpack(packed)).equals(plain)).toBe(true);
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const both = Buffer.concat([packed, skippable, zstdCompressSync(plain)]);
    expect(Buffer.concat(await unpack(both)).equals(Buffer.concat([plain, plain]))).toBe(true);
    expect(await failure(unpack(Buffer.alloc(0)))).toMatchObject({ name: 'StreamTruncatedError' });
    expect(await failure(unpack(packed.subarray(0, -5)))).toMatchObject({ name: 'StreamTruncatedError' });
    expect(await failure(unpack(Buffer.concat([packed, Buffer.from('trailing')])))).toMatchObject({
      name: 'CorruptStreamError',
    });
    expect(await failure(unpack(Buffer.from('no zstd at all')))).toMatchObject({ name: 'CorruptStreamError' });
  });

  it('an error of the source stays what it is, and its source is ended', async () => {
    let isEnded = false;
    const source = (async function* () {
      try {
        yield Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
        throw new Error('disk');
      } finally {
        isEnded = true;
      }
    })();

    expect((await failure(collect(unpackContent(source, 'zstd')))).message).toBe('disk');
    expect(isEnded).toBe(true);
  });
});

it('a byte reader gives what is asked for, from chunks of any size', async () => {
  for (const size of [1, 2, 3, 10]) {
    const reader = new ByteReader(inPieces(Buffer.from('abcdefghij'), size));

    expect(Buffer.from(await reader.peek(4)).toString()).toBe('abcd');
    expect(Buffer.from(await reader.read(3)).toString()).toBe('abc');
    expect(Buffer.from(await reader.peek(2)).toString()).toBe('de');
    expect(Buffer.concat(await collect(reader.rest())).toString()).toBe('defghij');
    expect((await reader.read(1)).byteLength).toBe(0);
  }
});
