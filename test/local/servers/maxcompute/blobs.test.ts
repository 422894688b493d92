import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { decompressFrameSync } from 'lz4-napi';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../../local/servers/maxcompute/arrow/byte-reader.ts';
import { crc32c, withChecksums } from '../../../../local/servers/maxcompute/blobs/crc32c.ts';
import {
  type FrameHeader,
  framed,
  readContent,
  readHeader,
} from '../../../../local/servers/maxcompute/blobs/frames.ts';
import { fixture } from './api.ts';

interface FrameCase {
  readonly name: string;
  readonly input: {
    data_base64?: string;
    column_index: number;
    partition_values?: string[];
    mime_type?: string;
    custom_file_name?: string;
  };
  readonly frame_hex: string;
}
interface DownloadCase {
  readonly name: string;
  readonly reference_count: number;
  readonly content_encoding: string | null;
  readonly expected: readonly {
    data_base64?: string;
    data_sha256?: string;
    mime_type?: string | null;
    custom_file_name?: string;
  }[];
  readonly expected_error?: string;
  readonly wire_hex: string;
}

const frames = fixture<{
  items: readonly FrameCase[];
  batches: readonly { name: string; items: string[]; body_hex: string }[];
}>('blob_frames');
const downloads = fixture<{
  crc32c_checks: readonly { data_base64: string; crc32c: number }[];
  streams: readonly DownloadCase[];
}>('blob_download_streams');

async function* pieces(bytes: Uint8Array, size = 11): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(body: Uint8Array): Promise<{ header: FrameHeader; data: Buffer }[]> {
  const reader = new ByteReader(pieces(body));
  const found: { header: FrameHeader; data: Buffer }[] = [];
  for (;;) {
    const header = await readHeader(reader);
    if (!header) return found;
    found.push({ header, data: Buffer.concat(await Array.fromAsync(readContent(reader))) });
  }
}

const withData = frames.items.filter(({ input }) => input.data_base64 !== undefined);

describe('frames of an upload', () => {
  it.each(withData)('$name is read', async ({ input, frame_hex: hex }) => {
    const [frame, ...more] = await readAll(Buffer.from(hex, 'hex'));

    expect(more).toEqual([]);
    expect(frame!.data.toString('base64')).toBe(input.data_base64);
    expect(frame!.header).toMatchObject({
      columnIndex: input.column_index,
      partitionValues: input.partition_values ?? [],
    });
    expect(frame!.header.mimeType).toBe(input.mime_type === '' ? undefined : input.mime_type);
  });

  it.each(frames.batches)('$name: one after the other', async ({ items, body_hex: hex }) => {
    expect(await readAll(Buffer.from(hex, 'hex'))).toHaveLength(items.length);
  });

  it.each(['hello_crc32', 'hello_md5'])('%s: another content is noticed', async (name) => {
    const bytes = Buffer.from(frames.items.find((item) => item.name === name)!.frame_hex, 'hex');
    bytes[bytes.indexOf('hello world')]! ^= 1;

    await expect(readAll(bytes)).rejects.toThrow(/(CRC32|MD5) of a blob/);
  });

  it('that end early, or have a negative length, are refused', async () => {
    const bytes = Buffer.from(frames.items[1]!.frame_hex, 'hex');

    for (let end = 1; end < bytes.length; end += 5) await expect(readAll(bytes.subarray(0, end))).rejects.toThrow();
    await expect(readAll(Buffer.alloc(8, 0xff))).rejects.toMatchObject({ code: 'MalformedDataStream' });
  });
});

describe('downloads', () => {
  it.each(downloads.crc32c_checks)('CRC-32C of $data_base64', ({ data_base64: data, crc32c: wanted }) => {
    expect(crc32c(Buffer.from(data, 'base64'))).toBe(wanted);
  });

  it.each(downloads.streams.filter(({ expected_error: error }) => error === undefined))(
    '$name: goes out as the vector has it',
    async (of) => {
      const wire = Buffer.from(of.wire_hex, 'hex');
      const blocks: Buffer[] = [];
      for (let at = 0; at < wire.length; at += 4100)
        blocks.push(wire.subarray(at, Math.min(at + 4096, wire.length - 4)));
      const body = Buffer.concat(blocks);

      expect(Buffer.concat(await Array.fromAsync(withChecksums(pieces(body, 1000)))).equals(wire)).toBe(true);
      const content =
        of.content_encoding === 'zstd'
          ? zstdDecompressSync(body)
          : of.content_encoding
            ? decompressFrameSync(body)
            : body;
      if (of.reference_count === 1) {
        const [blob] = of.expected;
        if (blob!.data_base64 !== undefined) expect(content.toString('base64')).toBe(blob!.data_base64);
        else expect(createHash('sha256').update(content).digest('hex')).toBe(blob!.data_sha256);
      }
    },
  );

  it('of several frame each, with what is known of it', async () => {
    const blob = (text: string, more = {}) => ({
      sizeBytes: text.length,
      content: () => pieces(Buffer.from(text)),
      ...more,
    });

    const bytes = Buffer.concat(
      await Array.fromAsync(framed([blob('one', { mimeType: 'text/plain' }), blob('', { fileName: 'f' })])),
    );

    const length = Number(bytes.readBigInt64LE(0));
    expect(JSON.parse(bytes.toString('utf8', 8, 8 + length))).toEqual({
      ContentType: 'text/plain',
      CustomFileName: '',
    });
    expect(bytes.toString('utf8', 16 + length, 19 + length)).toBe('one');
    expect(bytes.includes('"CustomFileName":"f"')).toBe(true);
  });
});
