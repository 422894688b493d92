import { describe, expect, expectTypeOf, it } from 'vitest';
import * as dis from '../../../../shared/clients/dis/index.ts';
import { World } from './harness.ts';

/** The checklist of the seed reference: every method under its own name in our casing. */
describe('seed coverage', () => {
  it.each([
    ['create_app', 'createApp'],
    ['apps', 'apps'],
    ['get_app', 'getApp'],
    ['app_consumptions', 'appConsumptions'],
    ['delete_app', 'deleteApp'],
    ['create_checkpoint', 'createCheckpoint'],
    ['get_checkpoint', 'getCheckpoint'],
    ['delete_checkpoint', 'deleteCheckpoint'],
    ['upload_data', 'uploadData'],
    ['download_data', 'downloadData'],
    ['get_data_cursor', 'getDataCursor'],
    ['create_dump_task', 'createDumpTask'],
    ['dump_tasks', 'dumpTasks'],
    ['delete_dump_task', 'deleteDumpTask'],
    ['get_dump_task', 'getDumpTask'],
    ['start_dump_task', 'startDumpTask'],
    ['pause_dump_task', 'pauseDumpTask'],
    ['streams', 'streams'],
    ['get_stream', 'getStream'],
    ['create_stream', 'createStream'],
    ['delete_stream', 'deleteStream'],
    ['update_stream_partition', 'updateStreamPartition'],
  ] as const)('%s is %s', (_seed, method) => {
    expect(new World(() => ({})).client[method]).toBeTypeOf('function');
  });

  it('ResourceNotFound is NotFoundError', () => {
    expect(dis.NotFoundError.prototype).toBeInstanceOf(dis.RefusedError);
  });

  it('the types are there under their names', () => {
    expectTypeOf<dis.Stream>().toHaveProperty('isAutoScaleEnabled');
    expectTypeOf<dis.App>().toHaveProperty('commitCheckpointStreamNames');
    expectTypeOf<dis.AppConsumption>().toHaveProperty('latestOffset');
    expectTypeOf<dis.Checkpoint>().toEqualTypeOf<{ readonly sequenceNumber: bigint; readonly metadata: string }>();
    expectTypeOf<dis.DumpTask>().toHaveProperty('obsDestinationDescription');
    expectTypeOf<dis.DataCursor>().toEqualTypeOf<{ readonly partitionCursor: string }>();
    expectTypeOf<dis.DownloadedData>().toHaveProperty('nextPartitionCursor');
    expectTypeOf<dis.UploadedData>().toHaveProperty('failedRecordCount');
    expectTypeOf<dis.DisRecord['sequenceNumber']>().toEqualTypeOf<bigint>();
  });
});
