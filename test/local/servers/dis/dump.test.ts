import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DisApi, startDisApi } from '../../../support/dis-api.ts';

const create = (api: DisApi, more: object = {}, name = 'task') =>
  api.call('POST', '/streams/s/transfer-tasks', {
    destination_type: 'OBS',
    obs_destination_descriptor: {
      task_name: name,
      agency_name: 'dis_admin_agency',
      obs_bucket_path: 'bucket',
      deliver_time_interval: 30,
      ...more,
    },
  });

/** What lies in the bucket: path to content, in the order of the paths. */
function files(api: DisApi, bucket = 'bucket'): [path: string, content: Buffer][] {
  const folder = join(api.server.dumpFolder!, bucket);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => [path.slice(folder.length + 1), readFileSync(path)]);
}

const contents = (api: DisApi) => files(api).map(([, content]) => content.toString());
const shown = async (api: DisApi, name = 'task') => (await api.get(`/streams/s/transfer-tasks/${name}`)).json;
const action = async (api: DisApi, word: string, ...ids: unknown[]) =>
  api.call('POST', '/streams/s/transfer-tasks/action', { action: word, tasks: ids.map((id) => ({ id })) });

describe('dump tasks', () => {
  it('are created, shown, listed and deleted by name', async () => {
    await using api = await startDisApi();
    await api.stream('s', 2);
    await api.put(['a'], 1);

    const created = await create(api, { file_prefix: 'a/b', partition_format: 'yyyy/MM' });
    const listed = (await api.get('/streams/s/transfer-tasks')).json;
    const task = await shown(api);
    const deleted = await api.call('DELETE', '/streams/s/transfer-tasks/task');

    expect({ status: created.status, bytes: created.bytes.length }).toEqual({ status: 201, bytes: 0 });
    expect(listed).toMatchObject({ total_number: 1, tasks: [{ task_name: 'task', state: 'RUNNING' }] });
    expect(task).toMatchObject({
      stream_id: task.streamId,
      stream_name: 's',
      task_id: listed.tasks[0]!.task_id,
      destination_type: 'OBS',
      create_time: api.time.nowMs,
      obs_destination_description: {
        agency_name: 'dis_admin_agency',
        obs_bucket_path: 'bucket',
        consumer_strategy: 'LATEST',
        destination_file_type: 'text',
        record_delimiter: '\n',
        file_prefix: 'a/b',
        partition_format: 'yyyy/MM',
        deliver_time_interval: 30,
        retry_duration: 0,
      },
      partitions: [
        { partitionId: 'shardId-0000000000', state: 'RUNNING', last_transfer_offset: 0, discard: 0 },
        { partitionId: 'shardId-0000000001', state: 'RUNNING', last_transfer_offset: 1, discard: 0 },
      ],
    });
    expect(deleted.status).toBe(204);
    expect((await shown(api)).errorCode).toBe('DIS.4354');
  });

  it('write what came in an interval as one file under its time, and none where nothing came', async () => {
    await using api = await startDisApi();
    await api.stream('s', 2);
    await api.put(['old']);
    await create(api, { file_prefix: 'p', partition_format: 'yyyy/MM/dd/HH/mm', record_delimiter: '|' });
    await api.put(['a', 'b'], 0);
    await api.put(['c'], 1);

    await api.server.advance(29_999);
    const tooEarly = (await shown(api)).last_transfer_timestamp;
    await api.server.advance(1);
    await api.server.advance(30_000);
    await api.put(['d']);
    await api.server.advance(30_000);

    const { stream_id: streamId, task_id: taskId, partitions } = await shown(api);
    const at = Date.parse('2026-01-06T08:20:30Z');
    expect(tooEarly).toBe(0);
    expect(files(api).map(([path, content]) => [path, content.toString()])).toEqual([
      [`p/2026/01/06/08/20/${streamId}_${taskId}_1_${at}.txt`, 'a|b|c|'],
      [`p/2026/01/06/08/21/${streamId}_${taskId}_3_${at + 60_000}.txt`, 'd|'],
    ]);
    expect(partitions).toMatchObject([
      { last_transfer_offset: 4, last_transfer_timestamp: at + 60_000 },
      { last_transfer_offset: 1, last_transfer_timestamp: at },
    ]);
  });

  it('begin with the oldest record if they are told, and read partitions that come later from their beginning', async () => {
    await using api = await startDisApi();
    await api.stream();
    await api.put(['old']);
    await create(api, { consumer_strategy: 'TRIM_HORIZON', record_delimiter: 'NULL' });
    await api.call('PUT', '/streams/s', { target_partition_count: 2 });
    await api.put(['new'], 1);
    await api.server.advance(30_000);

    expect(contents(api)).toEqual(['oldnew']);
  });

  it('pause, and go on where they stopped', async () => {
    await using api = await startDisApi();
    await api.stream();
    await create(api);
    const { task_id: id } = await shown(api);
    const stopped = await action(api, 'stop', id);
    await api.put(['a']);
    await api.server.advance(60_000);
    const paused = await shown(api);
    await action(api, 'start', id);
    await action(api, 'start', id);
    await api.server.advance(30_000);

    expect({ status: stopped.status, bytes: stopped.bytes.length }).toEqual({ status: 200, bytes: 0 });
    expect(paused).toMatchObject({ state: 'PAUSED', last_transfer_timestamp: 0 });
    expect(contents(api)).toEqual(['a\n']);
    expect((await shown(api)).state).toBe('RUNNING');
  });

  it('are not changed by a batch that names one that is not there', async () => {
    await using api = await startDisApi();
    await api.stream();
    await create(api);
    const { task_id: id } = await shown(api);

    expect((await action(api, 'stop', id, 'none')).json.errorCode).toBe('DIS.4354');
    expect((await shown(api)).state).toBe('RUNNING');
    expect((await action(api, 'halt', id)).json.errorCode).toBe('DIS.4200');
  });

  it('sort records by the time in them, and leave out those that have none', async () => {
    await using api = await startDisApi();
    await api.stream('s', 1, { data_type: 'JSON' });
    const schema = { timestamp_name: 'at', timestamp_type: 'String', timestamp_format: 'dd/MM/yyyy HH:mm:ss' };
    await create(api, { partition_format: 'yyyy/MM/dd', processing_schema: schema });
    const times = ['01/02/2020 00:00:00', '02/02/2020 23:59:59', '31/02/2020 00:00:00', '2020', '01/02/2020 10:00:00'];
    await api.put([...times.map((at) => JSON.stringify({ at })), 'no json']);
    await api.server.advance(30_000);

    const found = files(api).map(([path, content]) => [path.slice(0, 10), content.toString()]);
    expect(found).toEqual([
      ['2020/02/01', `{"at":"${times[0]}"}\n{"at":"${times[4]}"}\n`],
      ['2020/02/02', `{"at":"${times[1]}"}\n`],
    ]);
    expect((await shown(api)).partitions).toMatchObject([{ discard: 3, last_transfer_offset: 6 }]);
  });

  it('unpack what the stream declares to be packed, and pack their files if they are told', async () => {
    const packed = [
      ['gzip', gzipSync('hello hello hello')],
      ['snappy', Buffer.from([17, 5 << 2, ...Buffer.from('hello '), ((11 - 1) << 2) | 2, 6, 0])],
      ['zip', zip('hello hello hello')],
    ] as const;
    for (const [format, data] of packed) {
      await using api = await startDisApi();
      await api.stream('s', 1, { compression_format: format });
      await create(api, { compression_format: 'gzip' });
      await api.upload([{ data: data.toString('base64') }, { data: Buffer.from('not packed').toString('base64') }]);
      await api.server.advance(30_000);

      const [[path, content] = ['', Buffer.alloc(0)]] = files(api);
      expect(path).toMatch(/\.txt\.gz$/);
      expect(gunzipSync(content).toString(), format).toBe('hello hello hello\n');
      expect((await shown(api)).partitions).toMatchObject([{ discard: 1 }]);
    }
  });

  it('cut a file when it is large enough, and do not wait for the interval then', async () => {
    await using api = await startDisApi();
    await api.stream('s', 2);
    await create(api, { deliver_size_interval: 1 });
    const record = 'x'.repeat(700_000);
    for (const partition of [0, 1]) for (let at = 0; at < 2; at++) await api.put([record], partition);
    await api.server.advance(1);

    expect(files(api).map(([, content]) => content.length)).toEqual([1_400_002, 1_400_002]);
    expect(files(api).map(([path]) => /_0_\d+(_2)?\.txt$/.exec(path)?.[1])).toEqual([undefined, '_2']);
  });

  it('try again while they may, and then give up until they are started', async () => {
    await using api = await startDisApi();
    await api.stream();
    await create(api, { retry_duration: 60 });
    await api.put(['a']);
    // A file where the bucket should be.
    const { mkdirSync } = await import('node:fs');
    mkdirSync(api.server.dumpFolder!, { recursive: true });
    const bucket = join(api.server.dumpFolder!, 'bucket');
    writeFileSync(bucket, '');

    await api.server.advance(30_000);
    const failing = (await shown(api)).state;
    await api.server.advance(60_000);
    const given = (await shown(api)).state;
    rmSync(bucket);
    await api.put(['b']);
    await api.server.advance(30_000);
    const still = (await shown(api)).state;
    await action(api, 'start', (await shown(api)).task_id);
    await api.server.advance(30_000);
    await api.server.advance(30_000);

    expect([failing, given, still]).toEqual(['ABNORMAL', 'ERROR', 'ERROR']);
    expect((await shown(api)).state).toBe('RUNNING');
    expect(contents(api)).toEqual(['a\n', 'b\n']);
  });

  it.each([
    ['no name', { task_name: undefined }, 'DIS.4200'],
    ['a name that is taken', { task_name: 'taken' }, 'DIS.4355'],
    ['29 seconds', { deliver_time_interval: 29 }, 'DIS.4200'],
    ['901 seconds', { deliver_time_interval: 901 }, 'DIS.4200'],
    ['no bucket', { obs_bucket_path: undefined }, 'DIS.4200'],
    ['an unknown bucket', { obs_bucket_path: 'other' }, 'DIS.4306'],
    ['an unknown agency', { agency_name: 'other' }, 'DIS.4335'],
    ['parquet of a stream that is not JSON', { destination_file_type: 'parquet' }, 'DIS.4358'],
    ['an unknown file type', { destination_file_type: 'xml' }, 'DIS.4200'],
    ['a prefix that begins with a slash', { file_prefix: '/a' }, 'DIS.4200'],
    ['a prefix that leads out', { file_prefix: '../a' }, 'DIS.4200'],
    ['an unknown format', { partition_format: 'yyyy-MM' }, 'DIS.4200'],
    ['an unknown delimiter', { record_delimiter: '#' }, 'DIS.4200'],
    [
      'a text time without its format',
      { processing_schema: { timestamp_name: 'a', timestamp_type: 'String' } },
      'DIS.4200',
    ],
  ])('are not created with %s', async (_, more, code) => {
    await using api = await startDisApi({ buckets: ['bucket'], agencies: ['dis_admin_agency'] });
    await api.stream();
    await create(api, {}, 'taken');

    const { status, json } = await create(api, more);

    expect({ status, code: json.errorCode }).toEqual({ status: 400, code });
  });

  it('are five at most, and write to nothing but OBS', async () => {
    await using api = await startDisApi();
    await api.stream();
    for (const name of ['a', 'b', 'c', 'd', 'e']) expect((await create(api, {}, name)).status).toBe(201);

    expect((await create(api)).json.errorCode).toBe('DIS.4357');
    const body = { destination_type: 'DWS', dws_destination_descriptor: {} };
    expect((await api.call('POST', '/streams/s/transfer-tasks', body)).json.errorCode).toBe('DIS.4200');
  });

  it('are found under the path of the official Python SDK', async () => {
    await using api = await startDisApi();
    await api.stream();
    const body = {
      destination_type: 'OBS',
      obs_destination_descriptor: { task_name: 't', agency_name: 'a', obs_bucket_path: 'bucket' },
    };

    expect((await api.call('POST', '/stream/s/transfer-tasks/', body)).status).toBe(201);
    expect((await api.get('/stream/s/transfer-tasks/t/')).json.task_name).toBe('t');
  });
});

/** An archive of one file. */
function zip(text: string): Buffer {
  const packed = deflateRawSync(text);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(8, 8);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(8, 10);
  central.writeUInt32LE(packed.length, 20);
  return Buffer.concat([local, packed, central]);
}
