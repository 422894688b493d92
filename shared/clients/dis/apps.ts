import { fieldsOf, type Page, present } from './fields.ts';

// Apps and checkpoints, by the attribute names of the reference Python client in our casing. Times are milliseconds since 1970. What the
// service left out is absent.

export interface App {
  readonly appId?: string;
  readonly name: string;
  readonly createdAt?: number;
  readonly commitCheckpointStreamNames?: readonly string[];
}

/** How far an app has read one partition. */
export interface AppConsumption {
  /** In whichever form the service wrote it. */
  readonly partitionId: string;
  /** Of the last record read; -1 if nothing was committed. */
  readonly sequenceNumber: bigint;
  /** Of the record that will be written next. */
  readonly latestOffset?: bigint;
  /** Of the oldest readable record. */
  readonly earliestOffset?: bigint;
  readonly checkpointType?: string;
  readonly status?: string;
  readonly metadata?: string;
}

export interface Checkpoint {
  /** Of the last record read; -1 if nothing was committed. */
  readonly sequenceNumber: bigint;
  readonly metadata: string;
}

export function parseApps(body: unknown): Page<App> {
  const fields = fieldsOf(body, 'the list of apps');
  const items = fields.list('apps').map(parseApp);
  const hasMore = fields.flag('has_more_app') ?? fields.flag('hasMoreApp');
  return { items, next: hasMore ? items.at(-1)?.name : undefined };
}

export function parseApp(body: unknown): App {
  const fields = fieldsOf(body, 'the app');
  const streams = fields.list('commit_checkpoint_stream_names').filter((name) => typeof name === 'string');
  return present({
    appId: fields.text('app_id'),
    name: fields.needText('app_name'),
    createdAt: fields.integer('create_time'),
    commitCheckpointStreamNames: fields.has('commit_checkpoint_stream_names') ? streams : undefined,
  });
}

export function parseConsumptions(body: unknown): Page<AppConsumption> {
  const fields = fieldsOf(body, 'the consumption states');
  const items = fields.list('partition_consuming_states').map((entry) => {
    const state = fieldsOf(entry, 'a consumption state');
    return present({
      partitionId: state.needText('partition_id'),
      sequenceNumber: state.int64('sequence_number') ?? NOTHING_READ,
      latestOffset: state.int64('latest_offset'),
      earliestOffset: state.int64('earliest_offset'),
      checkpointType: state.text('checkpoint_type'),
      status: state.text('status'),
      metadata: state.text('metadata'),
    });
  });
  return { items, next: fields.flag('has_more') ? items.at(-1)?.partitionId : undefined };
}

export function parseCheckpoint(body: unknown): Checkpoint {
  const fields = fieldsOf(body ?? {}, 'the checkpoint');
  return { sequenceNumber: fields.int64('sequence_number') ?? NOTHING_READ, metadata: fields.text('metadata') ?? '' };
}

/** Of a checkpoint that was never written: what follows is 0, the first there is. */
export const NOTHING_READ = -1n;
