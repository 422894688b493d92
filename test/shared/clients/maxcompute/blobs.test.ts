import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../../shared/clients/maxcompute/codec/crc32c.ts';
import { BlobWriteItem, ChecksumType, NO_RETRY } from '../../../../shared/clients/maxcompute/index.ts';
import { collect, failure, socketError } from '../../../support/client-calls.ts';
import { fixture, inPieces, refusal, script, World } from './harness.ts';

interface FrameCase {
  readonly name: string;
  readonly input: Record<string, string | number | string[]>;
  readonly frame_hex?: string;
  readonly frame_length: number;
  readonly frame_sha256?: string;
}

const frames = fixture<{ items: FrameCase[]; batches: { name: string; items: string[]; body_hex: string }[] }>(
  'blob_frames',
);
const downloads = fixture<{
  crc32c_checks: { data_base64: string; crc32c: number }[];
  streams: {
    name: string;
    reference_count: number;
    content_encoding: string | null;
    wire_hex: string;
    expected: {
      data_base64?: string;
      data_sha256?: string;
      length?: number;
      mime_type?: string;
      custom_file_name?: string;
    }[];
    expected_error?: string;
  }[];
}>('blob_download_streams');

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function itemOf({ input }: FrameCase, asStream = false): { item: BlobWriteItem; isV3: boolean } {
  const data = input.data_rule
    ? Buffer.from(Array.from({ length: 307_200 }, (_, index) => index % 251))
    : Buffer.from(String(input.data_base64), 'base64');
  const item = new BlobWriteItem(asStream ? inPieces(data, 1000) : data, {
    size: data.byteLength,
    checksumType: ChecksumType[input.checksum_type as keyof typeof ChecksumType],
    columnIndex: input.column_index as number,
    partitionValues: input.partition_values as string[] | undefined,
    distributionKey: input.distribution_key as string | undefined,
    mimeType: input.mime_type as string | undefined,
    customFileName: input.custom_file_name as string | undefined,
  });
  return { item, isV3: input.api_version === '3' };
}

describe('frames of uploads', () => {
  it.each(frames.items.map((one) => [one.name, one] as const))('%s, of bytes and of a stream', async (_name, one) => {
    const { item, isV3 } = itemOf(one);
    const streamed: Uint8Array[] = [];

    const frame = item.serialize(isV3);
    await itemOf(one, true).item.writeFrameTo({ write: (bytes) => streamed.push(Buffer.from(bytes)) }, isV3);

    expect(frame.byteLength).toBe(one.frame_length);
    if (one.frame_hex) expect(frame.toString('hex')).toBe(one.frame_hex);
    else expect(sha256(frame)).toBe(one.frame_sha256);
    expect(Buffer.concat(streamed).equals(frame)).toBe(true);
  });

  it.each(frames.batches.map((one) => [one.name, one] as const))('%s', (_name, { items, body_hex }) => {
    const all = items.map((name) => itemOf(frames.items.find((one) => one.name === name)!).item);

    expect(BlobWriteItem.writeBlobs(all).toString('hex')).toBe(body_hex);
  });

  it('a source that is shorter or longer than its size is an error', async () => {
    for (const size of [2, 4]) {
      const item = new BlobWriteItem(inPieces(Buffer.of(1, 2, 3), 1), { size });

      expect(await failure(collect(item.frame()))).toMatchObject({ name: 'SourceLengthError' });
    }
  });

  it('a stream whose size nobody knows is refused', async () => {
    const item = new BlobWriteItem(inPieces(Buffer.of(1), 1));

    expect(await failure(() => item.size)).toMatchObject({ name: 'InvalidRequestError' });
    expect(new BlobWriteItem(new Blob(['abc'])).size).toBe(3);
  });
});

describe('uploads', () => {
  const stream = { sessionId: 'ws', streamId: 's' };
  const hello = Buffer.from('hello world');

  it('the MD5 of the service is compared', async () => {
    const world = new World(() => ({ json: { BlobReference: 'YQ==', MD5Value: '0'.repeat(32) } }));

    expect(await failure(world.table.writeBlobStream({ ...stream, columnIndex: 1 }, hello))).toMatchObject({
      name: 'ChecksumMismatchError',
    });
  });

  it('bytes are sent again, a stream is not', async () => {
    const answers = () => script({ TableWriteBlob: [socketError('ECONNRESET'), { json: { BlobReference: 'YQ==' } }] });
    const bytes = new World(answers());
    await bytes.table.writeBlobStream({ ...stream, columnIndex: 1 }, hello);
    expect(bytes.sent.map(({ body }) => body.toString())).toEqual(['hello world', 'hello world']);

    const streamed = new World(answers());
    const error = await failure(streamed.table.writeBlobStream({ ...stream, columnIndex: 1 }, inPieces(hello, 3)));
    expect(error).toMatchObject({ name: 'ConnectionLostError', retryable: true });
  });

  it('a batch must bring a reference an item', async () => {
    const world = new World(() => ({ json: { BlobReferences: ['YQ=='] } }));
    const items = [new BlobWriteItem(hello), new BlobWriteItem(hello)];

    expect(await failure(world.table.writeBlobBatch(stream, items))).toMatchObject({ name: 'UnparsableReplyError' });
  });

  it('the column must be named', async () => {
    const world = new World(() => undefined);

    expect(await failure(world.table.writeBlobStream(stream, hello))).toMatchObject({ name: 'InvalidRequestError' });
    expect(world.sent).toEqual([]);
  });

  it('the route token of the session goes along', async () => {
    const world = new World(({ query }) =>
      query.Action === 'TableCreateWriteSession'
        ? { json: { SessionId: 'ws' }, headers: { 'x-odps-max-storage-route-token': 'rt-9' } }
        : { json: { BlobReference: 'YQ==' } },
    );
    await world.table.createWriteSession();

    await world.table.writeBlobStream({ ...stream, columnIndex: 1 }, hello);

    expect(world.sent[1]!.headers.get('x-odps-max-storage-route-token')).toBe('rt-9');
  });
});

describe('downloads', () => {
  it.each(downloads.crc32c_checks.map(({ data_base64, crc32c: sum }) => [data_base64, sum] as const))(
    'CRC-32C of %o',
    (data, expected) => {
      expect(crc32c(Buffer.from(data, 'base64'))).toBe(expected);
    },
  );

  const errors: Record<string, string> = {
    crc_mismatch: 'ChecksumMismatchError',
    tail_shorter_than_crc: 'CorruptStreamError',
    negative_header_length: 'CorruptStreamError',
  };

  it.each(
    downloads.streams.flatMap((one) => [1, 7, 4096, 4100, 100_000].map((size) => [one.name, size, one] as const)),
  )('%s, in chunks of %i', async (name, size, one) => {
    const headers: Record<string, string> = one.content_encoding ? { 'content-encoding': one.content_encoding } : {};
    const world = new World(() => ({ headers, body: inPieces(Buffer.from(one.wire_hex, 'hex'), size) }));
    const blobReferences = Array.from({ length: one.reference_count }, (_, index) => `ref-${index}`);

    const got: { data: Buffer; mimeType: string | null; customFileName: string | null }[] = [];
    const reading = (async () => {
      for await (const blob of await world.table.readBlobs({ blobReferences })) got.push(blob);
    })();

    if (one.expected_error) {
      expect(await failure(reading)).toMatchObject({ name: errors[name] ?? 'StreamTruncatedError', retryable: true });
    } else await reading;
    expect(got).toHaveLength(one.expected.length);
    one.expected.forEach((expected, index) => {
      const { data, mimeType, customFileName } = got[index]!;
      if (expected.data_base64 !== undefined) expect(data.toString('base64')).toBe(expected.data_base64);
      else expect(sha256(data)).toBe(expected.data_sha256);
      expect(mimeType).toBe(expected.mime_type ?? null);
      expect(customFileName).toBe(expected.custom_file_name ?? null);
    });
  });

  it('one at a time, in pieces; what is not read is passed over', async () => {
    const one = downloads.streams.find(({ name }) => name === 'two_framed_crossing_crc_blocks')!;
    const world = new World(() => ({ body: inPieces(Buffer.from(one.wire_hex, 'hex'), 999) }));
    await using blobs = await world.table.readBlobs({ blobReferences: ['a', 'b'] });

    expect(await blobs.next()).toBe(true);
    expect(blobs.mimeType).toBe('application/octet-stream');
    expect((await blobs.read(10)).byteLength).toBe(10);
    expect(await blobs.next()).toBe(true);
    expect(Buffer.concat(await collect(blobs.chunks())).byteLength).toBe(3000);
    expect(await blobs.next()).toBe(false);
  });

  it('a single blob in a frame is read when it is asked for so', async () => {
    const frame = new BlobWriteItem(Buffer.from('framed'), { mimeType: 'text/plain' }).serialize();
    const checked = Buffer.concat([frame, Buffer.alloc(4)]);
    checked.writeUInt32LE(crc32c(frame), frame.byteLength);
    const world = new World(() => ({ body: checked }));

    const [blob] = await collect(await world.table.readBlobs({ blobReferences: ['a'], framing: 'framed' }));

    expect(blob).toEqual({ data: Buffer.from('framed'), mimeType: 'text/plain', customFileName: null });
  });

  it('an empty blob need not be packed, whatever the reply says', async () => {
    const world = new World(() => ({ headers: { 'content-encoding': 'zstd' }, body: '' }));

    expect((await world.table.readBlob('a')).data.byteLength).toBe(0);
  });

  it('no references, no request; bytes that are no text cannot be asked for', async () => {
    const world = new World(() => undefined);

    expect(await collect(await world.table.readBlobs({ blobReferences: [] }))).toEqual([]);
    expect(await failure(world.table.readBlob(Buffer.of(0xff, 0xfe)))).toMatchObject({ name: 'InvalidRequestError' });
    expect(world.sent).toEqual([]);
  });

  it('is sent again until the first byte, and not behind it', async () => {
    const [first] = downloads.streams;
    const bytes = Buffer.from(first!.wire_hex, 'hex');
    const broken = { body: inPieces(Buffer.alloc(0), 1, socketError('ECONNRESET')) };
    const world = new World(script({ BlobRead: [refusal(503, 'ServiceUnavailable'), broken, { body: bytes }] }));

    expect((await world.table.readBlob('a')).data.toString()).toBe('hello');
    expect(world.sent).toHaveLength(3);

    const half = new World(() => ({ body: inPieces(bytes, 3, socketError('ECONNRESET')) }), { retry: NO_RETRY });
    expect(await failure(half.table.readBlob('a'))).toMatchObject({ name: 'ConnectionLostError' });
  });
});
