import { describe, expect, expectTypeOf, it } from 'vitest';
import * as maxcompute from '../../../../shared/clients/maxcompute/index.ts';
import { World } from './harness.ts';

const exported: Readonly<Record<string, unknown>> = { ...maxcompute };

type All<T extends string> = Record<T, unknown>;

/** The checklist of the seed reference: every class, enum and field under its own name in our casing. */
describe('seed coverage', () => {
  it.each([
    ['Status', { INIT: 'INIT', OK: 'OK', WAIT: 'WAIT', RUNNING: 'RUNNING' }],
    [
      'SessionStatus',
      {
        ...{ INIT: 'INIT', NORMAL: 'NORMAL', CRITICAL: 'CRITICAL', EXPIRED: 'EXPIRED' },
        ...{ COMMITTING: 'COMMITTING', COMMITTED: 'COMMITTED' },
      },
    ],
    ['Compression', { UNCOMPRESSED: 0, ZSTD: 1, LZ4_FRAME: 2 }],
    ['SplitMode', { SIZE: 'Size', PARALLELISM: 'Parallelism', ROW_OFFSET: 'RowOffset', BUCKET: 'Bucket' }],
    ['TimestampUnit', { SECOND: 'second', MILLI: 'milli', MICRO: 'micro', NANO: 'nano' }],
    ['ChecksumType', { NONE: 0, CRC32: 1, MD5: 2 }],
  ] as const)('enum %s', (name, members) => {
    expect(exported[name]).toMatchObject(members);
  });

  it('names of codecs', () => {
    expect(Object.values(maxcompute.Compression).map(maxcompute.toCompressionName)).toEqual([null, 'zstd', 'lz4']);
  });

  it.each([
    ['createReadSession'],
    ['getReadSession'],
    ['readRowsStream'],
    ['previewTable'],
    ['createWriteSession'],
    ['getWriteSession'],
    ['getMinUncommittedStagingId'],
    ['commitWriteSession'],
    ['abortWriteSession'],
    ['createWriteStream'],
    ['getWriteStream'],
    ['getWriteSchema'],
    ['writeRowsStream'],
    ['closeWriteStream'],
    ['writeBlobStream'],
    ['writeBlobBatch'],
    ['readBlobs'],
  ] as const)('action %s', (method) => {
    expect(new World(() => undefined).table[method]).toBeTypeOf('function');
  });

  it('BlobWriteItem, with its fields, serialize, writeFrameTo and writeBlobs', () => {
    const item = new maxcompute.BlobWriteItem(Buffer.of(1));

    expect(item).toMatchObject({
      data: Buffer.of(1),
      partitionValues: [],
      columnIndex: 0,
      distributionKey: undefined,
      mimeType: undefined,
      checksumType: maxcompute.ChecksumType.NONE,
      size: 1,
    });
    expect(item.serialize).toBeTypeOf('function');
    expect(item.writeFrameTo).toBeTypeOf('function');
    expect(maxcompute.BlobWriteItem.writeBlobs([])).toEqual(Buffer.alloc(0));
  });

  it('models of requests, with their fields', () => {
    expectTypeOf<Required<maxcompute.SplitOptions>>().toExtend<
      All<'splitMode' | 'splitUnit' | 'splitNumber' | 'crossPartition'>
    >();
    expectTypeOf<Required<maxcompute.ArrowOptions>>().toExtend<All<'timestampUnit' | 'dateTimeUnit'>>();
    expectTypeOf<maxcompute.DataFormat>().toExtend<All<'type' | 'version'>>();
    expectTypeOf<Required<maxcompute.IncrementalReadOptions>>().toExtend<
      All<'mode' | 'startTimeStamp' | 'endTimeStamp' | 'startVersion' | 'endVersion'>
    >();
    expectTypeOf<Required<maxcompute.CreateReadSessionRequest>>().toExtend<
      All<
        | ('requiredDataColumns' | 'requiredPartitionColumns' | 'requiredPartitions' | 'requiredBucketIds')
        | ('splitOptions' | 'arrowOptions' | 'filterPredicate' | 'filterPredicateFallback' | 'splitMaxFileNum')
        | ('incrementalRead' | 'incrementalReadOptions')
      >
    >();
    expectTypeOf<Required<maxcompute.CreateWriteSessionRequest>>().toExtend<All<'partialPartitionSpec' | 'flags'>>();
    expectTypeOf<Required<maxcompute.ReadStreamRequest>>().toExtend<
      All<
        | ('sessionId' | 'splitIndex' | 'rowOffset' | 'rowCount' | 'maxBatchRows' | 'skipRowNum')
        | ('maxBatchRawSize' | 'dataFormat' | 'dataColumns' | 'compression')
      >
    >();
    expectTypeOf<Required<maxcompute.CreateWriteStreamRequest>>().toExtend<
      All<'sessionId' | 'streamId' | 'streamVersion' | 'exactlyOnceMode'>
    >();
    expectTypeOf<Required<maxcompute.WriteStreamRequest>>().toExtend<
      All<'sessionId' | 'streamId' | 'streamVersion' | 'recordCount' | 'compression' | 'rowOffset' | 'accessToken'>
    >();
    expectTypeOf<Required<maxcompute.CloseWriteStreamRequest>>().toExtend<
      All<'sessionId' | 'streamId' | 'streamVersion'>
    >();
    expectTypeOf<Required<maxcompute.PreviewTableRequest>>().toExtend<All<'limit' | 'partition' | 'columns'>>();
    expectTypeOf<Required<maxcompute.WriteBlobRequest>>().toExtend<
      All<'sessionId' | 'streamId' | 'streamVersion' | 'partitionValues' | 'columnIndex'>
    >();
    expectTypeOf<maxcompute.ReadBlobRequest>().toExtend<All<'blobReferences'>>();
  });

  it('models of replies, with their fields', () => {
    expectTypeOf<maxcompute.Column>().toExtend<All<'name' | 'type' | 'comment' | 'nullable'>>();
    expectTypeOf<maxcompute.DataSchema>().toExtend<All<'dataColumns' | 'partitionColumns'>>();
    expectTypeOf<maxcompute.SessionStats>().toExtend<All<'estimatedSize' | 'estimatedRowCount'>>();
    expectTypeOf<maxcompute.CreateReadSessionResponse>().toExtend<
      All<
        | ('sessionId' | 'downloadId' | 'sessionStatus' | 'status' | 'sessionType' | 'expirationTime')
        | ('splitsCount' | 'recordCount' | 'dataSchema' | 'supportedDataFormat' | 'splitMode' | 'splitBucketId')
        | ('sessionStats' | 'latestVersion' | 'message' | 'enableLargeString' | 'incrementalReadOptions')
        | ('requestId' | 'routeToken')
      >
    >();
    expectTypeOf<maxcompute.CreateWriteSessionResponse>().toExtend<
      All<'sessionId' | 'warningMessage' | 'requestId' | 'routeToken'>
    >();
    expectTypeOf<maxcompute.GetWriteSessionResponse>().toExtend<
      All<'streams' | 'warningMessage' | 'requestId' | 'routeToken'>
    >();
    expectTypeOf<maxcompute.GetWriteStreamResponse>().toExtend<
      All<
        | ('status' | 'recordCount' | 'byteSize' | 'errorCode' | 'errorMessage' | 'latestSchemaVersion')
        | ('rowOffset' | 'accessToken' | 'requestId' | 'routeToken')
      >
    >();
    expectTypeOf<maxcompute.CreateWriteStreamResponse>().toExtend<
      All<'dataSchema' | 'tableId' | 'schemaVersion' | 'accessToken' | 'requestId' | 'routeToken'>
    >();
    expectTypeOf<maxcompute.CloseWriteStreamResponse>().toExtend<All<'warningMessage' | 'requestId'>>();
    expectTypeOf<maxcompute.WriteStreamResponse>().toExtend<All<'warningMessage' | 'exactlyOnceRowOffset'>>();
    expectTypeOf<maxcompute.WriteBlobResponse>().toExtend<
      All<'blobReference' | 'blobReferences' | 'warningMessage' | 'size' | 'requestId'>
    >();
  });
});
