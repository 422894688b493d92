import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Acknowledgement, BytesConnector, ReadRun } from '../../../../shared/connectors/connector.ts';
import { days, hours } from '../../../../shared/core/units.ts';
import { giveUp } from '../../../../shared/operations/control.ts';
import { isUpload, isWrite, once } from '../../../support/faults.ts';
import { newWorld, PIPELINE } from '../../../support/world.ts';
import {
  APP,
  aServer,
  aStream,
  type DisWorld,
  drains,
  partitionName,
  put,
  rangesOf,
  STREAM,
  shownOf,
  texts,
} from './drained-stream.ts';

const asks = (world: DisWorld, ...routes: string[]) =>
  world.server.calls.filter(({ route }) => routes.includes(route ?? ''));
const factsOf = async (world: DisWorld, range: string, partition = 0) => {
  const [from, to] = range.split('-').map((number) => number.padStart(19, '0'));
  return (await world.manifest()).get(`${partitionName(partition)}/${from}-${to}`)?.facts;
};

describe('a DIS stream as a source', () => {
  it('is a folder of partitions, each a feed of ranges of its sequence numbers', async () => {
    const world = await aStream({ partitions: 2 });
    await world.put(texts('a', 12), 0);
    await world.put(texts('b', 3), 1);

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 4 } });
    expect(await rangesOf(world, 0)).toEqual(['0-4', '5-9', '10-11']);
    expect(await rangesOf(world, 1)).toEqual(['0-2']);
    expect(await shownOf(world, 0)).toEqual(texts('a', 12));
    expect(await shownOf(world, 1)).toEqual(texts('b', 3));
    expect(world.violations).toEqual([]);
  });

  it('is listed by one look at the stream, without a cursor or a record', async () => {
    const world = await aStream({ partitions: 3 });
    await world.put(texts('a', 7));
    await world.start();

    while ((await world.items('')).size < 3 || world.handled.length < 4) await world.step();

    expect(world.handled).toEqual(['list-objects', 'list-objects', 'list-objects', 'list-objects']);
    expect(asks(world, 'getDataCursor', 'downloadData')).toEqual([]);
    // One for the data of this test.
    expect(asks(world, 'getStream')).toHaveLength(1);
  });

  it('reads each range once: what comes later makes later ranges', async () => {
    const world = await aStream();
    await world.put(texts('a', 7));
    await world.refresh();
    await world.put(texts('a', 5, 7));
    const before = asks(world, 'getDataCursor').length;

    const run = await world.refresh();

    expect(run.ran?.landed).toEqual({ NEW: 1 });
    expect(asks(world, 'getDataCursor').length - before).toBe(1);
    expect(await rangesOf(world)).toEqual(['0-4', '5-6', '7-11']);
    expect(await shownOf(world)).toEqual(texts('a', 12));
  });

  it('without news reads nothing and keeps what it shows', async () => {
    const world = await aStream();
    await world.put(texts('a', 3));
    await world.refresh();
    const { manifest } = (await world.latest())!;
    const before = asks(world, 'getDataCursor', 'downloadData', 'createCheckpoint').length;

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} } });
    expect(asks(world, 'getDataCursor', 'downloadData', 'createCheckpoint')).toHaveLength(before);
    expect((await world.latest())!.manifest).toBe(manifest);
  });

  it('an empty one succeeds, and what comes then is read', async () => {
    const world = await aStream({ partitions: 2 });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 0 } });
    await world.put(['first'], 1);
    await world.refresh();

    expect(await shownOf(world, 1)).toEqual(['first']);
  });

  it('keeps every secret to itself, and cursors too', async () => {
    const world = await aStream();
    await world.put(['x']);
    await world.refresh();

    const all = world.everything();
    expect(all).not.toContain(world.server.credentials.secretKey);
    expect(all).not.toMatch(/eyJnZXRJdGVyYXRvclBhcmFt|eyJpdGVyR2VuVGltZ/);
  });
});

describe('where a partition begins', () => {
  it.each([
    ['earliest', texts('a', 6)],
    ['latest', []],
    [{ sequenceNumber: 4 }, ['a4', 'a5']],
    [{ sequenceNumber: '6' }, []],
    [{ time: '2026-01-01T01:00:00Z' }, ['a3', 'a4', 'a5']],
    [{ time: '2025-01-01T00:00:00Z' }, texts('a', 6)],
    [{ time: new Date('2026-01-02T00:00:00Z') }, []],
  ] as const)('from %j: what is there before, and all that comes', async (from, expected) => {
    const world = await aStream({ dis: { from } });
    await world.put(texts('a', 3));
    world.time.advance(hours(1));
    await world.put(texts('a', 3, 3));

    await world.refresh();
    await world.put(['new']);
    await world.refresh();

    expect(await shownOf(world)).toEqual([...expected, 'new']);
  });

  it('the app’s checkpoint goes before the option', async () => {
    const world = await aStream({ dis: { from: 'latest' } });
    await world.put(texts('a', 6));
    await world.client.createApp({ name: APP });
    await world.client.createCheckpoint({ streamName: STREAM, appName: APP, partitionId: 0, sequenceNumber: 1n });

    await world.refresh();

    expect(await shownOf(world)).toEqual(texts('a', 4, 2));
  });

  it('a partition that appears after the first listing is read from its oldest record, whatever the option says', async () => {
    const world = await aStream({ dis: { from: 'latest' } });
    await world.put(texts('a', 2));
    await world.refresh();
    await world.client.updateStreamPartition(STREAM, 2);
    await world.put(texts('b', 3), 1);

    await world.refresh();

    expect(await shownOf(world, 1)).toEqual(texts('b', 3));
    expect(await shownOf(world, 0)).toEqual([]);
  });

  it('our own position goes before a checkpoint that somebody else moves, and the run says so', async () => {
    const world = await aStream();
    await world.put(texts('a', 4));
    await world.refresh();
    const moved = { streamName: STREAM, appName: APP, partitionId: 0, sequenceNumber: 0n };
    await world.client.createCheckpoint(moved);
    await world.put(['next']);

    const run = await world.refresh();

    expect(await shownOf(world)).toEqual([...texts('a', 4), 'next']);
    expect([...run.warnings!].join()).toMatch(
      /somebody else set the checkpoint of reader on partition shardId-0000000000/,
    );
    expect(await world.checkpoint()).toBe(4n);
    expect((await world.refresh()).warnings).toBeUndefined();
  });
});

describe('the app’s checkpoint', () => {
  it('is the last record that has landed, on every partition, and makes the app if there is none', async () => {
    const world = await aStream({ partitions: 3 });
    await world.put(texts('a', 12), 0);
    await world.put(texts('b', 1), 1);

    await world.refresh();

    expect([await world.checkpoint(0), await world.checkpoint(1), await world.checkpoint(2)]).toEqual([11n, 0n, -1n]);
  });

  it('moves only over a run of ranges without a gap', async () => {
    const world = await aStream();
    await world.put(texts('a', 20));
    // The second range's cursor is refused, also when it is tried again.
    world.server.faults.add({ route: 'getDataCursor', fault: 'error', code: 'DIS.4116', status: 403, nth: 2 });

    const first = await world.refresh();
    const missing = (await rangesOf(world)).length * 5;
    expect(first.state).toBe('PARTIAL');
    expect(await world.checkpoint()).toBe(BigInt(missing - 1));
    world.server.faults.clear();
    await world.put(texts('a', 5, 20));
    await world.refresh();

    expect(await world.checkpoint()).toBe(24n);
    expect(await shownOf(world)).toEqual(texts('a', 25));
  });

  it('moves past a range that is given up by name', async () => {
    const world = await aStream();
    await world.put(texts('a', 10));
    world.server.faults.add({ route: 'getDataCursor', fault: 'error', code: 'DIS.4116', status: 403, times: 2 });
    await world.refresh();
    world.server.faults.clear();
    expect(await world.checkpoint()).toBe(-1n);
    await giveUp(PIPELINE, [`${partitionName(0)}/0000000000000000000-0000000000000000004`], world.deps());

    await world.refresh();

    expect(await shownOf(world)).toEqual(texts('a', 5, 5));
    expect(await world.checkpoint()).toBe(9n);
  });

  it('does not go back when an older position is told late', async () => {
    const world = await aStream();
    await world.put(texts('a', 5));
    await world.refresh();
    const node = await world.node(partitionName(0));
    await world.put(texts('a', 5, 5));
    await world.refresh();
    const { connector } = world.pipeline.source;
    const { connectors } = world.deps();
    const { context } = await connectors.open(world.pipeline, new AbortController().signal);

    await connector.acknowledge?.(context, {
      path: node!.path,
      metadata: node!.metadata as never,
      position: node!.landedPosition!,
    });

    expect(await world.checkpoint()).toBe(9n);
  });

  it('that cannot be set is a warning of the run: the bytes have landed all the same', async () => {
    const world = await aStream();
    await world.put(['x']);
    world.server.faults.add({ route: 'createCheckpoint', fault: 'error', code: 'DIS.4116', status: 403 });

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!].join()).toContain('DIS.4116');
    await world.put(['y']);
    await world.refresh();
    expect(await world.checkpoint()).toBe(1n);
  });

  it('that was refused is set by the next refresh, also if no record has come since', async () => {
    const world = await aStream();
    await world.put(['x']);
    await world.refresh();
    await world.put(['y']);
    world.server.faults.add({ route: 'createCheckpoint', fault: 'error', code: 'DIS.4116', status: 403, times: 2 });
    await world.refresh();
    expect(await world.checkpoint()).toBe(0n);

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(await world.checkpoint()).toBe(0n);
    await world.refresh();

    expect(await world.checkpoint()).toBe(1n);
  });

  it('that somebody else has moved is left alone while no record comes', async () => {
    const world = await aStream();
    await world.put(texts('a', 5));
    await world.refresh();
    await world.client.createCheckpoint({
      ...{ streamName: STREAM, appName: APP, partitionId: 0 },
      ...{ sequenceNumber: 2n, metadata: 'mine' },
    });

    await world.refresh();

    expect(await world.checkpoint()).toBe(2n);
  });
});

describe('one app for one pipeline', () => {
  it('a second pipeline of the installation that uses it on the stream is refused, until the first is gone', async () => {
    const { server, client, time, credential } = await aServer();
    await client.createStream({ name: STREAM, partitionCount: 1 });
    await put(client, ['x']);
    const world = newWorld({ credentials: { secret: 'dis' }, credential, from: drains(server, time), time });
    await world.refresh();
    const { claimSource } = await import('../../../../shared/refresh/claim-source.ts');
    const deps = world.deps();
    const second = { ...world.pipeline, name: 'second' };
    const pipelines = (...known: (typeof world.pipeline)[]) => ({
      names: async () => known.map(({ name }) => name),
      get: async (name: string) => known.find((one) => one.name === name) ?? deps.pipelines.get(`no ${name}`),
    });
    const both = { ...deps, pipelines: pipelines(world.pipeline, second) };

    const refused = claimSource(second, {}, both);

    await expect(refused).rejects.toMatchObject({
      code: 'ExclusiveUse',
      message: expect.stringContaining('pipeline p since'),
    });
    const moved = { ...world.pipeline, source: drains(server, time, { app: 'other' }) };
    await expect(claimSource(second, {}, { ...deps, pipelines: pipelines(moved, second) })).resolves.toMatchObject({
      pipeline: 'second',
    });
    await expect(claimSource(world.pipeline, {}, both)).rejects.toMatchObject({ code: 'ExclusiveUse' });
  });

  it('a refresh that finds it taken fails, and reads nothing', async () => {
    const world = await aStream();
    await world.put(['x']);
    const { exclusive } = world.pipeline.source;
    await world.runs.claim(exclusive!, 'another', {}, 0 as never);
    const { get } = world.deps().pipelines;
    const world2 = world as unknown as { deps: DisWorld['deps'] };
    const deps = world2.deps.bind(world);
    world2.deps = (process) => ({
      ...deps(process),
      pipelines: { names: async () => ['another', PIPELINE], get: async () => get(PIPELINE) },
    });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'ExclusiveUse' } });
    expect(asks(world, 'getDataCursor', 'createCheckpoint')).toEqual([]);
  });

  it('another installation is refused by what the checkpoints say, also with a pipeline of the same name', async () => {
    const { server, client, time, credential } = await aServer();
    await client.createStream({ name: STREAM, partitionCount: 1 });
    await put(client, ['x']);
    const options = { credentials: { secret: 'dis' }, credential, time };
    const one = newWorld({ ...options, from: drains(server, time) });
    await one.refresh();
    const other = newWorld({ ...options, from: drains(server, time) });
    const { id } = await other.runs.claim('burns the first id', 'x', {}, 0 as never);

    const run = await other.refresh();

    expect(id).not.toBe('');
    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'DisAppInUse' } });
    expect(run.error!.message).toContain('another installation');
    const third = newWorld({ ...options, from: drains(server, time, { app: 'third' }) });
    expect((await third.refresh()).state).toBe('SUCCEEDED');
  });
});

describe('scaling', () => {
  it('is followed: new partitions are read, deleted ones to their end', async () => {
    const world = await aStream();
    await world.put(texts('a', 3));
    await world.refresh();
    await world.client.updateStreamPartition(STREAM, 3);
    await world.put(texts('b', 7), 1);
    await world.put(texts('c', 7), 2);
    await world.client.updateStreamPartition(STREAM, 1);

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(await shownOf(world, 1)).toEqual(texts('b', 7));
    expect(await shownOf(world, 2)).toEqual(texts('c', 7));
    expect(await world.checkpoint(2)).toBe(6n);
  });

  it('a partition that comes back goes on where it was', async () => {
    const world = await aStream({ partitions: 2 });
    await world.put(texts('b', 2), 1);
    await world.refresh();
    await world.client.updateStreamPartition(STREAM, 1);
    await world.refresh();
    await world.client.updateStreamPartition(STREAM, 2);
    await world.put(texts('b', 2, 2), 1);

    await world.refresh();

    expect(await shownOf(world, 1)).toEqual(texts('b', 4));
  });

  it('what has landed of an expired partition stays', async () => {
    const world = await aStream({ partitions: 2 });
    await world.put(texts('b', 2), 1);
    await world.refresh();
    await world.client.updateStreamPartition(STREAM, 1);
    world.time.advance(days(5));
    await world.server.settle();

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 0 } });
    expect(run.warnings).toBeUndefined();
    expect(await shownOf(world, 1)).toEqual(texts('b', 2));
  });

  it('also if the service lists it no more', async () => {
    const world = await aStream({ partitions: 2 });
    await world.put(texts('b', 2), 1);
    await world.refresh();
    const { streamId, partitions } = await world.client.getStream(STREAM);
    const { partitionId, sequenceNumberRange } = partitions![0]!;
    const left = { status: 'ACTIVE', partition_id: partitionId };
    const body = {
      stream_id: streamId!,
      stream_name: STREAM,
      status: 'RUNNING',
      partitions: [{ ...left, sequence_number_range: sequenceNumberRange! }],
    };
    world.server.faults.add({ route: 'getStream', fault: 'reply', body, times: 9 });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 0 } });
    expect(await shownOf(world, 1)).toEqual(texts('b', 2));
  });
});

describe('a stream that was deleted and made anew', () => {
  it('begins a generation: it is read from its start, and replaces the old one once it has landed', async () => {
    const world = await aStream({ dis: { from: 'latest' } });
    await world.refresh();
    await world.put(texts('old', 8));
    await world.refresh();
    await world.client.deleteStream(STREAM);
    await world.client.createStream({ name: STREAM, partitionCount: 1 });
    await world.put(texts('new', 3));

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(await shownOf(world)).toEqual(texts('new', 3));
    expect(await world.checkpoint()).toBe(2n);
  });

  it('fails what was still to be read of the old one, and reads nothing of the new one in its place', async () => {
    const world = await aStream();
    await world.put(texts('old', 8));
    await world.start();
    for (let lists = 0; lists < 2; lists++) await world.step();
    await world.client.deleteStream(STREAM);
    await world.client.createStream({ name: STREAM, partitionCount: 1 });
    await world.put(texts('new', 8));

    await world.work();

    expect(await world.record(1)).toMatchObject({ state: 'PARTIAL', totals: { failed: 2, partitions: 0 } });
    const [range] = [...(await world.items(partitionName(0))).values()];
    expect(range).toMatchObject({ failed: true, error: { code: 'SourceChanged' } });
    expect(await world.checkpoint()).toBe(-1n);
    await world.refresh();
    expect(await shownOf(world)).toEqual(texts('new', 8));
    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });

  it('while it is made, nothing is removed', async () => {
    const world = await aStream();
    await world.put(['x']);
    await world.refresh();
    world.server.faults.add({
      route: 'getStream',
      fault: 'reply',
      body: { stream_id: 'anew', stream_name: STREAM, status: 'CREATING', partitions: [] },
    });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { removed: 0 } });
    expect(await shownOf(world)).toEqual(['x']);
  });

  it('a partition that ends before our position, under the same id, changes nothing', async () => {
    const world = await aStream();
    await world.put(texts('a', 5));
    await world.refresh();
    const { streamId } = await world.client.getStream(STREAM);
    const partition = { partition_id: partitionName(0), status: 'ACTIVE', sequence_number_range: '[0 : 2]' };
    const body = { stream_id: streamId!, stream_name: STREAM, status: 'RUNNING', partitions: [partition] };
    world.server.faults.add({ route: 'getStream', fault: 'reply', body, times: 99 });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { failed: 1 } });
    expect((await world.node(partitionName(0)))?.error).toMatchObject({ code: 'DisStreamRewound' });
    expect(await shownOf(world)).toEqual(texts('a', 5));
    world.server.faults.clear();
    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });
});

describe('records that aged out before they were read', () => {
  it('are reported exactly, in the run and with what has landed; the rest lands', async () => {
    const world = await aStream();
    await world.put(texts('a', 2));
    await world.refresh();
    await world.put(texts('a', 3, 2));
    world.time.advance(hours(20));
    await world.put(texts('b', 4));
    world.time.advance(hours(10));

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!]).toEqual([
      `lost: records 2 to 4 of partition ${partitionName(0)} of s aged out before they were read`,
    ]);
    expect(await rangesOf(world)).toEqual(['0-1', '2-8']);
    expect(await factsOf(world, '2-8')).toEqual({ lost: [{ from: '2', to: '5' }] });
    expect(await shownOf(world)).toEqual([...texts('a', 2), ...texts('b', 4)]);
    expect(await world.checkpoint()).toBe(8n);
    expect((await world.refresh()).warnings).toBeUndefined();
  });

  it('all of them: an empty landing, and reading goes on behind', async () => {
    const world = await aStream();
    await world.put(['seen']);
    await world.refresh();
    await world.put(texts('a', 7));
    world.time.advance(days(3));

    const run = await world.refresh();

    expect([...run.warnings!].join()).toContain('records 1 to 7');
    expect(await shownOf(world)).toEqual(['seen']);
    await world.put(['after']);
    await world.refresh();
    expect(await shownOf(world)).toEqual(['seen', 'after']);
    expect(await world.checkpoint()).toBe(8n);
  });

  it('after they were planned', async () => {
    const world = await aStream();
    await world.put(texts('a', 3));
    world.time.advance(hours(20));
    await world.put(texts('b', 9));
    await world.start();
    for (let lists = 0; lists < 2; lists++) await world.step();
    world.time.advance(hours(10));

    await world.work();

    const run = await world.record(1);
    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!].join()).toContain('records 0 to 2');
    expect(await factsOf(world, '0-4')).toEqual({ lost: [{ from: '0', to: '3' }] });
    expect(await factsOf(world, '5-9')).toBeUndefined();
    expect(await shownOf(world)).toEqual(texts('b', 9));
  });

  it('with their partition, up to where it was seen', async () => {
    const world = await aStream({ partitions: 2 });
    await world.put(texts('b', 6), 1);
    await world.start();
    for (let lists = 0; lists < 3; lists++) await world.step();
    await world.client.updateStreamPartition(STREAM, 1);
    world.time.advance(days(5));
    await world.server.settle();

    await world.work();

    const run = await world.record(1);
    expect(run.state).toBe('SUCCEEDED');
    expect([...run.warnings!].sort()).toEqual([
      expect.stringContaining(`records 0 to 4 of partition ${partitionName(1)}`),
      expect.stringContaining(`records 5 to 5 of partition ${partitionName(1)}`),
    ]);
    expect(await rangesOf(world, 1)).toEqual(['0-4', '5-5']);
  });
});

describe('reading a range', () => {
  it('goes on in another invocation from where it was', async () => {
    const world = await aStream({
      dis: { recordsPerRange: 1000, maxFetchBytes: 2000 },
      functionMs: 300_000,
      sizes: { segmentBytes: 1000 },
    });
    await world.put(Array.from({ length: 60 }, (_, at) => `${at} ${'x'.repeat(300)}`));
    const download = world.server.calls.length;
    let asked = 0;
    world.faults = () => {
      const now = asks(world, 'downloadData').length;
      if (now > asked) world.time.advance(30_000 * (now - asked));
      asked = now;
      return undefined;
    };

    const run = await world.refresh();

    expect(world.server.calls.length).toBeGreaterThan(download);
    expect(run.state).toBe('SUCCEEDED');
    expect(world.handled.filter((step) => step === 'read-bytes').length).toBeGreaterThan(1);
    expect((await shownOf(world)).map((text) => Number(text.split(' ')[0]))).toEqual([...Array(60).keys()]);
    const [landed] = [...(await world.manifest()).values()];
    expect(landed!.objects.length).toBeGreaterThan(1);
    expect(landed!.rows).toBe(60);
  });

  it('holds two answers at most: the one that is used, and the one that is asked for', async () => {
    const world = await aStream({ dis: { recordsPerRange: 1000, maxFetchBytes: 2000 } });
    await world.put(Array.from({ length: 60 }, () => 'x'.repeat(300)));
    await world.start();
    for (let lists = 0; lists < 2; lists++) await world.step();
    const [range] = [...(await world.items(partitionName(0))).values()];
    const { signal } = new AbortController();
    const { connector, context } = await world.deps().connectors.open(world.pipeline, signal);
    const run = { signal, checkpoint: async () => {} } as unknown as ReadRun;
    const chunks = (connector as BytesConnector).readBytes(context, range!.metadata as never, run) as AsyncGenerator;

    for (const taken of [1, 2, 3]) {
      await chunks.next();
      await wait(20);
      expect(asks(world, 'downloadData').length).toBeLessThanOrEqual(taken + 1);
    }
    await chunks.return(undefined);
  });

  it('renews a cursor that is too old', async () => {
    const world = await aStream({ dis: { maxFetchBytes: 30 } });
    await world.put(texts('a', 5));
    world.faults = (call) => {
      if (call.port === 'objects' && call.method === 'write') world.time.advance(280_000);
      return undefined;
    };

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(await shownOf(world)).toEqual(texts('a', 5));
  });

  it('fetches more where a record is larger than an answer', async () => {
    const world = await aStream({ dis: { maxFetchBytes: 10 } });
    const large = 'x'.repeat(100_000);
    await world.put(['small', large, 'small again']);

    await world.refresh();

    expect(await shownOf(world)).toEqual(['small', large, 'small again']);
  });

  it('is tried again when the service is away or throttles, and fails when records that are due do not come', async () => {
    const world = await aStream({ retries: 1 });
    await world.put(['x']);
    world.server.faults.add({ route: 'downloadData', fault: 'gateway-error', times: 5 });
    expect((await world.refresh()).state).toBe('SUCCEEDED');
    world.server.faults.clear();
    await world.put(['y']);
    world.server.faults.add({ route: 'downloadData', fault: 'no-records', times: 99 });

    expect((await world.refresh()).state).toBe('PARTIAL');
    const [, range] = [...(await world.items(partitionName(0))).values()];
    expect(range).toMatchObject({ failed: true, error: { code: 'DisStalledRead' } });
    world.server.faults.clear();
    await world.refresh();
    expect(await shownOf(world)).toEqual(['x', 'y']);
  });
});

describe('framing', () => {
  const records = [
    { data: 'plain', partitionId: 0, partitionKey: 'k "1"' },
    { data: Buffer.from([0xff, 0x00, 0x0a]), partitionId: 0 },
    { data: '\u00e9\n', partitionId: 0 },
  ];
  const timestamp = Date.parse('2026-01-01T00:00:00Z');
  const landed = async (framing: Parameters<typeof drains>[2] & object) => {
    const world = await aStream({ dis: framing });
    await world.client.uploadData(STREAM, { records });
    await world.refresh();
    const [entry] = [...(await world.manifest()).values()];
    return { bytes: world.objects.bytes(entry!.objects[0]!.key)!, rows: entry!.rows };
  };
  const lines = (bytes: Uint8Array) =>
    Buffer.from(bytes)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('ndjson: number, key, time, and the data as base64', async () => {
    const { bytes, rows } = await landed({});

    expect(rows).toBe(3);
    expect(lines(bytes)).toEqual([
      { sequenceNumber: '0', partitionKey: 'k "1"', timestamp, data: 'cGxhaW4=' },
      { sequenceNumber: '1', timestamp, data: '/wAK' },
      { sequenceNumber: '2', timestamp, data: 'w6kK' },
    ]);
  });

  it('ndjson with text: bytes that are no UTF-8 stay base64, under another name', async () => {
    const { bytes } = await landed({ framing: { as: 'ndjson', data: 'text' } });

    expect(lines(bytes)).toEqual([
      { sequenceNumber: '0', partitionKey: 'k "1"', timestamp, data: 'plain' },
      { sequenceNumber: '1', timestamp, base64: '/wAK' },
      { sequenceNumber: '2', timestamp, data: '\u00e9\n' },
    ]);
  });

  it('raw: the bytes, with a delimiter behind each record', async () => {
    const { bytes } = await landed({ framing: { as: 'raw', delimiter: '--' } });

    const [delimiter, middle] = [Buffer.from('--'), Buffer.from([0xff, 0x00, 0x0a])];
    const all = [Buffer.from('plain'), delimiter, middle, delimiter, Buffer.from('\u00e9\n'), delimiter];
    expect(Buffer.from(bytes)).toEqual(Buffer.concat(all));
  });

  it('length-prefixed: four bytes of length before each', async () => {
    const { bytes } = await landed({ framing: 'length-prefixed' });

    const found: Buffer[] = [];
    const buffer = Buffer.from(bytes);
    for (let at = 0; at < buffer.length; ) {
      const length = buffer.readUInt32BE(at);
      found.push(buffer.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    expect(found).toEqual([Buffer.from('plain'), Buffer.from([0xff, 0x00, 0x0a]), Buffer.from('\u00e9\n')]);
  });
});

describe('two workers', () => {
  it('do not land a range twice', async () => {
    const world = await aStream();
    await world.put(texts('a', 10));
    await world.start();
    for (let lists = 0; lists < 2; lists++) await world.step();
    const { queue, message } = (await world.receive())!;

    // The sweep may have sent the group again.
    await world.queues.send(queue, [{ body: message.body, group: PIPELINE }]);
    const again = (await world.receive())!;
    const ends = await Promise.all([world.invoke(queue, [message]), world.invoke(queue, [again.message])]);
    const read = asks(world, 'getDataCursor').length;
    await world.work();
    await world.invoke(queue, [message]);

    expect(queue).toBe('read-bytes');
    expect(ends).toEqual(['done', 'done']);
    expect(read).toBe(2);
    expect(world.violations).toEqual([]);
    expect(await shownOf(world)).toEqual(texts('a', 10));
  });

  it('that both read it, since the first came back from the dead: one landing is committed', async () => {
    const world = await aStream();
    await world.put(texts('a', 5));
    await world.start();
    for (let lists = 0; lists < 2; lists++) await world.step();
    const { queue, message } = (await world.receive())!;
    const slow = world.process('read-bytes');
    const { promise, resolve } = Promise.withResolvers<void>();
    const { promise: uploaded, resolve: hasUploaded } = Promise.withResolvers<void>();
    world.faults = (call) => {
      if (isUpload(call) && !slow.dead) {
        slow.turn = () => {
          hasUploaded();
          return promise;
        };
      }
      return undefined;
    };
    const first = world.invoke(queue, [message], slow);
    await uploaded;
    world.faults = () => undefined;
    world.time.advance(hours(1));
    await world.sweep();
    await world.work();
    resolve();
    await first;
    await world.refresh();

    expect(world.violations).toEqual([]);
    expect(await shownOf(world)).toEqual(texts('a', 5));
    expect(await world.checkpoint()).toBe(4n);
  });
});

describe('a process that dies', () => {
  it('at any write: nothing is lost, nothing lands twice, and the checkpoint is never ahead of the landed bytes', async () => {
    const scenario = async () => {
      const world = await aStream({ partitions: 2 });
      await world.put(texts('a', 3), 0);
      await world.refresh();
      await world.put(texts('a', 9, 3), 0);
      await world.put(texts('b', 4), 1);
      return world;
    };
    const counting = await scenario();
    let writes = 0;
    counting.faults = (call) => {
      if (isWrite(call) && call.step !== 'test') writes += 1;
      return undefined;
    };
    await counting.refresh();
    expect(writes).toBeGreaterThan(20);

    for (let at = 1; at <= writes; at++) {
      const world = await scenario();
      const fault = at % 3 === 0 ? 'fail after' : at % 3 === 1 ? 'kill after' : 'kill before';
      world.faults = once(fault, (call) => isWrite(call) && call.step !== 'test', at);
      const ahead = watchCheckpoints(world);

      const run = await world.refresh();

      expect(run, `${fault} ${at}`).toMatchObject({ state: 'SUCCEEDED' });
      expect(await shownOf(world, 0), `${fault} ${at}`).toEqual(texts('a', 12));
      expect(await shownOf(world, 1), `${fault} ${at}`).toEqual(texts('b', 4));
      expect(world.violations).toEqual([]);
      await world.refresh();
      expect([await world.checkpoint(0), await world.checkpoint(1)], `${fault} ${at}`).toEqual([11n, 3n]);
      expect(ahead()).toEqual([]);
    }
  }, 60_000);
});

/** Whenever a position is told: all that it covers has landed. @returns what was ahead */
function watchCheckpoints(world: DisWorld): () => readonly string[] {
  const ahead: string[] = [];
  const { connector } = world.pipeline.source;
  const tell = connector.acknowledge!;
  Object.assign(connector, {
    acknowledge: async (context: never, node: Acknowledgement) => {
      const { next } = (node.position ?? {}) as { next?: string };
      const items = next === undefined ? [] : (await world.items(String(node.path[0]))).values();
      for (const { name, landed } of items) {
        const last = BigInt(name.split('-')[1]!);
        if (last < BigInt(next!) && !landed) ahead.push(`${node.path[0]} told ${next} before ${name} landed`);
      }
      return tell(context, node);
    },
  });
  return () => ahead;
}
