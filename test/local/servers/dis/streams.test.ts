import { describe, expect, it } from 'vitest';
import { startDisApi } from '../../../support/dis-api.ts';

const HOUR_MS = 3_600_000;

describe('streams', () => {
  it('are created, shown, listed and deleted', async () => {
    await using api = await startDisApi();

    const created = await api.call('POST', '/streams', {
      stream_name: 'orders',
      partition_count: 2,
      stream_type: 'ADVANCED',
      data_type: 'CSV',
      data_duration: 48,
      data_schema: '{"type":"record"}',
      csv_properties: { delimiter: ';' },
      compression_format: 'gzip',
      tags: [{ key: 'k', value: 'v' }],
      sys_tags: [{ key: '_sys_enterprise_project_id', value: '0' }],
    });
    const shown = await api.get('/streams/orders/');
    const listed = await api.get('/streams');
    const deleted = await api.call('DELETE', '/streams/orders');
    const gone = await api.get('/streams/orders');

    expect({ status: created.status, bytes: created.bytes.length }).toEqual({ status: 201, bytes: 0 });
    expect(shown.json).toEqual({
      stream_id: expect.stringMatching(/^[A-Za-z0-9]{19}$/),
      stream_name: 'orders',
      create_time: api.time.nowMs,
      last_modified_time: api.time.nowMs,
      retention_period: 48,
      status: 'RUNNING',
      stream_type: 'ADVANCED',
      data_type: 'CSV',
      data_schema: '{"type":"record"}',
      csv_properties: { delimiter: ';' },
      compression_format: 'gzip',
      writable_partition_count: 2,
      readable_partition_count: 2,
      partitions: [
        {
          status: 'ACTIVE',
          partition_id: 'shardId-0000000000',
          hash_range: '[0 : 4611686018427387903]',
          sequence_number_range: '[0 : 0]',
        },
        {
          status: 'ACTIVE',
          partition_id: 'shardId-0000000001',
          hash_range: '[4611686018427387903 : 9223372036854775807]',
          sequence_number_range: '[0 : 0]',
        },
      ],
      has_more_partitions: false,
      update_partition_counts: [],
      tags: [{ key: 'k', value: 'v' }],
      sys_tags: [{ key: '_sys_enterprise_project_id', value: '0' }],
      auto_scale_enabled: false,
      auto_scale_min_partition_count: 0,
      auto_scale_max_partition_count: 0,
    });
    expect(listed.json).toMatchObject({
      total_number: 1,
      stream_names: ['orders'],
      has_more_streams: false,
      stream_info_list: [{ stream_name: 'orders', partition_count: 2 }],
    });
    expect({ status: deleted.status, bytes: deleted.bytes.length }).toEqual({ status: 204, bytes: 0 });
    expect(gone).toMatchObject({
      status: 400,
      json: {
        errorCode: 'DIS.4301',
        message: `Stream does not exist. [orders][${api.server.credentials.projectId}]`,
      },
    });
  });

  it('are listed page by page, in the order of their names', async () => {
    await using api = await startDisApi();
    for (const name of ['b', 'a', 'C', 'd']) await api.stream(name);

    const pages = [
      await api.get('/streams?limit=2'),
      await api.get('/streams?limit=2&start_stream_name=a'),
      await api.get('/streams?limit=&start_stream_name='),
    ].map(({ json }) => [json.stream_names, json.has_more_streams]);

    expect(pages).toEqual([
      [['C', 'a'], true],
      [['b', 'd'], false],
      [['C', 'a', 'b', 'd'], false],
    ]);
  });

  it('show their partitions page by page', async () => {
    await using api = await startDisApi();
    await api.stream('s', 3);

    const first = await api.get('/streams/s?limit_partitions=2');
    const second = await api.get('/streams/s?limit_partitions=2&start_partitionId=1');

    expect(first.json.partitions.map((one) => one.partition_id)).toEqual(['shardId-0000000000', 'shardId-0000000001']);
    expect(first.json.has_more_partitions).toBe(true);
    expect(second.json.partitions.map((one) => one.partition_id)).toEqual(['shardId-0000000002']);
    expect(second.json.has_more_partitions).toBe(false);
  });

  it('are found by their id where the name stands', async () => {
    await using api = await startDisApi();
    await api.stream();
    const { stream_id: id } = (await api.get('/streams/s')).json;

    expect((await api.get(`/streams/${id}`)).json.stream_name).toBe('s');
    expect((await api.get(`/streams/other?stream_id=${id}`)).json.stream_name).toBe('s');
    const upload = await api.call('POST', '/records', { stream_name: '', stream_id: id, records: [{ data: 'eA==' }] });
    expect(upload.json.failed_record_count).toBe(0);
    expect((await api.get(`/cursors?stream-id=${id}&partition-id=0`)).status).toBe(200);
  });

  it('take as long to be created as they are told, and refuse data until then', async () => {
    await using api = await startDisApi({ creationDelayMs: 5000 });
    await api.stream();

    expect((await api.get('/streams/s')).json).toMatchObject({ status: 'CREATING', writable_partition_count: 0 });
    expect((await api.upload([{ data: 'eA==' }])).json.errorCode).toBe('DIS.4205');
    await api.server.advance(5000);
    expect((await api.get('/streams/s')).json).toMatchObject({ status: 'RUNNING', writable_partition_count: 1 });
    expect((await api.upload([{ data: 'eA==' }])).status).toBe(200);
    api.server.freeze('s');
    expect((await api.get('/streams/s')).json.status).toBe('FROZEN');
    expect((await api.cursor('cursor-type=LATEST')).json.errorCode).toBe('DIS.4205');
  });

  it.each([
    ['no name', { partition_count: 1 }, 'DIS.4200'],
    ['a bad name', { stream_name: 'a b', partition_count: 1 }, 'DIS.4200'],
    ['a long name', { stream_name: 'a'.repeat(65), partition_count: 1 }, 'DIS.4200'],
    ['no partitions', { stream_name: 'a', partition_count: 0 }, 'DIS.4200'],
    ['too many partitions', { stream_name: 'a', partition_count: 51 }, 'DIS.4308'],
    ['an unknown type', { stream_name: 'a', partition_count: 1, stream_type: 'BIG' }, 'DIS.4200'],
    ['files', { stream_name: 'a', partition_count: 1, data_type: 'FILE' }, 'DIS.4200'],
    ['23 hours', { stream_name: 'a', partition_count: 1, data_duration: 23 }, 'DIS.4200'],
    ['73 hours', { stream_name: 'a', partition_count: 1, data_duration: 73 }, 'DIS.4200'],
    ['half an hour more', { stream_name: 'a', partition_count: 1, data_duration: 24.5 }, 'DIS.4200'],
    ['a schema that is none', { stream_name: 'a', partition_count: 1, data_schema: 'x' }, 'DIS.4360'],
    ['a name that is taken', { stream_name: 's', partition_count: 1 }, 'DIS.4307'],
    ['lz4', { stream_name: 'a', partition_count: 1, compression_format: 'lz4' }, 'DIS.4200'],
    ['eleven tags', { stream_name: 'a', partition_count: 1, tags: many(11) }, 'DIS.4601'],
  ])('are not created with %s', async (_, body, code) => {
    await using api = await startDisApi();
    await api.stream();

    const { status, json } = await api.call('POST', '/streams', body);

    expect({ status, code: json.errorCode }).toEqual({ status: 400, code });
  });

  it('take numbers as text and the reverse', async () => {
    await using api = await startDisApi();
    const body = { stream_name: 's', partition_count: '2', data_duration: '24', auto_scale_enabled: 'false' };
    expect((await api.call('POST', '/streams', body)).status).toBe(201);
    expect((await api.get('/streams/s')).json.writable_partition_count).toBe(2);
  });

  it('are refused to who is not of their project, sends no JSON, or asks for what is not there', async () => {
    await using api = await startDisApi();

    expect(await api.send('GET', '/v2/0123/streams')).toMatchObject({ status: 400, json: { errorCode: 'DIS.4117' } });
    const project = `/v2/${api.server.credentials.projectId}`;
    const send = async (body: string) => (await api.send('POST', `${project}/streams`, { body })).json.errorCode;
    expect([await send('{'), await send('[]'), await send('')]).toEqual(['DIS.4300', 'DIS.4300', 'DIS.4202']);
    expect((await api.get('/nothing')).status).toBe(404);
    expect((await api.get('/streams?limit=101')).json.errorCode).toBe('DIS.4200');
    const anonymous = await api.send('GET', `${project}/streams`, { headers: { 'x-auth-token': '' } });
    expect(anonymous).toMatchObject({ status: 441, json: { errorCode: 'DIS.4113' } });
  });
});

const many = (count: number) => Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: '' }));

describe('scaling', () => {
  const scale = async (api: Awaited<ReturnType<typeof startDisApi>>, target: unknown) =>
    api.call('PUT', '/streams/s', { stream_name: 's', target_partition_count: target });
  const states = async (api: Awaited<ReturnType<typeof startDisApi>>) =>
    (await api.get('/streams/s')).json.partitions.map((one) => one.status);

  it('deletes the highest partitions, lets them be read, and takes them back first', async () => {
    await using api = await startDisApi({ scalingLimits: { down: 9 } });
    await api.stream('s', 3);
    await api.put(['kept'], 2);

    const down = await scale(api, 1);
    expect(down.json).toEqual({ stream_name: 's', current_partition_count: 3, target_partition_count: 1 });
    expect(await states(api)).toEqual(['ACTIVE', 'DELETED', 'DELETED']);
    expect((await api.get('/streams/s')).json).toMatchObject({
      writable_partition_count: 1,
      readable_partition_count: 3,
    });
    expect((await api.get('/streams/s')).json.partitions[2]).toEqual({
      partition_id: 'shardId-0000000002',
      status: 'DELETED',
      sequence_number_range: '[0 : 1]',
    });
    expect(await api.texts(2)).toEqual(['kept']);
    const refused = await api.upload([{ data: 'eA==', partition_id: '2' }]);
    expect(refused.json.records[0]?.error_code).toBe('DIS.4319');

    await scale(api, 4);
    expect(await states(api)).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE']);
    await api.put(['more'], 2);
    expect(await api.texts(2)).toEqual(['kept', 'more']);
    expect((await api.get('/streams/s')).json.update_partition_counts).toMatchObject([
      { src_partition_count: 3, target_partition_count: 1, auto_scale: false },
      { src_partition_count: 1, target_partition_count: 4, auto_scale: false },
    ]);
  });

  it('lets deleted partitions expire with their records, and takes them back empty', async () => {
    await using api = await startDisApi();
    await api.stream('s', 2);
    await api.put(['old'], 1);
    await scale(api, 1);

    await api.server.advance(24 * HOUR_MS);
    const [, expired] = (await api.get('/streams/s')).json.partitions;
    expect(expired).toEqual({ partition_id: 'shardId-0000000001', status: 'EXPIRED' });
    expect((await api.cursor('cursor-type=LATEST', 1)).json).toEqual({
      errorCode: 'DIS.4319',
      message: `Partition is expired. [s][${api.server.credentials.projectId}][shardId-0000000001]`,
    });
    await scale(api, 2);
    expect((await api.get('/streams/s')).json.partitions[1]?.sequence_number_range).toBe('[1 : 1]');
  });

  it.each([
    ['no count', undefined, 'DIS.4200', 'Invalid request. [Invalid target_partition_count null.]'],
    ['zero', 0, 'DIS.4200', 'Invalid request. [Invalid target_partition_count 0.]'],
    ['the present count', 2, 'DIS.4200', 'Invalid request. [Invalid target_partition_count 2.]'],
    ['more than the quota', 51, 'DIS.4308', 'Insufficient quota. [partition count 49][free 48]'],
  ])('refuses %s', async (_, target, code, message) => {
    await using api = await startDisApi();
    await api.stream('s', 2);

    expect((await scale(api, target)).json).toEqual({ errorCode: code, message });
  });

  it('is refused when it is done too often in an hour', async () => {
    await using api = await startDisApi({ scalingLimits: { up: 2 } });
    await api.stream('s', 4);
    const codes = [];
    for (const target of [3, 2, 3, 4, 5]) codes.push((await scale(api, target)).json.errorCode ?? 'done');
    await api.server.advance(HOUR_MS);
    codes.push((await scale(api, 2)).json.errorCode ?? 'done');

    expect(codes).toEqual(['done', 'DIS.4308', 'DIS.4200', 'done', 'done', 'done']);
  });

  it('is done by itself, up under load that is throttled and down without any', async () => {
    const rates = { writeBytes: 1000, writeRecords: 1000, readBytes: 2000 };
    await using api = await startDisApi({ autoScale: true, throttle: { COMMON: rates, ADVANCED: rates } });
    const more = { auto_scale_enabled: true, auto_scale_min_partition_count: 2, auto_scale_max_partition_count: 5 };
    await api.stream('s', 3, more);
    const data = Buffer.alloc(500).toString('base64');
    // More than each partition takes, for a minute.
    for (let second = 0; second < 60; second++) {
      await api.upload(Array.from({ length: 9 }, () => ({ data })));
      api.time.advance(1000);
    }
    await api.server.settle();
    const up = await states(api);
    await api.server.advance(60_000);
    const soon = await states(api);
    await api.server.advance(120_000);
    await api.server.advance(120_000);

    expect([up.length, soon.length]).toEqual([5, 5]);
    expect((await api.get('/streams/s')).json.writable_partition_count).toBe(2);
  });
});
