import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DisServer, startDisServer } from '../../local/servers/dis/server.ts';
import { DisClient } from '../../shared/clients/dis/index.ts';
import { type PeerAnswer, PeerClient, resultOf } from './dis/client.ts';

let server: DisServer;
let folder: string;
let client: PeerClient | undefined;

beforeEach(async () => {
  server = await startDisServer({ scalingLimits: { down: 10 } });
  folder = await mkdtemp(join(tmpdir(), 'landfall-peers-'));
});

afterEach(async () => {
  client?.close();
  await server.close();
  await rm(folder, { recursive: true });
});

const base64 = (text: string) => Buffer.from(text).toString('base64');
const PARTITIONS = ['shardId-0000000000', 'shardId-0000000001', 'shardId-0000000002'];
const SEED_METHODS = [
  ...['create_app', 'apps', 'get_app', 'app_consumptions', 'delete_app'],
  ...['create_checkpoint', 'get_checkpoint', 'delete_checkpoint'],
  ...['upload_data', 'download_data', 'get_data_cursor'],
  ...['create_dump_task', 'dump_tasks', 'delete_dump_task', 'get_dump_task', 'start_dump_task', 'pause_dump_task'],
  ...['streams', 'get_stream', 'create_stream', 'delete_stream', 'update_stream_partition'],
];

describe('otcextensions', () => {
  const called = new Set<string>();
  const ok = async (method: string, args: readonly unknown[] = [], kwargs: object = {}): Promise<unknown> => {
    called.add(method);
    return client!.ok(method, args, kwargs);
  };
  const raised = async (method: string, ...args: unknown[]): Promise<PeerAnswer> => client!.call(method, args);

  beforeEach(() => {
    client = new PeerClient('otcextensions_calls.py', server);
  });

  it('makes, shows, lists, scales and deletes streams', async () => {
    const attributes = { name: 'orders', partition_count: 2, data_duration: 48, tags: [{ key: 'k', value: 'v' }] };
    expect(await ok('create_stream', [], attributes)).toEqual(attributes);
    for (let at = 0; at < 11; at++) await ok('create_stream', [], { name: `more-${at + 10}`, partition_count: 1 });

    expect(await ok('get_stream', ['orders'])).toMatchObject({
      name: 'orders',
      stream_id: expect.stringMatching(/^\w{19}$/),
      created_at: expect.any(Number),
      retention_period: 48,
      status: 'RUNNING',
      stream_type: 'COMMON',
      is_auto_scale_enabled: false,
      tags: [{ key: 'k', value: 'v' }],
      writable_partition_count: 2,
      partitions: [
        { partition_id: PARTITIONS[0], sequence_number_range: '[0 : 0]' },
        { partition_id: PARTITIONS[1], hash_range: '[4611686018427387903 : 9223372036854775807]' },
      ],
    });
    // More than a page of ten.
    const names = (list: unknown) => (list as { name: string }[]).map(({ name }) => name);
    expect(names(await ok('streams'))).toEqual([...Array.from({ length: 11 }, (_, at) => `more-${at + 10}`), 'orders']);
    expect(names(await ok('streams', [], { limit: 2, start_stream_name: 'more-19' }))).toEqual(['more-20', 'orders']);

    await ok('update_stream_partition', ['orders', 3]);
    expect(await ok('get_stream', ['orders'])).toMatchObject({ writable_partition_count: 3 });
    await ok('delete_stream', ['orders']);
    expect(await raised('get_stream', 'orders')).toMatchObject({
      raises: 'BadRequestException',
      message: expect.stringContaining(`Stream does not exist. [orders][${server.credentials.projectId}]`),
    });
    expect(await raised('create_stream')).toMatchObject({ raises: 'BadRequestException' });
  });

  it('uploads and downloads what it was given', async () => {
    await ok('create_stream', [], { name: 's', partition_count: 3 });
    const records = [
      { data: 'hello world!', partition_id: '0' },
      { data: base64('\u00e9'), partition_id: PARTITIONS[0], partition_key: 'key' },
      { data: 'by key', partition_key: 'k1' },
      { data: 'by hash', explicit_hash_key: '9223372036854775807', partition_key: 'k1' },
    ];
    const result = (await ok('upload_data', ['s'], { records })) as { records: { partition_id: string }[] };
    const csv = join(folder, 'in.csv');
    await writeFile(csv, 'data,partition_id\nfrom a file!,2\n');
    await ok('upload_data', ['s'], { filename: csv });

    expect(result.records.map((record) => record.partition_id)).toEqual([
      PARTITIONS[0],
      PARTITIONS[0],
      PARTITIONS[1],
      PARTITIONS[2],
    ]);
    const download = async (partition: string, options: object = {}) => {
      const cursor = await ok('get_data_cursor', ['s', partition], { 'cursor-type': 'TRIM_HORIZON' });
      return ok('download_data', [(cursor as { partition_cursor: string }).partition_cursor], options);
    };
    expect(await download('0')).toEqual([
      {
        sequence_number: '0',
        data: base64('hello world!'),
        timestamp: expect.any(Number),
        timestamp_type: 'CreateTime',
      },
      {
        sequence_number: '1',
        partition_key: 'key',
        data: base64('\u00e9'),
        timestamp: expect.any(Number),
        timestamp_type: 'CreateTime',
      },
    ]);
    expect(await download(PARTITIONS[2]!)).toMatchObject([
      { data: base64('by hash'), partition_key: 'k1' },
      { data: base64('from a file!') },
    ]);
    expect(await download('0', { max_fetch_bytes: 12 })).toHaveLength(1);
    const out = join(folder, 'out.csv');
    await download('1', { filename: out });
    const lines = (await readFile(out, 'utf8')).split('\r\n');
    expect(lines[0]).toBe('sequence_number,data,timestamp,timestamp_type');
    expect(lines[1]).toMatch(new RegExp(`^0,${base64('by key')},\\d{13},CreateTime$`));
    const at = await ok('get_data_cursor', ['s', '0'], {
      'cursor-type': 'AT_SEQUENCE_NUMBER',
      'starting-sequence-number': '1',
    });
    expect(await ok('download_data', [(at as { partition_cursor: string }).partition_cursor])).toHaveLength(1);
  });

  it('makes, lists and deletes apps, and keeps their checkpoints', async () => {
    await ok('create_stream', [], { name: 's', partition_count: 2 });
    await ok('upload_data', ['s'], { records: [{ data: 'hello world!', partition_id: '0' }] });
    expect(await ok('create_app', [], { name: 'reader' })).toEqual({ name: 'reader' });
    for (let at = 0; at < 11; at++) await ok('create_app', [], { app_name: `more-${at + 10}` });
    const checkpoint = { stream_name: 's', app_name: 'reader', partition_id: '0', sequence_number: '0', metadata: 'm' };

    expect(await ok('get_checkpoint', ['s', 'reader', '0'])).toEqual({ sequence_number: '-1', metadata: '' });
    expect(await ok('create_checkpoint', [], checkpoint)).toEqual({ ...checkpoint, checkpoint_type: 'LAST_READ' });
    expect(await ok('get_checkpoint', ['s', 'reader', '0'])).toEqual({ sequence_number: '0', metadata: 'm' });
    expect(await ok('get_app', ['reader'])).toMatchObject({
      name: 'reader',
      app_id: expect.any(String),
      created_at: expect.any(Number),
      commit_checkpoint_stream_names: ['s'],
    });
    expect(await ok('apps')).toHaveLength(12);
    expect(await ok('apps', [], { limit: 5, stream_name: 's' })).toHaveLength(1);
    expect(await ok('app_consumptions', ['s', 'reader'])).toMatchObject([
      {
        partition_id: '0',
        sequence_number: '0',
        latest_offset: 1,
        earliest_offset: 0,
        checkpoint_type: 'LAST_READ',
        status: 'ACTIVE',
      },
      { partition_id: '1', sequence_number: '-1', latest_offset: 0 },
    ]);
    expect(await ok('app_consumptions', ['s', 'reader'], { limit: 1, start_partition_id: '0' })).toMatchObject([
      { partition_id: '1' },
    ]);
    await ok('delete_checkpoint', ['s', 'reader', '0']);
    expect(await ok('get_checkpoint', ['s', 'reader', '0'])).toEqual({ sequence_number: '-1', metadata: '' });
    await ok('delete_app', ['reader']);
    expect(await raised('get_app', 'reader')).toMatchObject({ raises: 'BadRequestException' });
    expect((await raised('create_app')).message).toContain('Invalid request. [Invalid app_name null.]');
  });

  it('runs dump tasks', async () => {
    await ok('create_stream', [], { name: 's', partition_count: 1 });
    const obs = {
      task_name: 'task',
      agency_name: 'dis_admin_agency',
      obs_bucket_path: 'bucket',
      deliver_time_interval: 30,
      consumer_strategy: 'LATEST',
      file_prefix: 'p',
      partition_format: 'yyyy',
      record_delimiter: '|',
      retry_duration: 0,
    };
    await ok('create_dump_task', ['s'], { destination_type: 'OBS', obs_destination_descriptor: obs });
    const [listed] = (await ok('dump_tasks', ['s'])) as { task_id: string }[];
    expect(listed).toMatchObject({ task_name: 'task', status: 'RUNNING', destination_type: 'OBS' });
    const id = listed!.task_id;
    // The client splits a string into letters, so that an id has to be given as a list.
    await ok('pause_dump_task', ['s', [id]]);
    expect(await ok('get_dump_task', ['s', 'task'])).toMatchObject({ status: 'PAUSED' });
    await ok('start_dump_task', ['s', [id]]);
    await ok('upload_data', ['s'], { records: [{ data: 'hello world!' }] });
    await server.advance(30_000);
    const { stream_id: streamId } = (await ok('get_stream', ['s'])) as { stream_id: string };

    const { task_name: _, ...shown } = obs;
    const task = (await ok('get_dump_task', ['s', 'task'])) as { last_transfer_timestamp: number };
    expect(task).toMatchObject({
      task_id: id,
      stream_id: streamId,
      stream_name: 's',
      status: 'RUNNING',
      obs_destination_description: shown,
      partitions: [{ partitionId: PARTITIONS[0], last_transfer_offset: 1, discard: 0 }],
    });
    const year = server.now().getUTCFullYear();
    const name = `${streamId}_${id}_0_${task.last_transfer_timestamp}.txt`;
    expect(await readFile(join(server.dumpFolder!, 'bucket', 'p', `${year}`, name), 'utf8')).toBe('hello world!|');
    await ok('delete_dump_task', ['s', 'task']);
    expect(await raised('get_dump_task', 's', 'task')).toMatchObject({ raises: 'BadRequestException' });
  });

  it('was run through every method of the seed', () => {
    expect([...called].sort()).toEqual([...SEED_METHODS].sort());
  });
});

/** Names in our casing and numbers as text, so that what two clients tell can be compared. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const camel = (name: string) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [camel(name), comparable(member)]));
}

/** Without what otcextensions keeps for itself: its own id, and how far it was through the pages. */
function toldBy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toldBy);
  const { id: _, has_more_partitions: __, ...told } = value as Record<string, unknown>;
  return comparable(told);
}

describe('our client', () => {
  it('tells everything that otcextensions tells', async () => {
    const peer = new PeerClient('otcextensions_calls.py', server);
    client = peer;
    const { accessKey, secretKey } = server.credentials;
    const { endpoint, region } = server;
    await using ours = new DisClient({ endpoint, region, credentials: { accessKey, secretKey } });
    await ours.createStream({ name: 's', partitionCount: 2, dataDuration: 48, tags: [{ key: 'k', value: 'v' }] });
    await ours.createStream({ name: 't', partitionCount: 1, streamType: 'ADVANCED' });
    const texts = Array.from({ length: 20 }, (_, at) => `record ${at}: grüß`);
    await ours.uploadData('s', { records: texts.map((data, at) => ({ data, partitionKey: `key ${at}` })) });
    await ours.updateStreamPartition('s', 3);
    for (const name of ['reader', 'other']) await ours.createApp({ name });
    await ours.createCheckpoint({
      streamName: 's',
      appName: 'reader',
      partitionId: 1,
      sequenceNumber: 2n,
      metadata: 'm',
    });
    await ours.createDumpTask('s', {
      obsDestinationDescriptor: {
        taskName: 'task',
        agencyName: 'a',
        obsBucketPath: 'bucket',
        deliverTimeInterval: 30,
        consumerStrategy: 'TRIM_HORIZON',
      },
    });
    await server.advance(30_000);
    const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => Array.fromAsync(items);
    const cursor = (await ours.getDataCursor('s', 1, { cursorType: 'TRIM_HORIZON' })).partitionCursor;

    const told: readonly [theirs: unknown, ours: unknown][] = [
      [await peer.ok('get_stream', ['s']), await ours.getStream('s')],
      [await peer.ok('streams'), await all(ours.streams())],
      [await peer.ok('streams', [], { limit: 1 }), await all(ours.streams({ limit: 1 }))],
      [await peer.ok('get_app', ['reader']), await ours.getApp('reader')],
      [await peer.ok('apps', [], { stream_name: 's' }), await all(ours.apps({ streamName: 's' }))],
      [await peer.ok('app_consumptions', ['s', 'reader']), await all(ours.appConsumptions('s', 'reader'))],
      [await peer.ok('get_checkpoint', ['s', 'reader', '1']), await ours.getCheckpoint('s', 'reader', 1)],
      [await peer.ok('dump_tasks', ['s']), await all(ours.dumpTasks('s'))],
      [await peer.ok('get_dump_task', ['s', 'task']), await ours.getDumpTask('s', 'task')],
      [await peer.ok('download_data', [cursor]), (await ours.downloadData(cursor)).records],
    ];

    for (const [theirs, own] of told) expect(comparable(own)).toMatchObject(toldBy(theirs) as object);
    const counts = told.map(([theirs]) => (Array.isArray(theirs) ? theirs.length : 1));
    expect(counts).toEqual([1, 2, 1, 1, 1, 3, 1, 1, 1, expect.any(Number)]);
    const [records] = [told.at(-1)![0] as { data: string }[]];
    expect(records.length).toBeGreaterThan(3);
    expect(texts).toContain(Buffer.from(records[0]!.data, 'base64').toString());
  });
});

/** Without what differs from one server, and from one moment, to the next. */
function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== 'object' || value === null) return value ?? null;
  const own =
    /^(id|streamId|taskId|appId|\w*[Cc]ursor|createdAt|updatedAt|timestamp|createTimestamp|lastTransferTimestamp)$/;
  const known = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(known.map(([name, member]) => [name, own.test(name) ? 'its own' : unmarked(member)]));
}

const RETURN_NOTHING = new Set(['update_stream_partition', 'start_dump_task', 'pause_dump_task']);

describe('every method of the seed', () => {
  it('comes to the same by otcextensions on one server and by our client on another', async () => {
    const peer = new PeerClient('otcextensions_calls.py', server);
    client = peer;
    await using second = await startDisServer({ scalingLimits: { down: 10 } });
    const { accessKey, secretKey } = second.credentials;
    await using ours = new DisClient({
      endpoint: second.endpoint,
      region: second.region,
      credentials: { accessKey, secretKey },
    });
    const called = new Set<string>();
    /** Theirs is in ours, which may tell more. */
    const same = async (
      method: string,
      args: readonly unknown[],
      kwargs: object,
      own: () => Promise<unknown> | AsyncIterable<unknown>,
    ) => {
      called.add(method);
      const theirs = await peer.ok(method, args, kwargs);
      const given = own();
      const mine = Symbol.asyncIterator in given ? await Array.fromAsync(given) : await given;
      const told = unmarked(theirs === null || theirs === undefined ? null : toldBy(theirs));
      const answer = unmarked(comparable(mine));
      // By the seed these return nothing; theirs hands out what the service happens to answer.
      if (told === null || RETURN_NOTHING.has(method)) expect(answer, method).toBeNull();
      else if (Array.isArray(told)) expect(answer, method).toMatchObject(told);
      else expect(answer, method).toMatchObject(told as object);
      return { theirs, mine };
    };
    const stream = { name: 's', partition_count: 2, data_duration: 48, stream_type: 'COMMON' };
    const ofOurs = { name: 's', partitionCount: 2, dataDuration: 48, streamType: 'COMMON' } as const;
    const records = ['hello world!', 'h\u00e9llo w\u00f6rld!', 'a third one'].map((text, at) => ({
      theirs: { data: base64(text), partition_id: String(at % 2), partition_key: `key ${at}` },
      ours: { data: text, partitionId: at % 2, partitionKey: `key ${at}` },
    }));
    const obs = {
      ...{ task_name: 'task', agency_name: 'agency', obs_bucket_path: 'bucket', deliver_time_interval: 30 },
      ...{ consumer_strategy: 'TRIM_HORIZON', file_prefix: 'p', record_delimiter: '|' },
    };
    const ofObs = {
      ...{ taskName: 'task', agencyName: 'agency', obsBucketPath: 'bucket', deliverTimeInterval: 30 },
      ...({ consumerStrategy: 'TRIM_HORIZON', filePrefix: 'p', recordDelimiter: '|' } as const),
    };
    const checkpoint = { stream_name: 's', app_name: 'reader', partition_id: '0', sequence_number: '1', metadata: 'm' };
    const ofCheckpoint = { streamName: 's', appName: 'reader', partitionId: '0', sequenceNumber: '1', metadata: 'm' };

    await same('create_stream', [], stream, () => ours.createStream(ofOurs));
    const theirs = records.map((one) => one.theirs);
    const own = records.map((one) => one.ours);
    // Theirs repeats what it was called with.
    await same('upload_data', ['s'], { records: theirs }, async () => ({
      streamName: 's',
      ...(await ours.uploadData('s', { records: own })),
    }));
    await same('update_stream_partition', ['s', 3], {}, () => ours.updateStreamPartition('s', 3));
    await same('get_stream', ['s'], {}, () => ours.getStream('s'));
    await same('streams', [], {}, () => ours.streams());
    const type = { 'cursor-type': 'TRIM_HORIZON' };
    const cursors = await same('get_data_cursor', ['s', '0'], type, () =>
      ours.getDataCursor('s', '0', { cursorType: 'TRIM_HORIZON' }),
    );
    const { partition_cursor: cursor } = cursors.theirs as { partition_cursor: string };
    await same('download_data', [cursor], {}, async () => {
      const { partitionCursor } = cursors.mine as { partitionCursor: string };
      return (await ours.downloadData(partitionCursor)).records;
    });
    await same('create_app', [], { name: 'reader' }, () => ours.createApp({ name: 'reader' }));
    await same('create_checkpoint', [], checkpoint, () => ours.createCheckpoint(ofCheckpoint));
    await same('get_checkpoint', ['s', 'reader', '0'], {}, () => ours.getCheckpoint('s', 'reader', '0'));
    await same('apps', [], {}, () => ours.apps());
    await same('get_app', ['reader'], {}, () => ours.getApp('reader'));
    await same('app_consumptions', ['s', 'reader'], {}, () => ours.appConsumptions('s', 'reader'));
    await same('delete_checkpoint', ['s', 'reader', '0'], {}, () => ours.deleteCheckpoint('s', 'reader', '0'));
    await same('app_consumptions', ['s', 'reader'], {}, () => ours.appConsumptions('s', 'reader'));
    const descriptor = { destination_type: 'OBS', obs_destination_descriptor: obs };
    await same('create_dump_task', ['s'], descriptor, () =>
      ours.createDumpTask('s', { obsDestinationDescriptor: ofObs }),
    );
    const tasks = await same('dump_tasks', ['s'], {}, () => ours.dumpTasks('s'));
    const [theirTask] = tasks.theirs as { task_id: string }[];
    const [ourTask] = tasks.mine as { taskId: string }[];
    await same('pause_dump_task', ['s', [theirTask!.task_id]], {}, () => ours.pauseDumpTask('s', ourTask!.taskId));
    await same('get_dump_task', ['s', 'task'], {}, () => ours.getDumpTask('s', 'task'));
    await same('start_dump_task', ['s', [theirTask!.task_id]], {}, () => ours.startDumpTask('s', ourTask!.taskId));
    await Promise.all([server.advance(30_000), second.advance(30_000)]);
    await same('get_dump_task', ['s', 'task'], {}, () => ours.getDumpTask('s', 'task'));
    await same('delete_dump_task', ['s', 'task'], {}, () => ours.deleteDumpTask('s', 'task'));
    await same('delete_app', ['reader'], {}, () => ours.deleteApp('reader'));
    await same('apps', [], {}, () => ours.apps());
    await same('delete_stream', ['s'], {}, () => ours.deleteStream('s'));
    await same('streams', [], {}, () => ours.streams());

    expect([...called].sort()).toEqual([...SEED_METHODS].sort());
  });
});

describe.each([
  ['V11-HMAC-SHA256', 'json', 'v11'],
  ['SDK-HMAC-SHA256', 'json', 'sdk'],
  ['SDK-HMAC-SHA256', 'protobuf', 'sdk'],
  ['V11-HMAC-SHA256', 'protobuf', 'v11'],
])('the official SDK of DIS, signing by %s, with %s bodies', (_, bodies, signing) => {
  const ok = async (method: string, ...args: unknown[]): Promise<Record<string, unknown>> =>
    (await client!.ok(method, args)) as Record<string, unknown>;

  beforeEach(() => {
    client = new PeerClient('official_calls.py', server, {
      DIS_BODIES: bodies,
      DIS_SIGNING: signing,
      // Its generated code is older than what newer versions of the package take otherwise.
      PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: 'python',
    });
  });

  it('uploads and downloads what it was given', async () => {
    await ok('createStream', 's', '3', 'BLOB', 'COMMON');
    const records = [
      { data: 'grüß', partition_key: 'k1' },
      { data: 'by id', partition_id: PARTITIONS[2] },
      { data: 'by hash', explicit_hash_key: '0' },
      { data: 'lost', partition_id: '9' },
    ];
    const upload = await ok('putRecords', 's', records);
    const { cursor } = await ok('getCursor', 's', PARTITIONS[1], 'TRIM_HORIZON');
    const download = await ok('getRecords', cursor);

    expect(upload).toMatchObject({
      statusCode: 200,
      failedRecordCount: 1,
      recordResult: [
        { partition_id: PARTITIONS[1], sequence_number: '0' },
        { partition_id: PARTITIONS[2], sequence_number: '0' },
        { partition_id: PARTITIONS[0], sequence_number: '0' },
        { error_code: 'DIS.4302' },
      ],
    });
    const [record] = download.recordResult as { data: unknown }[];
    const data = (record!.data as { base64?: string }).base64 ?? base64(String(record!.data));
    expect(record).toMatchObject({ partitionKey: 'k1', sequence_number: '0' });
    expect(Buffer.from(data, 'base64').toString()).toBe('grüß');
    expect(download.nextPartitionCursor).toEqual(expect.any(String));
    const after = await ok('getCursor', 's', PARTITIONS[1], 'AFTER_SEQUENCE_NUMBER', '0');
    expect((await ok('getRecords', after.cursor)).recordResult).toEqual([]);
    const now = await ok('getCursor', 's', PARTITIONS[1], 'AT_TIMESTAMP', '', String(server.now().getTime() + 1000));
    expect((await ok('getRecords', now.cursor)).recordResult).toEqual([]);
  });

  it('works on streams, apps, checkpoints and dump tasks', async () => {
    await ok('createStream', 's', '1', 'BLOB', 'COMMON', 48);
    expect(await ok('listStream')).toMatchObject({ total_number: 1, stream_names: ['s'] });
    expect(await ok('describeStream', 's')).toMatchObject({ streamType: 'COMMON', retentionPeriod: 48 });
    await ok('changepartitionQuantity', 's', '2');
    expect((await ok('describeStream', 's')).partitions).toHaveLength(2);

    await ok('createApp', 'reader');
    expect(await ok('listApp', '')).toMatchObject({ apps: [{ app_name: 'reader' }] });
    expect(await ok('describeApp', 'reader')).toMatchObject({ body: { app_name: 'reader' } });
    await ok('commitCheckpoint', 's', 'reader', '1', '0', 'meta');
    expect(await ok('getCheckpoint', 's', 'reader', '1')).toMatchObject({ seqNumber: '0' });
    expect(await ok('streamConsume', 's', 'reader')).toMatchObject({
      partition_consuming_states: [{ partition_id: '1', sequence_number: '0' }],
    });
    await ok('deleteCheckpoint', 's', 'reader');
    expect(await ok('getCheckpoint', 's', 'reader', '1')).toMatchObject({ seqNumber: '-1' });
    await ok('deleteApp', 'reader');

    const obs = { agency_name: 'a', obs_bucket_path: 'bucket', deliver_time_interval: 30, consumer_strategy: 'LATEST' };
    await ok('add_dump_task', 's', 'task', 'OBS', obs);
    expect(await ok('list_dump_task', 's')).toMatchObject({ tasks: [{ task_name: 'task', state: 'RUNNING' }] });
    expect(await ok('describe_dump_task', 's', 'task')).toMatchObject({ body: { task_name: 'task' } });
    await ok('delete_dump_task', 's', 'task');
    const now = Math.floor(server.now().getTime() / 1000);
    const label = 'total_put_records_per_stream';
    expect(await ok('streamMonitor', 's', label, String(now - 120), String(now))).toMatchObject({
      body: { metrics: { label } },
    });
    await ok('deleteStream', 's');
    expect(await client!.call('describeStream', ['s'])).toMatchObject({ raises: 'DisException' });
  });
});

describe.each(['plain', 'derived'])('the SDK of the API gateway, signing %s', (signing) => {
  const ok = async (method: string, request: string, fields: object = {}): Promise<Record<string, unknown>> =>
    resultOf(await client!.request(method, request, fields), method) as Record<string, unknown>;

  beforeEach(() => {
    client = new PeerClient('gateway_calls.py', server, { DIS_SIGNING: signing });
  });

  it('works on streams, records, apps and checkpoints', async () => {
    const stream = { type: 'CreateStreamReq', fields: { stream_name: 's', partition_count: 1 } };
    await ok('create_stream', 'CreateStreamRequest', { body: stream });
    expect(await ok('show_stream', 'ShowStreamRequest', { stream_name: 's' })).toMatchObject({ status: 'RUNNING' });
    const scaling = { type: 'UpdatePartitionCountReq', fields: { stream_name: 's', target_partition_count: 2 } };
    await ok('update_partition_count', 'UpdatePartitionCountRequest', { stream_name: 's', body: scaling });
    expect(await ok('list_streams', 'ListStreamsRequest', { limit: 5 })).toMatchObject({
      total_number: 1,
      stream_info_list: [{ stream_name: 's', partition_count: 2 }],
    });

    const record = { type: 'PutRecordsRequestEntry', fields: { data: base64('grüß'), partition_id: '0' } };
    const upload = { type: 'PutRecordsRequest', fields: { stream_name: 's', records: [record] } };
    expect(await ok('send_records', 'SendRecordsRequest', { body: upload })).toEqual({
      failed_record_count: 0,
      records: [{ partition_id: PARTITIONS[0], sequence_number: '0' }],
    });
    const from = { stream_name: 's', partition_id: '0', cursor_type: 'TRIM_HORIZON' };
    const { partition_cursor: cursor } = await ok('show_cursor', 'ShowCursorRequest', from);
    expect(await ok('consume_records', 'ConsumeRecordsRequest', { partition_cursor: cursor })).toMatchObject({
      records: [{ data: base64('grüß'), sequence_number: '0', timestamp_type: 'CreateTime' }],
    });

    await ok('create_app', 'CreateAppRequest', { body: { type: 'CreateAppReq', fields: { app_name: 'reader' } } });
    const checkpoint = { app_name: 'reader', checkpoint_type: 'LAST_READ', stream_name: 's', partition_id: '0' };
    const commit = { type: 'CommitCheckpointReq', fields: { ...checkpoint, sequence_number: '0', metadata: 'm' } };
    await ok('commit_checkpoint', 'CommitCheckpointRequest', { body: commit });
    expect(await ok('show_checkpoint', 'ShowCheckpointRequest', checkpoint)).toEqual({
      sequence_number: '0',
      metadata: 'm',
    });
    const state = { app_name: 'reader', stream_name: 's', checkpoint_type: 'LAST_READ' };
    expect(await ok('show_consumer_state', 'ShowConsumerStateRequest', state)).toMatchObject({
      partition_consuming_states: [{ sequence_number: '0', latest_offset: 1 }, { sequence_number: '-1' }],
    });
    await ok('delete_checkpoint', 'DeleteCheckpointRequest', state);
    await ok('delete_app', 'DeleteAppRequest', { app_name: 'reader' });
    await ok('delete_stream', 'DeleteStreamRequest', { stream_name: 's' });
    expect(await client!.request('show_stream', 'ShowStreamRequest', { stream_name: 's' })).toMatchObject({
      raises: 'ClientRequestException',
      message: expect.stringContaining('DIS.4301'),
    });
  });

  it('tags streams', async () => {
    const fields = { stream_name: 's', partition_count: 1 };
    await ok('create_stream', 'CreateStreamRequest', { body: { type: 'CreateStreamReq', fields } });
    const { stream_id: id } = await ok('show_stream', 'ShowStreamRequest', { stream_name: 's' });
    const tag = { type: 'Tag', fields: { key: 'k', value: 'v' } };
    await ok('create_tag', 'CreateTagRequest', { stream_id: id, body: { type: 'CreateTagReq', fields: { tag } } });
    expect(await ok('show_stream_tags', 'ShowStreamTagsRequest', { stream_id: id })).toEqual({
      tags: [{ key: 'k', value: 'v' }],
    });
    expect(await ok('list_tags', 'ListTagsRequest')).toEqual({ tags: [{ key: 'k', values: ['v'] }] });
    await ok('delete_tag', 'DeleteTagRequest', { stream_id: id, key: 'k' });
    expect(await ok('show_stream_tags', 'ShowStreamTagsRequest', { stream_id: id })).toEqual({ tags: [] });
  });
});
