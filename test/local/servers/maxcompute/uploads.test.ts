import { tableFromIPC } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c } from '../../../../local/servers/maxcompute/blobs/crc32c.ts';
import { type MaxComputeServer, startMaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';
import { Api, numbers } from './api.ts';

let server: MaxComputeServer;
let api: Api;

beforeEach(async () => {
  server = await startMaxComputeServer({
    project: 'demo_project',
    sql: [
      'CREATE TABLE t (id BIGINT, name STRING)',
      'CREATE TABLE p (id BIGINT, name STRING) PARTITIONED BY (pt STRING)',
    ],
  });
  api = new Api(server);
});

afterEach(async () => {
  await server.close();
});

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const tag = (field: number, wireType: number) => varint(BigInt(field * 8 + wireType));
const zigzag = (value: bigint) => varint((value << 1n) ^ (value >> 63n));
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value | 0);
  return bytes;
};
const int64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};

/** Rows of `id`, `name` as the older upload has them; nulls are left out. */
function records(rows: readonly (readonly [bigint | null, string | null])[], spoil = 0): Buffer {
  const bytes: number[] = [];
  let sums = 0;
  for (const [id, name] of rows) {
    let sum = 0;
    if (id !== null) {
      sum = crc32c(int64(id), crc32c(int32(1), sum));
      bytes.push(...tag(1, 0), ...zigzag(id));
    }
    if (name !== null) {
      const text = Buffer.from(name);
      sum = crc32c(text, crc32c(int32(2), sum));
      bytes.push(...tag(2, 2), ...varint(BigInt(text.length)), ...text);
    }
    bytes.push(...tag(33_553_408, 0), ...varint(BigInt(sum + spoil)));
    sums = crc32c(int32(sum), sums);
  }
  bytes.push(...tag(33_554_430, 0), ...zigzag(BigInt(rows.length)), ...tag(33_554_431, 0), ...varint(BigInt(sums)));
  return Buffer.from(bytes);
}

const path = (table: string, query: string) => `/projects/demo_project/tables/${table}?${query}`;

async function readAll(table: string): Promise<unknown[]> {
  const { bytes } = await api.table('TablePreview', table);
  return tableFromIPC(bytes)
    .toArray()
    .map((row) => row.toJSON() as unknown);
}

describe('the older upload', () => {
  it('takes records in blocks, a block once, and shows them when they are committed', async () => {
    const created = await api.send('POST', path('t', 'uploads=1'));
    const id = created.json.UploadID!;
    const block = (number: number, rows: Parameters<typeof records>[0]) =>
      api.send('PUT', path('t', `uploadid=${id}&blockid=${number}`), {}, records(rows));

    expect(created.json).toMatchObject({
      Status: 'normal',
      Schema: { columns: [{ name: 'id', type: 'bigint' }, { name: 'name' }] },
    });
    expect(await block(0, [[9n, 'nine']])).toMatchObject({ status: 200 });
    expect(
      await block(0, [
        [1n, 'one'],
        [-5n, null],
        [null, ''],
      ]),
    ).toMatchObject({ status: 200 });
    expect(await block(1, [[2n ** 62n, '杭州']])).toMatchObject({ status: 200 });
    expect(server.rowCount('t')).toBe(0);
    const listed = await api.send('GET', path('t', `uploadid=${id}`));
    expect(listed.json.UploadedBlockList).toMatchObject([{ BlockID: 0 }, { BlockID: 1 }]);
    expect(await api.send('POST', path('t', `uploadid=${id}`))).toMatchObject({
      status: 200,
      json: { Status: 'closed' },
    });
    expect(await api.send('POST', path('t', `uploadid=${id}`))).toMatchObject({ status: 200 });
    expect(await readAll('t')).toEqual([
      { id: 1n, name: 'one' },
      { id: -5n, name: null },
      { id: null, name: '' },
      { id: 2n ** 62n, name: '杭州' },
    ]);
  });

  it('verifies every checksum, and keeps nothing of what is wrong', async () => {
    const { json } = await api.send('POST', path('t', 'uploads=1'));
    const send = (body: Buffer) => api.send('PUT', path('t', `uploadid=${json.UploadID}&blockid=0`), {}, body);

    for (const body of [records([[1n, 'one']], 1), records([[1n, 'one']]).subarray(0, -2), Buffer.from('nonsense')]) {
      expect(await send(body)).toMatchObject({ status: 400, json: { Code: 'MalformedDataStream' } });
    }
    await api.send('POST', path('t', `uploadid=${json.UploadID}`));
    expect(server.rowCount('t')).toBe(0);
  });

  it.each([64, 100, 1 << 20])('takes Arrow in chunks of %i bytes', async (size) => {
    await api.write('t', numbers(0, 100));
    const { bytes } = await api.table('TablePreview', 't');
    // What goes out of a table is plain text, not the dictionary that the test's own rows have; without schema and end.
    const schemaBytes = 8 + Buffer.from(bytes).readUInt32LE(4);
    const batch = bytes.subarray(schemaBytes, -8);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(size);
    const parts: Uint8Array[] = [head];
    const checksum = (of: Uint8Array) => {
      const sum = Buffer.alloc(4);
      sum.writeUInt32BE(crc32c(of));
      return sum;
    };
    for (let at = 0; at < batch.length; at += size) {
      const chunk = batch.subarray(at, at + size);
      parts.push(chunk, ...(chunk.length === size ? [checksum(chunk)] : []));
    }
    const body = Buffer.concat([...parts, checksum(batch)]);
    const { json } = await api.send('POST', path('t', 'uploads=1&overwrite=true'));

    const broken = Buffer.from(body);
    broken[20]! ^= 1;
    expect(await api.send('PUT', path('t', `uploadid=${json.UploadID}&blockid=0&arrow`), {}, broken)).toMatchObject({
      status: 400,
    });
    expect(await api.send('PUT', path('t', `uploadid=${json.UploadID}&blockid=0&arrow`), {}, body)).toMatchObject({
      status: 200,
    });
    await api.send('POST', path('t', `uploadid=${json.UploadID}`));
    expect(server.rowCount('t')).toBe(100);
  });

  it('makes a partition only where it is told to', async () => {
    expect(await api.send('POST', path('p', 'uploads=1&partition=pt=1'))).toMatchObject({
      status: 404,
      json: { Code: 'NoSuchPartition' },
    });
    expect(await api.send('POST', path('p', 'uploads=1'))).toMatchObject({
      status: 400,
      json: { Code: 'InvalidPartitionSpec' },
    });
    const { json } = await api.send('POST', path('p', 'uploads=1&partition=pt=1&create_partition=true'));
    await api.send('PUT', path('p', `uploadid=${json.UploadID}&blockid=0`), {}, records([[1n, 'a']]));
    await api.send('POST', path('p', `uploadid=${json.UploadID}`));
    expect(await readAll('p')).toEqual([{ id: 1n, name: 'a', pt: '1' }]);
  });
});
