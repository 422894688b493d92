import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decompressed } from '../../../shared/landing/decoder.ts';
import { ChunkBytes, type Compression, newEncoder } from '../../../shared/landing/encoder.ts';

async function encoded(chunks: readonly Uint8Array[], compression: Compression): Promise<Buffer> {
  const encoder = newEncoder(compression);
  const pieces: Uint8Array[] = [];
  for (const chunk of chunks) pieces.push(...(await encoder.encode(chunk)));
  pieces.push(...(await encoder.end()));
  encoder.close();
  return Buffer.concat(pieces);
}

async function* pieces(data: Buffer, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

const decoded = async (data: Buffer, compression: Compression) =>
  Buffer.concat(await Array.fromAsync(decompressed(pieces(data), compression)));

describe.each<Compression>(['none', 'gzip', 'zstd'])('an encoder of %s', (compression) => {
  it('and its decoder give back what went in, in whatever chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), async (chunks) => {
        const back = await decoded(await encoded(chunks, compression), compression);
        expect(Buffer.compare(back, Buffer.concat(chunks))).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  it('holds of a long input a little only', async () => {
    const encoder = newEncoder(compression);
    const noise = Buffer.alloc(256 * 1024, (Math.PI * 1e15).toString());
    let written = 0;
    for (let chunk = 0; chunk < 40; chunk++) {
      for (const piece of await encoder.encode(noise)) written += piece.length;
    }
    const rest = (await encoder.end()).reduce((sum, piece) => sum + piece.length, 0);
    encoder.close();

    expect(written + rest).toBeGreaterThan(0);
    expect(rest).toBeLessThan(512 * 1024);
  });

  it('of nothing is something that decodes to nothing', async () => {
    expect(await decoded(await encoded([], compression), compression)).toHaveLength(0);
  });

  it('may be closed in the middle', async () => {
    const encoder = newEncoder(compression);
    await encoder.encode(Buffer.from('x'));

    encoder.close();
  });
});

describe('gzip members', () => {
  it('put one after the other decode as one', async () => {
    const whole = Buffer.concat([
      await encoded([Buffer.from('one ')], 'gzip'),
      await encoded([Buffer.from('two')], 'gzip'),
    ]);

    expect(String(gunzipSync(whole))).toBe('one two');
    expect(String(await decoded(whole, 'gzip'))).toBe('one two');
  });

  it('that are damaged are an error', async () => {
    const whole = await encoded([Buffer.from('some text')], 'gzip');

    await expect(decoded(whole.subarray(0, whole.length - 6), 'gzip')).rejects.toThrow();
  });
});

describe('ChunkBytes', () => {
  const bytesOf = (chunks: readonly (string | Uint8Array)[], lineMode = false) => {
    const text = new ChunkBytes(lineMode);
    return Buffer.concat([...chunks.map((chunk) => Buffer.from(text.of(chunk))), text.rest()]);
  };

  it('makes of text, wherever it is cut, what the whole text is in UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.nat(40), { maxLength: 6 }), (text, cuts) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
        const chunks = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(Buffer.compare(bytesOf(chunks), Buffer.from(text))).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('half a pair that never gets its other half is a replacement character, also before bytes', () => {
    expect(bytesOf(['a\ud83d', 'b'])).toEqual(Buffer.from('a\ufffdb'));
    expect(bytesOf(['a\ud83d', Buffer.from('b')])).toEqual(Buffer.from('a\ufffdb'));
    expect(bytesOf(['a\ud83d'])).toEqual(Buffer.from('a\ufffd'));
  });

  it('says whether a half waits', () => {
    const text = new ChunkBytes(false);
    text.of('a\ud83d');
    expect(text.pending).toBe(true);
    text.of('\ude00');
    expect(text.pending).toBe(false);
  });

  it('lineMode ends every text that does not end with a newline', () => {
    expect(String(bytesOf(['a', 'b\n', 'c\n\n', 'd'], true))).toBe('a\nb\nc\n\nd\n');
  });
});
