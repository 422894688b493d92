import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type AppAttributes,
  type CheckpointAttributes,
  type CursorParameters,
  type DisClient,
  type DumpTaskAttributes,
  NO_RETRY,
  type StreamAttributes,
  type UploadDataOptions,
} from '../../../../shared/clients/dis/index.ts';
import { camelCase, camelKeys } from '../../../../shared/clients/dis/names.ts';
import { collect, failure, scratch } from '../../../support/client-calls.ts';
import { fixture, PROJECT, World } from './harness.ts';

interface Case {
  readonly case: string;
  readonly seed_method: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly exchanges: readonly {
    readonly request: {
      readonly method: string;
      readonly path: string;
      readonly query: Readonly<Record<string, string>>;
      readonly body: unknown;
      readonly headers_required: Readonly<Record<string, string>>;
    };
    readonly response: { readonly status: number; readonly body: unknown };
  }[];
  readonly reference_client_result: { readonly ok?: unknown };
  readonly imitate_request: boolean;
  readonly imitate_result: boolean;
}

const { cases } = fixture<{ cases: Case[] }>('methods');

/** A case of the golden file as a call of ours. */
async function call(client: DisClient, method: string, given: Readonly<Record<string, unknown>>): Promise<unknown> {
  const { stream_name: stream, app_name: app, ...rest } = given as Record<string, string>;
  const partition = rest.partition_id as string;
  const parameters = camelKeys(rest) as Record<string, unknown>;
  const ignoreMissing = given.ignore_missing === true;
  switch (camelCase(method)) {
    case 'createStream':
      return client.createStream(given as unknown as StreamAttributes);
    case 'streams':
      return collect(client.streams(parameters));
    case 'getStream':
      return client.getStream(given.stream as string);
    case 'updateStreamPartition':
      return client.updateStreamPartition(stream!, given.count as number);
    case 'deleteStream':
      return client.deleteStream(stream!, ignoreMissing);
    case 'createApp':
      return client.createApp(given as AppAttributes);
    case 'apps':
      return collect(client.apps({ ...parameters, streamName: stream }));
    case 'getApp':
      return client.getApp(app!);
    case 'appConsumptions':
      return collect(client.appConsumptions(stream!, app!, parameters));
    case 'deleteApp':
      return client.deleteApp(app!, ignoreMissing);
    case 'createCheckpoint':
      return client.createCheckpoint(given as unknown as CheckpointAttributes);
    case 'getCheckpoint':
      return client.getCheckpoint(stream!, app!, partition);
    case 'deleteCheckpoint':
      return client.deleteCheckpoint(stream!, app!, partition);
    case 'uploadData':
      return client.uploadData(stream!, parameters as UploadDataOptions);
    case 'downloadData':
      return client.downloadData(given.partition_cursor as string, parameters);
    case 'getDataCursor':
      return client.getDataCursor(stream!, partition, rest as CursorParameters);
    case 'createDumpTask':
      return client.createDumpTask(stream!, rest as DumpTaskAttributes);
    case 'dumpTasks':
      return collect(client.dumpTasks(stream!));
    case 'getDumpTask':
      return client.getDumpTask(stream!, rest.task_name!);
    case 'deleteDumpTask':
      return client.deleteDumpTask(stream!, rest.task_name!, ignoreMissing);
    case 'startDumpTask':
      return client.startDumpTask(stream!, ...([rest.task_ids ?? rest.task_ids_as_varargs].flat() as string[]));
    case 'pauseDumpTask':
      return client.pauseDumpTask(stream!, ...([rest.task_ids].flat() as string[]));
    default:
      throw new Error(`${method} is no method of the seed`);
  }
}

/** Where ours differs from the reference, and what the golden file's note asks for instead. */
const OURS: Readonly<Record<string, { arguments?: object; body?: object; calls?: number }>> = {
  create_stream_full: { body: { data_schema: '{}', csv_properties: { delimiter: ',' } } },
  delete_checkpoint_int0: {},
  upload_data: {
    arguments: {
      records: [
        { data: 'MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=', encoding: 'base64', partition_id: '0' },
        { data: 'hello world!', partition_key: 'k', explicit_hash_key: '1' },
      ],
    },
  },
  upload_data_ambiguous: { body: { records: [{ data: 'ZGF0YTEyMzQ=', partition_id: '0' }] } },
  start_dump_task_str: { body: { tasks: [{ id: 'abc' }] } },
};

const replayed = cases.filter(({ exchanges, case: name }) => exchanges.length > 0 && !name.endsWith('_csv'));

function worldOf(one: Case): World {
  const left = [...one.exchanges];
  return new World(
    () => {
      const { status, body } = left.shift()!.response;
      // The example answers two records, whatever was asked.
      if (one.case !== 'upload_data_ambiguous') return { status, body };
      return {
        body: { failed_record_count: 0, records: [{ partition_id: 'shardId-0000000000', sequence_number: '15' }] },
      };
    },
    { retry: NO_RETRY },
  );
}

describe('the methods of the reference client', () => {
  it.each(replayed.map((one) => [one.case, one] as const))('%s sends what it should', async (name, one) => {
    const world = worldOf(one);

    const ours = OURS[name];
    await call(world.client, one.seed_method, { ...one.arguments, ...ours?.arguments }).catch(() => undefined);

    expect(world.sent).toHaveLength(one.exchanges.length);
    for (const [at, { request }] of one.exchanges.entries()) {
      const sent = world.sent[at]!;
      expect(sent.method).toBe(request.method);
      expect(sent.path).toBe(request.path.replace('{project_id}', PROJECT));
      expect(sent.query).toMatchObject(request.query);
      expect(sent.body ?? null).toEqual(
        ours?.body ? { ...(request.body as object), ...ours.body } : (request.body ?? null),
      );
      for (const header of Object.keys(request.headers_required)) expect(sent.headers.get(header)).toBeTruthy();
    }
  });

  it('delete_checkpoint_int0 names the partition', async () => {
    const world = worldOf(cases.find((one) => one.case === 'delete_checkpoint_int0')!);

    await world.client.deleteCheckpoint('newstream', 'newapp', 0);

    expect(world.sent[0]!.query.partition_id).toBe('0');
  });

  it.each(
    replayed
      .filter(({ imitate_result, reference_client_result: { ok } }) => imitate_result && ok !== undefined)
      .filter(({ seed_method }) => !/^(delete|start|pause|update)_/.test(seed_method))
      .map((one) => [one.case, one] as const),
  )('%s tells what it should', async (_name, one) => {
    const result = await call(worldOf(one).client, one.seed_method, one.arguments);

    expect(comparable(result)).toMatchObject(comparable(camelKeys(one.reference_client_result.ok)) as object);
  });

  it.each([
    ['get_stream_missing', 'NotFoundError'],
    ['delete_app_missing404_raise', 'NotFoundError'],
  ])('%s is a %s', async (name, error) => {
    const one = cases.find((candidate) => candidate.case === name)!;

    expect((await failure(call(worldOf(one).client, one.seed_method, one.arguments))).name).toBe(error);
  });

  it.each([
    ['delete_stream_missing400', false],
    ['delete_app_missing400', false],
    ['delete_app_missing404', false],
    ['delete_stream', false],
    ['update_stream_partition', false],
    ['start_dump_task_list', false],
    ['pause_dump_task_list', false],
  ])('%s returns nothing', async (name) => {
    const one = cases.find((candidate) => candidate.case === name)!;

    expect(await call(worldOf(one).client, one.seed_method, one.arguments)).toBeUndefined();
  });

  it('start_dump_task takes ids one by one, and a list', async () => {
    const world = new World(() => ({}));

    await world.client.startDumpTask('s', 'a', 'b');
    await world.client.pauseDumpTask('s', ['a', 'b']);

    expect(world.sent.map(({ body }) => body)).toEqual([
      { action: 'start', tasks: [{ id: 'a' }, { id: 'b' }] },
      { action: 'stop', tasks: [{ id: 'a' }, { id: 'b' }] },
    ]);
  });
});

describe('the data of the reference client', () => {
  const stored = (count: number) => ({
    body: {
      failed_record_count: 0,
      records: Array.from({ length: count }, (_, at) => ({ partition_id: 'shardId-0000000000', sequence_number: at })),
    },
  });

  it('upload_data tells the result of each record', async () => {
    const one = cases.find((candidate) => candidate.case === 'upload_data')!;
    const { client } = worldOf(one);

    expect(await client.uploadData('newstream', { records: [{ data: 'a' }, { data: 'b' }] })).toEqual({
      failedRecordCount: 1,
      records: [
        { partitionId: 'shardId-0000000000', sequenceNumber: 15n },
        { errorCode: 'DIS.4303', errorMessage: 'Exceeded traffic control limit.' },
      ],
    });
  });

  it('upload_data_nonascii encodes UTF-8, upload_data_stream_id sends the id', async () => {
    const world = new World(() => stored(1));

    await world.client.uploadData('newstream', { streamId: 'x', records: [{ data: 'grüß', partitionId: 0 }] });

    expect(world.sent[0]!.body).toEqual({
      stream_name: 'newstream',
      stream_id: 'x',
      records: [{ data: Buffer.from('grüß').toString('base64'), partition_id: '0' }],
    });
  });

  it('upload_data_csv takes a column data as text, or as base64 if it is told so', async () => {
    const world = new World(() => stored(2));
    const filename = join(await scratch(), 'in.csv');
    await writeFile(filename, 'data,partition_key\nhello world!,k1\nMTEx,k2\n');

    await world.client.uploadData('newstream', { filename });
    await writeFile(filename, 'data,partition_key\naGVsbG8gd29ybGQh,k1\nMTEx,k2\n');
    await world.client.uploadData('newstream', { filename, encoding: 'base64' });

    const records = (second: string) => [
      { data: 'aGVsbG8gd29ybGQh', partition_key: 'k1' },
      { data: second, partition_key: 'k2' },
    ];
    expect(world.sent.map(({ body }) => body)).toEqual([
      { stream_name: 'newstream', records: records('TVRFeA==') },
      { stream_name: 'newstream', records: records('MTEx') },
    ]);
  });

  it('download_data tells the records and the next cursor', async () => {
    const one = cases.find((candidate) => candidate.case === 'download_data')!;

    expect(await worldOf(one).client.downloadData({ partititonCursor: 'CUR' })).toEqual({
      nextPartitionCursor: 'NEXTCURSOR',
      records: [
        {
          partitionKey: '0',
          sequenceNumber: 485n,
          data: Buffer.from('111'),
          timestamp: 1527577402541,
          timestampType: 'CreateTime',
        },
      ],
    });
  });

  it('download_data_csv writes base64 and CR LF, and returns nothing', async () => {
    const one = cases.find((candidate) => candidate.case === 'download_data_csv')!;
    const filename = join(await scratch(), 'out.csv');

    expect(await worldOf(one).client.downloadData('CUR', { filename })).toBeUndefined();

    expect(await readFile(filename, 'utf8')).toBe(
      'sequence_number,data,timestamp,timestamp_type\r\n485,MTEx,1527577402541,CreateTime\r\n',
    );
  });
});

/** Numbers and numbers as text are the same; `id` and the paging flag are bookkeeping of the reference. */
function comparable(value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  const entries = Object.entries(value).filter(([name]) => name !== 'id' && name !== 'hasMorePartitions');
  return Object.fromEntries(entries.map(([name, inner]) => [name, comparable(inner)]));
}
