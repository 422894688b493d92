import { isObject } from '../../core/json.ts';
import { fieldsOf, listOf, type Page, present } from './fields.ts';

// Streams, by the attribute names of the reference Python client in our casing. Times are milliseconds since 1970. What the
// service left out is absent.

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface Stream {
  readonly streamId?: string;
  readonly name: string;
  readonly createdAt?: number;
  readonly updatedAt?: number;
  /** Hours. */
  readonly retentionPeriod?: number;
  /** `CREATING`, `RUNNING`, `TERMINATING`, `FROZEN`. */
  readonly status?: string;
  /** `COMMON` or `ADVANCED`. */
  readonly streamType?: string;
  /** `BLOB`, `JSON` or `CSV`. */
  readonly dataType?: string;
  readonly dataSchema?: string;
  readonly csvProperties?: { readonly delimiter?: string };
  readonly compressionFormat?: string;
  /** Of a list only. */
  readonly partitionCount?: number;
  /** ACTIVE ones. Of `getStream` only, as what follows. */
  readonly writablePartitionCount?: number;
  /** ACTIVE and DELETED ones. */
  readonly readablePartitionCount?: number;
  /** All of them, in the order of the service. */
  readonly partitions?: readonly Partition[];
  readonly updatePartitionCounts?: readonly PartitionCountChange[];
  readonly tags?: readonly Tag[];
  readonly sysTags?: readonly Tag[];
  readonly isAutoScaleEnabled?: boolean;
  readonly autoScaleMinPartitionCount?: number;
  readonly autoScaleMaxPartitionCount?: number;
}

export interface Partition {
  readonly partitionId: string;
  /** `CREATING`, `ACTIVE` (written and read), `DELETED` (only read), `EXPIRED`. */
  readonly status: string;
  /** As the service writes it: `[low : high]`. */
  readonly hashRange?: string;
  /** As the service writes it: `[oldest : next]`. */
  readonly sequenceNumberRange?: string;
  /** The same as numbers: of the oldest readable record, and of the one that will be written next. */
  readonly oldestSequenceNumber?: bigint;
  readonly nextSequenceNumber?: bigint;
  readonly parentPartitions?: string;
}

/** A scaling that was done, or tried. */
export interface PartitionCountChange {
  readonly createTimestamp?: number;
  readonly srcPartitionCount?: number;
  readonly targetPartitionCount?: number;
  readonly resultCode?: number;
  readonly resultMsg?: string;
  readonly autoScale?: boolean;
}

export function parseStreams(body: unknown): Page<Stream> {
  const fields = fieldsOf(body, 'the list of streams');
  const names = fields.list('stream_names').filter((name) => typeof name === 'string');
  // Older servers give the names alone.
  const infos = fields.list('stream_info_list');
  const items = infos.length > 0 ? infos.map(parseStream) : names.map((name) => ({ name }));
  const last = names.at(-1) ?? items.at(-1)?.name;
  return { items, next: fields.flag('has_more_streams') ? last : undefined };
}

export function parseStream(body: unknown): Stream {
  const fields = fieldsOf(body, 'the stream');
  const csv = fields.raw('csv_properties');
  return present({
    streamId: fields.text('stream_id'),
    name: fields.needText('stream_name'),
    createdAt: fields.integer('create_time'),
    updatedAt: fields.integer('last_modified_time'),
    retentionPeriod: fields.integer('retention_period'),
    status: fields.text('status'),
    streamType: fields.text('stream_type'),
    dataType: fields.text('data_type'),
    dataSchema: fields.text('data_schema'),
    csvProperties: isObject(csv)
      ? present({ delimiter: fieldsOf(csv, 'csv_properties').text('delimiter') })
      : undefined,
    compressionFormat: fields.text('compression_format'),
    partitionCount: fields.integer('partition_count'),
    writablePartitionCount: fields.integer('writable_partition_count'),
    readablePartitionCount: fields.integer('readable_partition_count'),
    partitions: listOf(fields, 'partitions', parsePartition),
    updatePartitionCounts: listOf(fields, 'update_partition_counts', parseCountChange),
    tags: listOf(fields, 'tags', parseTag),
    sysTags: listOf(fields, 'sys_tags', parseTag),
    isAutoScaleEnabled: fields.flag('auto_scale_enabled'),
    autoScaleMinPartitionCount: fields.integer('auto_scale_min_partition_count'),
    autoScaleMaxPartitionCount: fields.integer('auto_scale_max_partition_count'),
  });
}

export function hasMorePartitions(body: unknown): boolean {
  return fieldsOf(body, 'the stream').flag('has_more_partitions') ?? false;
}

function parsePartition(entry: unknown): Partition {
  const fields = fieldsOf(entry, 'a partition');
  const sequenceNumberRange = fields.text('sequence_number_range');
  const [oldest, next] = rangeOf(sequenceNumberRange);
  return present({
    partitionId: fields.needText('partition_id'),
    status: fields.text('status') ?? '',
    hashRange: fields.text('hash_range'),
    sequenceNumberRange,
    oldestSequenceNumber: oldest,
    nextSequenceNumber: next,
    parentPartitions: fields.text('parent_partitions'),
  });
}

function rangeOf(range: string | undefined): readonly [bigint?, bigint?] {
  const [, low, high] = /^\s*\[\s*(\d{1,19})\s*:\s*(\d{1,19})\s*\]\s*$/.exec(range ?? '') ?? [];
  return low === undefined || high === undefined ? [] : [BigInt(low), BigInt(high)];
}

function parseCountChange(entry: unknown): PartitionCountChange {
  const fields = fieldsOf(entry, 'a change of the partition count');
  return present({
    createTimestamp: fields.integer('create_timestamp'),
    srcPartitionCount: fields.integer('src_partition_count'),
    targetPartitionCount: fields.integer('target_partition_count'),
    resultCode: fields.integer('result_code'),
    resultMsg: fields.text('result_msg'),
    autoScale: fields.flag('auto_scale'),
  });
}

function parseTag(entry: unknown): Tag {
  const fields = fieldsOf(entry, 'a tag');
  return { key: fields.text('key') ?? '', value: fields.text('value') ?? '' };
}
