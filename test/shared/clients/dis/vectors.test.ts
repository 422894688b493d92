import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Algorithm,
  DisClient,
  hashOfRecord,
  hashRanges,
  partitionIndexOf,
  Signer,
} from '../../../../shared/clients/dis/index.ts';
import { FieldReader } from '../../../../shared/clients/dis/protobuf.ts';
import { checkRecord } from '../../../../shared/clients/dis/records.ts';
import {
  ProtobufBody,
  parseDownloadProtobuf,
  parseUploadProtobuf,
} from '../../../../shared/clients/dis/records-protobuf.ts';
import { fixture, responseOf } from './harness.ts';

interface SignatureVector {
  readonly name: string;
  readonly our_signer: boolean;
  readonly input: {
    readonly access_key: string;
    readonly secret_key: string;
    readonly region: string;
    readonly method: string;
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly headers_signed: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly body_base64?: string;
  };
  readonly expect: {
    readonly algorithm: Algorithm;
    readonly body_sha256: string;
    readonly canonical_request: string;
    readonly string_to_sign: string;
    readonly signature: string;
    readonly authorization: string;
  };
}

const signatures = fixture<{ vectors: SignatureVector[] }>('signatures').vectors.filter((vector) => vector.our_signer);

describe('signatures', () => {
  it.each(signatures.map((vector) => [vector.name, vector] as const))('%s', (_name, { input, expect: expected }) => {
    const keys = { accessKey: input.access_key, secretKey: input.secret_key };
    const body = input.body_base64 === undefined ? (input.body ?? '') : Buffer.from(input.body_base64, 'base64');

    const signed = new Signer(keys, input.region, expected.algorithm).sign({
      method: input.method,
      path: input.path,
      query: input.query,
      headers: input.headers_signed,
      body,
    });

    expect(createHash('sha256').update(body).digest('hex')).toBe(expected.body_sha256);
    expect(signed.canonicalRequest).toBe(expected.canonical_request);
    expect(signed.stringToSign).toBe(expected.string_to_sign);
    expect(signed.signature).toBe(expected.signature);
    expect(signed.authorization).toBe(expected.authorization);
  });

  it.each(
    signatures
      .filter(({ name }) => /^(list-streams-no-query|v11-list-streams)$/.test(name))
      .map((vector) => [vector.expect.algorithm, vector] as const),
  )('%s goes out with a request', async (signatureAlgorithm, { input, expect: expected }) => {
    let authorization: string | null = '';
    const client = new DisClient({
      endpoint: `https://${input.headers_signed.host}`,
      projectId: input.path.split('/')[2],
      credentials: { accessKey: input.access_key, secretKey: input.secret_key },
      signatureAlgorithm,
      clock: () => new Date('2024-01-02T03:04:05Z'),
      fetch: async (_url, init) => {
        authorization = new Headers(init.headers).get('authorization');
        return responseOf({ body: { stream_names: [], has_more_streams: false } });
      },
    });

    await client.streams({ limit: 100, startStreamName: 's2' }).next();

    const paged = signatures.find(({ name }) => name === 'list-streams-paged')!;
    if (signatureAlgorithm === 'SDK-HMAC-SHA256') expect(authorization).toBe(paged.expect.authorization);
    else expect(authorization).toMatch(new RegExp(`^${expected.authorization.split('/')[0]}/`));
  });
});

describe('partition hash', () => {
  const { vectors, hash_ranges } = fixture<{
    vectors: {
      partition_key?: string;
      explicit_hash_key?: string;
      hash: string;
      index_clamped: Record<string, number>;
    }[];
    hash_ranges: Record<string, string[]>;
  }>('partition-hash');

  it.each(vectors)('key $partition_key, hash $explicit_hash_key', (vector) => {
    const hash = hashOfRecord({ partitionKey: vector.partition_key, explicitHashKey: vector.explicit_hash_key })!;

    expect(String(hash)).toBe(vector.hash);
    for (const [count, index] of Object.entries(vector.index_clamped)) {
      expect(partitionIndexOf(hash, Number(count))).toBe(index);
    }
  });

  it.each(Object.entries(hash_ranges))('the ranges of %s partitions', (count, ranges) => {
    expect(hashRanges(Number(count))).toEqual(ranges);
  });

  it('an explicit hash that is none falls back to the key', () => {
    expect(hashOfRecord({ partitionKey: 'k1', explicitHashKey: '9223372036854775808' })).toBe(
      hashOfRecord({ partitionKey: 'k1' }),
    );
    expect(hashOfRecord({ explicitHashKey: 'x' })).toBeUndefined();
  });
});

describe('protobuf', () => {
  const { vectors } = fixture<{ vectors: { name: string; hex: string }[] }>('protobuf');
  const bytesOf = (name: string) => Buffer.from(vectors.find((vector) => vector.name === name)!.hex, 'hex');

  it('writes the upload byte for byte', () => {
    const body = new ProtobufBody({ streamName: 'newstream' });
    const records = [
      { data: 'hello world!', partitionKey: 'k1' },
      {
        data: Buffer.from('000102ff', 'hex'),
        partitionId: 'shardId-0000000000',
        explicitHashKey: '123',
        timestamp: 1527577402541,
      },
    ];
    for (const [index, record] of records.entries()) body.add(record, false, checkRecord(record, index));

    expect(body.whole().toString('hex')).toBe(bytesOf('put-request').toString('hex'));
    expect(body.only([0, 1]).toString('hex')).toBe(bytesOf('put-request').toString('hex'));
  });

  it.each([0n, 127n, 128n, 2n ** 53n + 1n, 2n ** 63n - 1n])('a time of %s is written in full', (timestamp) => {
    const body = new ProtobufBody({ streamName: 's' });
    body.add({ data: 'x', timestamp }, false, 1);

    const request = new FieldReader(body.whole());
    expect([request.next(), request.text(), request.next()]).toEqual([1, 's', 2]);
    const entry = request.message();
    expect([entry.next(), entry.text(), entry.next(), entry.int64(), entry.next()]).toEqual([3, 'x', 29, timestamp, 0]);
    expect([request.next(), request.text(), request.next()]).toEqual([30, '', 0]);
  });

  it('reads the results of an upload', () => {
    expect(parseUploadProtobuf(bytesOf('put-result'), 2)).toEqual([
      { partitionId: 'shardId-0000000000', sequenceNumber: 15n },
      { errorCode: 'DIS.4303', errorMessage: 'Exceeded traffic control limit.' },
    ]);
  });

  it('reads a download', () => {
    expect(parseDownloadProtobuf(bytesOf('get-result'))).toEqual({
      nextPartitionCursor: 'NEXT',
      records: [
        {
          partitionKey: 'k1',
          sequenceNumber: 485n,
          data: Buffer.from('111'),
          timestamp: 1527577402541,
          timestampType: 'CreateTime',
        },
      ],
    });
  });

  it.each(['put-result', 'get-result'])('%s cut off anywhere is refused, or a shorter message', (name) => {
    const whole = bytesOf(name);
    for (let length = 0; length < whole.byteLength; length += 1) {
      const cut = whole.subarray(0, length);
      try {
        parseDownloadProtobuf(cut);
        parseUploadProtobuf(cut, 2);
      } catch (error) {
        expect(error).toMatchObject({ name: 'UnparsableReplyError' });
      }
    }
  });
});
