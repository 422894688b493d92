import { isObject } from '../../core/json.ts';
import type { ObsDestination } from './attributes.ts';
import { UnparsableReplyError } from './errors.ts';
import { fieldsOf, listOf, present } from './fields.ts';
import { camelKeys } from './names.ts';

// Dump tasks, by the attribute names of the reference Python client in our casing. Times are milliseconds since 1970. What the
// service left out is absent.

export interface DumpTask {
  readonly taskId?: string;
  readonly taskName?: string;
  readonly streamId?: string;
  readonly streamName?: string;
  /** `STARTING`, `RUNNING`, `PAUSED`, `ERROR`, `ABNORMAL`, `DELETE`. */
  readonly status?: string;
  /** `OBS`. */
  readonly destinationType?: string;
  readonly createdAt?: number;
  readonly lastTransferTimestamp?: number;
  readonly exceptionStrategy?: string;
  /** What the task was created with, by the names of {@link ObsDestination}; its name is not among them. */
  readonly obsDestinationDescription?: Readonly<Record<string, unknown>>;
  readonly partitions?: readonly DumpTaskPartition[];
}

export interface DumpTaskPartition {
  readonly partitionId: string;
  readonly state?: string;
  readonly lastTransferTimestamp?: number;
  readonly lastTransferOffset?: bigint;
  /** Records left out. */
  readonly discard?: number;
}

export function parseDumpTasks(body: unknown): DumpTask[] {
  return fieldsOf(body, 'the list of dump tasks').list('tasks').map(parseDumpTask);
}

export function parseDumpTask(body: unknown): DumpTask {
  const fields = fieldsOf(body, 'the dump task');
  const description = fields.raw('obs_destination_description') ?? fields.raw('obs_destination_descriptor');
  return present({
    taskId: fields.text('task_id'),
    taskName: fields.text('task_name'),
    streamId: fields.text('stream_id') ?? fields.text('streamId'),
    streamName: fields.text('stream_name'),
    status: fields.text('state'),
    destinationType: fields.text('destination_type'),
    createdAt: fields.integer('create_time'),
    lastTransferTimestamp: fields.integer('last_transfer_timestamp'),
    exceptionStrategy: fields.text('exception_strategy'),
    obsDestinationDescription: isObject(description) ? (camelKeys(description) as Record<string, unknown>) : undefined,
    partitions: listOf(fields, 'partitions', parseTaskPartition),
  });
}

function parseTaskPartition(entry: unknown): DumpTaskPartition {
  const fields = fieldsOf(entry, 'a partition of the dump task');
  const partitionId = fields.text('partitionId') ?? fields.text('partition_id');
  if (partitionId === undefined) throw new UnparsableReplyError('a partition of the dump task has no partitionId');
  return present({
    partitionId,
    state: fields.text('state'),
    lastTransferTimestamp: fields.integer('last_transfer_timestamp'),
    lastTransferOffset: fields.int64('last_transfer_offset'),
    discard: fields.integer('discard'),
  });
}
