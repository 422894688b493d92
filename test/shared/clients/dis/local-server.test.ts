import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../../../local/servers/dis/faults.ts';
import { type DisServerOptions, startDisServer } from '../../../../local/servers/dis/server.ts';
import {
  DisClient,
  type DisClientOptions,
  hashOfKey,
  NO_RETRY,
  partitionIndexOf,
  type UploadRecord,
} from '../../../../shared/clients/dis/index.ts';
import { collect, failure, scratch } from '../../../support/client-calls.ts';

/** A client on the local server; its clock is the server's, and waiting moves it. */
async function connect(serverOptions: DisServerOptions = {}, options: DisClientOptions = {}) {
  const server = await startDisServer(serverOptions);
  const { accessKey, secretKey } = server.credentials;
  const client = new DisClient({
    endpoint: server.endpoint,
    region: server.region,
    credentials: { accessKey, secretKey },
    clock: () => server.now(),
    random: () => 0.5,
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      await server.advance(ms);
    },
    ...options,
  });
  return {
    server,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await server.close();
    },
  };
}

const keyed = (count: number): UploadRecord[] =>
  Array.from({ length: count }, (_, at) => ({ data: `record ${at}`, partitionKey: `key ${at % 50}` }));

/** All records of a stream, partition by partition. */
async function drain(client: DisClient, stream: string): Promise<string[][]> {
  const { partitions = [] } = await client.getStream(stream);
  return Promise.all(
    partitions.map(async ({ partitionId }) => {
      const records = await collect(client.readRecords(stream, partitionId, { stopAtEnd: true }));
      expect(records.map(({ sequenceNumber }) => sequenceNumber)).toEqual(records.map((_, at) => BigInt(at)));
      return records.map(({ data }) => data.toString());
    }),
  );
}

describe('the client on the local server', () => {
  it.each([
    ['keys, JSON', {}],
    ['keys, protobuf', { recordFormat: 'protobuf' }],
    ['keys of the newer signature', { signatureAlgorithm: 'V11-HMAC-SHA256' }],
  ] as [string, DisClientOptions][])('%s: what is uploaded is read again', async (_what, options) => {
    await using world = await connect({}, options);
    const { client } = world;
    await client.createStream({ name: 'events', partitionCount: 3 });
    const records = keyed(2000);

    const { failedRecordCount, records: results } = await client.uploadData('events', { records, ordered: true });

    expect(failedRecordCount).toBe(0);
    const drained = await drain(client, 'events');
    expect(drained.flat().sort()).toEqual(records.map(({ data }) => data).sort());
    for (const [at, { partitionId, sequenceNumber }] of results.entries()) {
      const partition = partitionIndexOf(hashOfKey(records[at]!.partitionKey!), 3);
      expect(partitionId).toBe(`shardId-000000000${partition}`);
      expect(drained[partition]![Number(sequenceNumber)]).toBe(records[at]!.data);
    }
    for (const lines of drained) {
      const numbers = lines.map((line) => Number(line.slice(7)));
      for (let key = 0; key < 50; key += 1) {
        const ofKey = numbers.filter((number) => number % 50 === key);
        expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
      }
    }
  });

  it('tokens: the given one, and one of a login', async () => {
    await using world = await connect();
    const { endpoint, credentials } = world.server;
    const given = new DisClient({ endpoint, credentials: { token: credentials.token } });

    expect(await collect(given.streams())).toEqual([]);
    const { userName: user, password, projectId } = credentials;
    const login = { iamUrl: world.server.url, user, password, domain: 'landfall', projectId };
    const logged = new DisClient({ region: world.server.region, credentials: login });
    expect(await collect(logged.streams())).toEqual([]);
    world.server.revokeTokens();
    expect(await collect(logged.streams())).toEqual([]);
    const wrong = new DisClient({ endpoint, credentials: { token: 'another' } });
    expect(await failure(collect(wrong.streams()))).toMatchObject({ name: 'AuthenticationError', status: 441 });
  });

  it('every method of the seed', async () => {
    await using world = await connect({ pageMax: 2 });
    const { client } = world;
    for (const name of ['a', 'b', 'c']) await client.createStream({ name, partitionCount: 1 });
    await client.createApp({ name: 'reader' });
    await client.uploadData('a', { records: keyed(10) });

    expect((await collect(client.streams())).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect((await collect(client.streams({ limit: 1, startStreamName: 'a' }))).map(({ name }) => name)).toEqual(['b']);
    expect((await collect(client.apps())).map(({ name }) => name)).toEqual(['reader']);
    expect((await client.getApp('reader')).name).toBe('reader');
    expect(await client.getCheckpoint('a', 'reader', 0)).toEqual({ sequenceNumber: -1n, metadata: '' });
    await client.createCheckpoint({
      streamName: 'a',
      appName: 'reader',
      partitionId: 0,
      sequenceNumber: 4n,
      metadata: 'm',
    });
    expect(await client.getCheckpoint('a', 'reader', 0)).toEqual({ sequenceNumber: 4n, metadata: 'm' });
    expect(await collect(client.appConsumptions('a', 'reader'))).toMatchObject([
      { sequenceNumber: 4n, latestOffset: 10n, earliestOffset: 0n },
    ]);
    await client.updateStreamPartition('a', 5);
    const { partitions, writablePartitionCount } = await client.getStream('a');
    expect([partitions?.length, writablePartitionCount]).toEqual([5, 5]);
    expect((await collect(client.appConsumptions('a', 'reader'))).length).toBe(5);
    const { partitionCursor } = await client.getDataCursor('a', 0, {
      cursorType: 'AFTER_SEQUENCE_NUMBER',
      startingSequenceNumber: 4n,
    });
    const { records, nextPartitionCursor } = await client.downloadData(partitionCursor);
    expect(records.map(({ sequenceNumber }) => sequenceNumber)).toEqual([5n, 6n, 7n, 8n, 9n]);
    expect((await client.downloadData(nextPartitionCursor)).records).toEqual([]);
    await client.deleteCheckpoint('a', 'reader', 0);
    expect((await client.getCheckpoint('a', 'reader', 0)).sequenceNumber).toBe(-1n);

    const obsDestinationDescriptor = {
      taskName: 'dump',
      agencyName: 'dis_admin_agency',
      obsBucketPath: 'bucket',
      deliverTimeInterval: 30,
    };
    await client.createDumpTask('b', { obsDestinationDescriptor });
    const [task] = await collect(client.dumpTasks('b'));
    expect(task).toMatchObject({ taskName: 'dump', status: 'RUNNING', destinationType: 'OBS' });
    await client.pauseDumpTask('b', task!.taskId!);
    expect(await client.getDumpTask('b', 'dump')).toMatchObject({
      status: 'PAUSED',
      obsDestinationDescription: { obsBucketPath: 'bucket', deliverTimeInterval: 30 },
      partitions: [{ partitionId: 'shardId-0000000000' }],
    });
    await client.startDumpTask('b', [task!.taskId!]);
    await client.deleteDumpTask('b', 'dump');
    await client.deleteDumpTask('b', 'dump', true);
    await client.deleteApp('reader');
    await client.deleteApp('reader', true);
    await client.deleteStream('a');
    await client.deleteStream('a', true);
    expect((await failure(client.getStream('a'))).name).toBe('NotFoundError');
    expect((await failure(client.deleteApp('reader'))).name).toBe('NotFoundError');
  });

  it('CSV in and out', async () => {
    await using world = await connect();
    const { client } = world;
    await client.createStream({ name: 's', partitionCount: 1 });
    const folder = await scratch();
    await writeFile(join(folder, 'in.csv'), 'data,partition_key\n"a, b",k\ngrüß,k\n');

    await client.uploadData('s', { filename: join(folder, 'in.csv') });

    expect(await drain(client, 's')).toEqual([['a, b', 'grüß']]);
  });

  it('follows a partition across renewed cursors, until it is told the end', async () => {
    await using world = await connect();
    const { client, server } = world;
    await client.createStream({ name: 's', partitionCount: 1 });
    await client.uploadData('s', { records: keyed(5) });
    const seen: string[] = [];

    for await (const { data } of client.readRecords('s', 0, { maxFetchBytes: 20 })) {
      seen.push(data.toString());
      await server.advance(200_000);
      if (seen.length === 5) await client.uploadData('s', { records: keyed(1) });
      if (seen.length === 6) break;
    }

    expect(seen).toEqual([0, 1, 2, 3, 4, 0].map((at) => `record ${at}`));
  });

  it('tells what has aged out', async () => {
    await using world = await connect();
    const { client, server } = world;
    await client.createStream({ name: 's', partitionCount: 1, dataDuration: 24 });
    await client.uploadData('s', { records: keyed(5) });
    await server.advance(25 * 3_600_000);
    await client.uploadData('s', { records: keyed(2) });
    const lost: unknown[] = [];

    const records = await collect(
      client.readRecords('s', 0, {
        from: { startingSequenceNumber: 2n },
        until: 7n,
        onLost: 'earliest',
        lost: (range) => void lost.push(range),
      }),
    );

    expect(records.map(({ sequenceNumber }) => sequenceNumber)).toEqual([5n, 6n]);
    expect(lost).toEqual([{ from: 2n, to: 5n }]);
  });

  it.each([
    ['deleted', false, 'NotFoundError'],
    ['deleted and created again', true, 'InvalidCursorError'],
  ])('a cursor of a stream that was %s', async (_what, again, name) => {
    await using world = await connect();
    const { client } = world;
    await client.createStream({ name: 's', partitionCount: 1 });
    const cursor = await client.getDataCursor('s', 0);
    await client.deleteStream('s');
    if (again) await client.createStream({ name: 's', partitionCount: 1 });

    expect((await failure(client.downloadData(cursor))).name).toBe(name);
  });

  it.each([
    ['an old one', { startingSequenceNumber: 7n }, 'OutOfRangeError'],
    ['one that is none', undefined, 'InvalidCursorError'],
  ])('a cursor that does not do: %s', async (_what, parameters, name) => {
    await using world = await connect();
    await world.client.createStream({ name: 's', partitionCount: 1 });

    const call = parameters ? world.client.getDataCursor('s', 0, parameters) : world.client.downloadData('nonsense');

    expect((await failure(call)).name).toBe(name);
  });

  it('an expired cursor, an unknown partition, a clock that is wrong, a second stream of the name', async () => {
    await using world = await connect();
    const { client, server } = world;
    await client.createStream({ name: 's', partitionCount: 1 });
    const cursor = await client.getDataCursor('s', 0);
    await server.advance(300_001);
    const skewed = new DisClient({
      endpoint: server.endpoint,
      region: server.region,
      credentials: { accessKey: server.credentials.accessKey, secretKey: server.credentials.secretKey },
      clock: () => new Date(server.now().getTime() + 3_600_000),
    });

    expect((await failure(client.downloadData(cursor))).name).toBe('ExpiredCursorError');
    expect((await failure(client.getDataCursor('s', 7))).name).toBe('NotFoundError');
    expect((await failure(skewed.getStream('s'))).name).toBe('ClockSkewError');
    expect((await failure(client.createStream({ name: 's', partitionCount: 1 }))).name).toBe('AlreadyExistsError');
  });

  const faults: readonly [string, FaultRule][] = [
    ['500', { route: 'uploadData', fault: 'gateway-error', status: 500, nth: 2, times: 2 }],
    ['429', { route: 'uploadData', fault: 'rate-limited', retryAfter: 1, nth: 1 }],
    ['a broken connection', { route: 'uploadData', fault: 'reset-connection', nth: 2 }],
    ['half an answer', { route: 'downloadData', fault: 'cut-connection', afterBytes: 20, nth: 2 }],
    ['failed records', { route: 'uploadData', fault: 'failed-records', code: 'DIS.4303', share: 0.3, times: 4 }],
    ['one record an answer', { route: 'downloadData', fault: 'one-record', times: 3 }],
    ['answers without records', { route: 'downloadData', fault: 'no-records', nth: 2 }],
    ['members of the future', { route: 'getStream', fault: 'extra-members' }],
  ];

  it.each(faults)('nothing is lost and nothing comes twice under %s', async (_what, rule) => {
    await using world = await connect({ faults: [rule], random: () => 0.5 });
    const { client } = world;
    await client.createStream({ name: 's', partitionCount: 2 });
    const records = keyed(1500);

    const { failedRecordCount } = await client.uploadData('s', { records });
    const { partitions = [] } = await client.getStream('s');
    const read = await Promise.all(
      partitions.map(({ partitionId, nextSequenceNumber: until }) =>
        collect(client.readRecords('s', partitionId, { until, maxFetchBytes: 4000 })),
      ),
    );

    expect(failedRecordCount).toBe(0);
    const texts = read.flat().map(({ data }) => data.toString());
    expect(texts.sort()).toEqual(records.map(({ data }) => data).sort());
  });

  it('an upload whose answer was lost is stored twice: at least once', async () => {
    await using world = await connect({ faults: [{ route: 'uploadData', fault: 'lost-answer' }] });
    const { client } = world;
    await client.createStream({ name: 's', partitionCount: 1 });

    await client.uploadData('s', { records: [{ data: 'x' }] });

    expect(await drain(client, 's')).toEqual([['x', 'x']]);
  });

  it('creations whose answer was lost are found to have worked', async () => {
    const lost = (route: FaultRule['route']): FaultRule => ({ route, fault: 'lost-answer' });
    await using world = await connect({
      faults: ['createStream', 'createApp', 'deleteStream'].map((route) => lost(route as FaultRule['route'])),
    });
    const { client } = world;

    await client.createStream({ name: 's', partitionCount: 2, dataDuration: 48 });
    await client.createApp({ name: 'a' });
    await client.deleteStream('s');

    expect(await collect(client.streams())).toEqual([]);
  });

  it('throttled records get through as time goes by', async () => {
    await using world = await connect({ throttle: true });
    const { client } = world;
    await client.createStream({ name: 's', partitionCount: 1 });

    const { failedRecordCount } = await client.uploadData('s', { records: keyed(3000) });

    expect(failedRecordCount).toBe(0);
  });

  it('without repeating, everything is told at once', async () => {
    await using world = await connect(
      { faults: [{ route: 'uploadData', fault: 'failed-records', code: 'DIS.4303', records: [1] }] },
      { retry: NO_RETRY },
    );
    await world.client.createStream({ name: 's', partitionCount: 1 });

    const { failedRecordCount, records } = await world.client.uploadData('s', { records: keyed(3) });

    expect(failedRecordCount).toBe(1);
    expect(records.map(({ errorCode }) => errorCode)).toEqual([undefined, 'DIS.4303', undefined]);
  });
});
