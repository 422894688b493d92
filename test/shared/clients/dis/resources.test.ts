import { describe, expect, it } from 'vitest';
import { camelCase } from '../../../../shared/clients/dis/names.ts';
import { collect } from '../../../support/client-calls.ts';
import { fixture, World } from './harness.ts';

interface Resource {
  readonly collection_key?: string;
  readonly rename?: Readonly<Record<string, string>>;
  readonly example?: Readonly<Record<string, unknown>>;
}

const { resources } = fixture<{ resources: Record<string, Resource> }>('resources');

/** The names of a resource's attributes in our casing; what pages are told by is not among them. */
function namesOf(resource: string): string[] {
  const { rename = {}, example = {} } = resources[resource]!;
  const paging = ['has_more_partitions'];
  return Object.keys(example)
    .filter((name) => !paging.includes(name))
    .map((name) => camelCase(rename[name] ?? name));
}

const answering = (resource: string) => new World(() => ({ body: resources[resource]!.example }));

describe('attributes have the names of the reference client', () => {
  it('Stream', async () => {
    const stream = await answering('Stream').client.getStream('newstream');

    expect(Object.keys(stream).sort()).toEqual(namesOf('Stream').sort());
    expect(stream).toMatchObject({
      streamId: '8QM3Nt9YTLOwtUVYJhO',
      name: 'newstream',
      createdAt: 1593569685875,
      updatedAt: 1599050091026,
      isAutoScaleEnabled: false,
      partitions: [{ oldestSequenceNumber: 289911n, nextSequenceNumber: 289927n }],
    });
  });

  it('App', async () => {
    const app = await answering('App').client.getApp('newapp');

    expect(Object.keys(app).sort()).toEqual(namesOf('App').sort());
    expect(app.commitCheckpointStreamNames).toEqual(['newstream']);
  });

  it('DumpTask', async () => {
    const task = await answering('DumpTask').client.getDumpTask('test-dis', 'test-dump-task');

    expect(Object.keys(task).sort()).toEqual([...new Set(namesOf('DumpTask'))].sort());
    expect(task).toMatchObject({
      status: 'RUNNING',
      streamId: 'bxdSOIEYPwJdSlAqq5z',
      obsDestinationDescription: { agencyName: 'dis_admin_agency', recordDelimiter: '\n', retryDuration: 0 },
      partitions: [
        { partitionId: 'shardId-0000000000', lastTransferOffset: 0n, discard: 0 },
        { partitionId: 'shardId-0000000001', lastTransferOffset: 0n, discard: 0 },
      ],
    });
  });

  it('a stream list of an older server has the names alone', async () => {
    const world = new World(() => ({ body: { stream_names: ['a', 'b'], has_more_streams: false } }));

    expect(await collect(world.client.streams())).toEqual([{ name: 'a' }, { name: 'b' }]);
  });

  it('an empty text counts as absent', async () => {
    const world = new World(() => ({ body: { stream_name: 's', data_schema: '', compression_format: null } }));

    expect(await world.client.getStream('s')).toEqual({ name: 's' });
  });

  it('other destinations of a dump task are passed on as they are', async () => {
    const world = new World(() => ({}));
    const descriptor = { dli_database_name: 'd', options: { fill_missing_fields: true } };

    await world.client.createDumpTask('s', { destinationType: 'DLI', dliDestinationDescriptor: descriptor });

    expect(world.sent[0]!.body).toEqual({ destination_type: 'DLI', dli_destination_descriptor: descriptor });
  });
});
