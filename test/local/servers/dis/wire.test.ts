import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explicitHash, hashOfKey, hashRanges } from '../../../../local/servers/dis/routing.ts';
import { downloadReply, uploadReply } from '../../../../local/servers/dis/wire/answers.ts';
import { parseProtobufUpload } from '../../../../local/servers/dis/wire/protobuf.ts';
import { parseJsonUpload, type UploadRecord } from '../../../../local/servers/dis/wire/upload.ts';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/dis/${name}.json`, import.meta.url), 'utf8'));

const { vectors } = fixture('protobuf') as { vectors: { readonly name: string; readonly hex: string }[] };
const bytesOf = (name: string) => Buffer.from(vectors.find((vector) => vector.name === name)!.hex, 'hex');

function dataOf(record: UploadRecord): Buffer {
  const data = Buffer.alloc(record.dataBytes);
  expect(record.copyData(data, 0)).toBe(data.length);
  return data;
}

describe('the binary form of records', () => {
  it('is read from an upload', () => {
    const { streamName, streamId, records } = parseProtobufUpload(bytesOf('put-request'));

    expect({ streamName, streamId }).toEqual({ streamName: 'newstream', streamId: undefined });
    expect(records).toMatchObject([
      { partitionKey: 'k1', partitionId: undefined, explicitHashKey: undefined },
      { partitionKey: undefined, partitionId: 'shardId-0000000000', explicitHashKey: '123' },
    ]);
    expect(records.map(dataOf)).toEqual([Buffer.from('hello world!'), Buffer.from('000102ff', 'hex')]);
  });

  it('is what an upload is answered in, byte for byte', () => {
    const results = [
      { partitionId: 'shardId-0000000000', sequenceNumber: '15' },
      { code: 'DIS.4303', message: 'Exceeded traffic control limit.' },
    ];

    const reply = uploadReply(results, true);

    expect(Buffer.from(reply.body as Uint8Array).toString('hex')).toBe(bytesOf('put-result').toString('hex'));
    expect(reply.headers['content-type']).toBe('application/x-protobuf; charset=utf-8');
  });

  it('is what a download is answered in, byte for byte', () => {
    const bytes = Buffer.from('k1111');
    const record = { index: 485, timeMs: 1527577402541, bytes, keyStart: 0, dataStart: 2, dataEnd: 5 };

    const reply = downloadReply(
      { records: [record], sequenceText: String, nextCursor: 'NEXT', behindLatestMs: 0 },
      true,
    );

    expect(Buffer.from(reply.body as Uint8Array).toString('hex')).toBe(bytesOf('get-result').toString('hex'));
  });

  it.each(Array.from({ length: 96 }, (_, at) => at + 1))('that ends after %i bytes does no harm', (length) => {
    const cut = bytesOf('put-request').subarray(0, length);
    try {
      const { records } = parseProtobufUpload(cut);
      expect(records.length).toBeLessThanOrEqual(2);
    } catch (error) {
      expect((error as { code: string }).code).toMatch(/^DIS\.(?:4300|4202|4200)$/);
    }
  });
});

describe('the JSON form of records', () => {
  it('takes the fields as the service documents them', () => {
    const body = {
      stream_name: 's',
      stream_id: '',
      records: [
        { data: 'aGVsbG8=', partition_key: '', partition_id: null, explicit_hash_key: '' },
        { data: '/w==', partition_id: 2 },
      ],
    };

    const { streamName, streamId, records } = parseJsonUpload(Buffer.from(JSON.stringify(body)));

    expect({ streamName, streamId }).toEqual({ streamName: 's', streamId: undefined });
    expect(records).toMatchObject([
      { partitionKey: '', partitionId: undefined, explicitHashKey: undefined },
      { partitionKey: undefined, partitionId: '2' },
    ]);
    expect(records.map(dataOf)).toEqual([Buffer.from('hello'), Buffer.from([255])]);
  });

  it('writes keys that are not ASCII, or need escapes, so that they come back', () => {
    const keys = ['plain', 'grüß', '"\\\n', 'é"', '\u{1F600}'];
    const records = keys.map((key, index) => {
      const bytes = Buffer.from(`${key}data`);
      const dataStart = bytes.length - 4;
      return { index, timeMs: 1, bytes, keyStart: 0, dataStart, dataEnd: bytes.length };
    });

    const { body } = downloadReply({ records, sequenceText: String, nextCursor: 'N', behindLatestMs: 0 }, false);

    const read = JSON.parse(Buffer.from(body as Uint8Array).toString());
    expect(read.records.map((record: { partition_key: string }) => record.partition_key)).toEqual(keys);
    expect(read).toMatchObject({ next_partition_cursor: 'N', millis_behind_latest: 0 });
  });
});

interface HashVector {
  readonly partition_key?: string;
  readonly explicit_hash_key?: string;
  readonly hash: string;
  readonly index_clamped: Readonly<Record<string, number>>;
}

const hashes = fixture('partition-hash') as {
  vectors: HashVector[];
  hash_ranges: Readonly<Record<string, readonly string[]>>;
};

describe('routing', () => {
  it.each(hashes.vectors.map((one) => [one.partition_key ?? `explicit ${one.explicit_hash_key}`, one] as const))(
    'sends %j where the service does',
    (_, { partition_key: key, explicit_hash_key: explicit, hash, index_clamped: expected }) => {
      const found = explicit === undefined ? hashOfKey(key!) : explicitHash(explicit)!;

      expect((BigInt(found.high) << 32n) + BigInt(found.low)).toBe(BigInt(hash));
      for (const [count, index] of Object.entries(expected)) {
        expect(hashRanges(Number(count)).indexOf(found), `of ${count}`).toBe(index);
      }
    },
  );

  it.each(Object.entries(hashes.hash_ranges))('shows the ranges of %s partitions', (count, ranges) => {
    expect(hashRanges(Number(count)).texts).toEqual(ranges);
  });

  it.each(['9223372036854775808', '-1', 'x', '1.5'])('does not take %s for a hash', (given) => {
    expect(explicitHash(given)).toBeUndefined();
  });
});
