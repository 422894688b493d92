import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { base64, type DisApi, startDisApi } from '../../../support/dis-api.ts';

const HOUR_MS = 3_600_000;
const text = (data: string) => Buffer.from(data, 'base64').toString();

describe('uploading', () => {
  it('tells each record’s partition and number, in the order of the request', async () => {
    await using api = await startDisApi();
    await api.stream('s', 2);

    const { status, json } = await api.upload([
      { data: base64('a'), partition_id: '0' },
      { data: base64('b'), partition_id: 'shardId-0000000001' },
      { data: base64('c'), partition_id: '0' },
      { data: base64('d'), partition_id: '7' },
      { data: base64('e'), partition_id: 'x' },
      { data: base64('f'), partition_key: 'k1' },
      { data: base64('g'), partition_key: 'k1', explicit_hash_key: '9223372036854775807' },
      { data: base64('h'), partition_key: 'k1', explicit_hash_key: 'none' },
    ]);

    expect(status).toBe(200);
    expect(json.failed_record_count).toBe(2);
    expect(json.records).toEqual([
      { partition_id: 'shardId-0000000000', sequence_number: '0' },
      { partition_id: 'shardId-0000000001', sequence_number: '0' },
      { partition_id: 'shardId-0000000000', sequence_number: '1' },
      { error_code: 'DIS.4302', error_message: expect.stringContaining('[shardId-0000000007]') },
      { error_code: 'DIS.4201', error_message: 'Invalid partition_id. [x]' },
      { partition_id: 'shardId-0000000000', sequence_number: '2' },
      { partition_id: 'shardId-0000000001', sequence_number: '1' },
      { partition_id: 'shardId-0000000000', sequence_number: '3' },
    ]);
  });

  it('spreads records without a key', async () => {
    await using api = await startDisApi();
    await api.stream('s', 3);

    const { json } = await api.upload(Array.from({ length: 6 }, () => ({ data: base64('x') })));

    expect(json.records.map((record) => record.sequence_number)).toEqual(['0', '0', '0', '1', '1', '1']);
  });

  it.each([
    ['no records', { stream_name: 's' }, 'DIS.4202'],
    ['an empty list', { stream_name: 's', records: [] }, 'DIS.4202'],
    ['no list', { stream_name: 's', records: {} }, 'DIS.4200'],
    ['no data', { stream_name: 's', records: [{ partition_id: '0' }] }, 'DIS.4200'],
    ['empty data', { stream_name: 's', records: [{ data: '' }] }, 'DIS.4200'],
    ['data that is no base64', { stream_name: 's', records: [{ data: '&&&&' }] }, 'DIS.4200'],
    ['data that is nothing but padding', { stream_name: 's', records: [{ data: '=' }] }, 'DIS.4200'],
    ['a key that is no text', { stream_name: 's', records: [{ data: 'eA==', partition_key: {} }] }, 'DIS.4200'],
    ['neither name nor id', { records: [{ data: 'eA==' }] }, 'DIS.4200'],
    ['an unknown stream', { stream_name: 'other', records: [{ data: 'eA==' }] }, 'DIS.4301'],
    [
      'a record over 1 MiB',
      { stream_name: 's', records: [{ data: Buffer.alloc(1_048_577).toString('base64') }] },
      'DIS.4200',
    ],
  ])('refuses %s as a whole', async (_, body, code) => {
    await using api = await startDisApi();
    await api.stream();

    const { status, json } = await api.call('POST', '/records', body);

    expect({ status, code: json.errorCode }).toEqual({ status: 400, code });
  });

  it('writes nothing of a request that turns out wrong in its last record', async () => {
    await using api = await startDisApi();
    await api.stream();
    await api.upload([{ data: base64('good') }, { data: '&&&&' }]);
    expect(await api.texts()).toEqual([]);
  });

  it('takes a record of just 1 MiB, and refuses a request over its limit', async () => {
    await using api = await startDisApi({ uploadMaxBytes: { COMMON: 2 * 1_048_576 } });
    await api.stream();
    const data = Buffer.alloc(1_048_576, 7).toString('base64');
    expect((await api.upload([{ data }, { data }])).json.failed_record_count).toBe(0);
    expect((await api.upload([{ data }, { data }, { data: 'eA==' }])).json.errorCode).toBe('DIS.4200');
    const huge = `{"x":"${'x'.repeat(16 * 1024 * 1024)}"}`;
    const project = api.server.credentials.projectId;
    expect((await api.send('POST', `/v2/${project}/records`, { body: huge })).status).toBe(413);
  });

  it('throttles single records, by bytes and by count, and lets them in a second later', async () => {
    await using api = await startDisApi({ throttle: true });
    await api.stream('s', 2);
    const big = { data: Buffer.alloc(600_000).toString('base64'), partition_id: '0' };
    const codes = async (records: readonly object[]) =>
      (await api.upload(records)).json.records.map((record) => record.error_code ?? 'stored');

    expect(await codes([big, big, { ...big, partition_id: '1' }])).toEqual(['stored', 'DIS.4303', 'stored']);
    api.time.advance(1000);
    expect(await codes([big])).toEqual(['stored']);
    api.time.advance(1000);
    const small = await codes(Array.from({ length: 1001 }, () => ({ data: 'eA==', partition_id: '0' })));
    expect([small.indexOf('DIS.4303'), small.length]).toEqual([1000, 1001]);
  });

  it('takes and gives the binary form', async () => {
    await using api = await startDisApi();
    await api.stream('newstream');
    const { vectors } = JSON.parse(
      readFileSync(new URL('../../../fixtures/dis/protobuf.json', import.meta.url), 'utf8'),
    );
    const project = api.server.credentials.projectId;
    const headers = { 'content-type': 'application/x-protobuf;charset=utf-8' };

    const upload = await api.send('POST', `/v2/${project}/records`, {
      body: Buffer.from(vectors[0].hex, 'hex'),
      headers,
    });
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=TRIM_HORIZON', 0, 'newstream')).json;
    const download = await api.send('GET', `/v2/${project}/records?partition-cursor=${cursor}`, { headers });
    const error = await api.send('GET', `/v2/${project}/records?partition-cursor=none`, { headers });

    expect(upload.headers.get('content-type')).toBe('application/x-protobuf; charset=utf-8');
    expect(upload.bytes.toString('latin1')).toContain('shardId-0000000000');
    expect(download.bytes.toString('latin1')).toContain('hello world!');
    expect(download.bytes.includes(Buffer.from('000102ff', 'hex'))).toBe(true);
    expect(error).toMatchObject({ status: 400, json: { errorCode: 'DIS.4217' } });
  });
});

/** A partition whose oldest record is 100 and whose next is 200. */
async function partition100to200(): Promise<{ api: DisApi; oldestMs: number; newestMs: number }> {
  const api = await startDisApi();
  await api.stream();
  const texts = (from: number) => Array.from({ length: 100 }, (_, at) => `record ${from + at}`);
  await api.put(texts(0));
  await api.server.advance(24 * HOUR_MS - 1000);
  const oldestMs = api.server.now().getTime();
  await api.put(texts(100).slice(0, 50));
  await api.server.advance(500);
  await api.put(texts(150).slice(0, 50));
  const newestMs = api.server.now().getTime();
  await api.server.advance(500);
  return { api, oldestMs, newestMs };
}

interface CursorCase {
  readonly partition_range: readonly [number, number];
  readonly cursor_type: string;
  readonly starting_sequence_number?: string;
  readonly timestamp?: string;
  readonly expect: { readonly error?: string; readonly first_sequence?: number; readonly message_contains?: string };
}

const { semantics } = JSON.parse(
  readFileSync(new URL('../../../fixtures/dis/cursors.json', import.meta.url), 'utf8'),
) as { semantics: CursorCase[] };

async function partitionOf([oldest, next]: CursorCase['partition_range']) {
  if (oldest === 100 && next === 200) return partition100to200();
  const api = await startDisApi();
  await api.stream();
  if (next > 0) await api.put(Array.from({ length: next }, String));
  return { api, oldestMs: 0, newestMs: 0 };
}

describe('cursors', () => {
  it.each(
    semantics.map((one) => {
      const {
        partition_range: range,
        cursor_type: type,
        starting_sequence_number: start,
        timestamp,
        expect: expected,
      } = one;
      const outcome = expected.error ?? `record ${expected.first_sequence}`;
      return [
        `${type} ${start === undefined ? (timestamp ?? '') : `"${start}"`} of [${range}]: ${outcome}`,
        one,
      ] as const;
    }),
  )('%s', async (_, one) => {
    const { api, oldestMs, newestMs } = await partitionOf(one.partition_range);
    await using _server = api;
    const start =
      one.starting_sequence_number === undefined ? '' : `&starting-sequence-number=${one.starting_sequence_number}`;
    const times: Record<string, number> = {
      'oldest upload time minus 1': oldestMs - 1,
      'oldest upload time': oldestMs,
      'after the newest upload time, or in the future': newestMs + 1,
    };
    const time = one.timestamp === undefined ? '' : `&timestamp=${times[one.timestamp]}`;

    const { status, json } = await api.cursor(`cursor-type=${one.cursor_type}${start}${time}`);

    if (one.expect.error) {
      expect({ status, code: json.errorCode }).toEqual({ status: 400, code: one.expect.error });
      expect(json.message).toContain(one.expect.message_contains ?? '');
      return;
    }
    expect(status, JSON.stringify(json)).toBe(200);
    expect(json.partition_cursor.length).toBeLessThanOrEqual(512);
    const { records, next_partition_cursor: next } = (await api.read(json.partition_cursor)).json;
    const first = one.expect.first_sequence!;
    expect(records[0]?.sequence_number).toBe(first < one.partition_range[1] ? String(first) : undefined);
    if (records.length === 0) {
      await api.put(['one more']);
      const [more] = (await api.read(next)).json.records;
      expect({ ...more, data: text(more!.data) }).toMatchObject({ sequence_number: String(first), data: 'one more' });
    }
  });

  it('finds the first record of a time', async () => {
    const { api, oldestMs } = await partition100to200();
    await using _server = api;

    const { json } = await api.cursor(`cursor-type=AT_TIMESTAMP&timestamp=${oldestMs + 1}`);

    expect((await api.read(json.partition_cursor)).json.records[0]?.sequence_number).toBe('150');
  });

  it('are base64url of JSON, as the service’s are', async () => {
    await using api = await startDisApi();
    await api.stream('a'.repeat(64));
    const { json } = await api.cursor('starting-sequence-number=0', 0, 'a'.repeat(64));

    expect(json.partition_cursor).toMatch(/^[A-Za-z0-9_-]{1,512}$/);
    expect(JSON.parse(Buffer.from(json.partition_cursor, 'base64url').toString())).toMatchObject({
      getIteratorParam: { 'partition-id': 'shardId-0000000000', 'starting-sequence-number': '0' },
      generateTimestamp: api.time.nowMs,
    });
  });

  it('live five minutes, and may be read more than once', async () => {
    await using api = await startDisApi();
    await api.stream();
    await api.put(['a']);
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=TRIM_HORIZON')).json;

    await api.server.advance(300_000);
    const good = [await api.read(cursor), await api.read(cursor)];
    await api.server.advance(1);
    const late = await api.read(cursor);

    expect(good.map(({ json }) => json.records.length)).toEqual([1, 1]);
    expect(late.json.errorCode).toBe('DIS.4225');
  });

  it('end with their stream, and are none of one that is made again', async () => {
    await using api = await startDisApi();
    await api.stream();
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=LATEST')).json;
    await api.call('DELETE', '/streams/s');
    const deleted = await api.read(cursor);
    await api.stream();
    const again = await api.read(cursor);

    expect([deleted.json.errorCode, again.json.errorCode]).toEqual(['DIS.4301', 'DIS.4217']);
  });

  it('lose their record when it ages out', async () => {
    await using api = await startDisApi();
    await api.stream();
    await api.put(['a']);
    await api.server.advance(24 * HOUR_MS - 1000);
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=TRIM_HORIZON')).json;
    await api.server.advance(1000);

    expect((await api.read(cursor)).json.errorCode).toBe('DIS.4226');
  });

  it.each(['', 'none', Buffer.from('{}').toString('base64url'), 'a'.repeat(513)])('cannot be %j', async (cursor) => {
    await using api = await startDisApi();
    await api.stream();
    expect((await api.read(cursor)).json.errorCode).toMatch(/^DIS\.(?:4217|4200)$/);
  });

  it('cannot be changed', async () => {
    await using api = await startDisApi();
    await api.stream();
    await api.put(['a', 'b']);
    const { partition_cursor: cursor } = (await api.cursor('starting-sequence-number=0')).json;
    const changed = Buffer.from(cursor, 'base64url')
      .toString()
      .replace('"starting-sequence-number":"0"', '"starting-sequence-number":"1"');

    expect((await api.read(Buffer.from(changed).toString('base64url'))).json.errorCode).toBe('DIS.4217');
  });
});

describe('downloading', () => {
  it('gives what was uploaded, and the cursor to go on with', async () => {
    await using api = await startDisApi();
    await api.stream();
    await api.upload([{ data: base64('grüß'), partition_key: 'ü"' }, { data: base64('b') }]);
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=TRIM_HORIZON')).json;

    const { status, json } = await api.read(cursor);

    expect(status).toBe(200);
    expect(json).toEqual({
      records: [
        {
          partition_key: 'ü"',
          sequence_number: '0',
          data: base64('grüß'),
          timestamp: api.time.nowMs,
          timestamp_type: 'CreateTime',
        },
        { sequence_number: '1', data: base64('b'), timestamp: api.time.nowMs, timestamp_type: 'CreateTime' },
      ],
      next_partition_cursor: expect.any(String),
      millis_behind_latest: 0,
    });
    expect((await api.read(json.next_partition_cursor)).json.records).toEqual([]);
  });

  it('stops before the record that would go over the maximum, and stands still if that is the first', async () => {
    await using api = await startDisApi({ segmentBytes: 300 });
    await api.stream();
    for (const size of [10, 20, 30, 40]) await api.put(['x'.repeat(size)]);
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=TRIM_HORIZON')).json;
    const counts = [];
    for (const max of [9, 10, 29, 30, 60, 99, 100]) {
      counts.push((await api.read(cursor, `&max_fetch_bytes=${max}`)).json.records.length);
    }
    const still = (await api.read(cursor, '&max_fetch_bytes=9')).json.next_partition_cursor;

    expect(counts).toEqual([0, 1, 1, 2, 3, 3, 4]);
    expect((await api.read(still)).json.records).toHaveLength(4);
  });

  it('counts numbers beyond 2^53 without losing any', async () => {
    await using api = await startDisApi({ firstSequenceNumber: 9_007_199_254_740_993n });
    await api.stream();
    await api.put(['a', 'b']);
    const { json } = await api.cursor('starting-sequence-number=9007199254740994');
    const { records } = (await api.read(json.partition_cursor)).json;
    await api.call('POST', '/apps', { app_name: 'a' });
    const states = await api.get('/apps/a/streams/s?checkpoint_type=LAST_READ');

    expect(records.map((record) => [record.sequence_number, text(record.data)])).toEqual([['9007199254740994', 'b']]);
    expect((await api.get('/streams/s')).json.partitions[0]?.sequence_number_range).toBe(
      '[9007199254740993 : 9007199254740995]',
    );
    expect(states.bytes.toString()).toContain('"latest_offset":9007199254740995,"earliest_offset":9007199254740993,');
  });

  it('forgets records after the retention time', async () => {
    const { api } = await partition100to200();
    await using _server = api;

    expect((await api.get('/streams/s')).json.partitions[0]?.sequence_number_range).toBe('[100 : 200]');
    expect((await api.texts()).length).toBe(100);
    await api.server.advance(24 * HOUR_MS);
    expect((await api.get('/streams/s')).json.partitions[0]?.sequence_number_range).toBe('[200 : 200]');
    await api.put(['new']);
    expect(await api.texts()).toEqual(['new']);
  });

  it('is throttled as a whole once more was read than a second gives', async () => {
    await using api = await startDisApi({ throttle: true });
    await api.stream();
    for (let at = 0; at < 3; at++) {
      await api.put(['x'.repeat(1_000_000)]);
      api.time.advance(1000);
    }
    const { partition_cursor: cursor } = (await api.cursor('cursor-type=TRIM_HORIZON')).json;
    const codes = [];
    for (const byMs of [0, 0, 1000]) {
      api.time.advance(byMs);
      codes.push((await api.read(cursor, '&max_fetch_bytes=5000000')).json.errorCode ?? 'read');
    }

    expect(codes).toEqual(['read', 'DIS.4303', 'read']);
  });
});
