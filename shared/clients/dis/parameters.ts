import type { CallOptions } from './api.ts';
import type { App } from './apps.ts';
import { type CheckpointAttributes, type DumpTaskAttributes, LAST_READ, type StreamAttributes } from './attributes.ts';
import type { DataCursor } from './cursor.ts';
import { InvalidAttributeError } from './errors.ts';
import type { Page } from './fields.ts';
import { checkAppName, checkChoice, checkStreamName, checkWhole } from './limits.ts';

export interface StreamsParameters {
  /** 1 to 100: only so many, in one request. Without it all of them are listed. */
  readonly limit?: number | undefined;
  /** Those that come after this name. */
  readonly startStreamName?: string | undefined;
}

export interface AppsParameters {
  /** 1 to 100: only so many, in one request. Without it all of them are listed. */
  readonly limit?: number | undefined;
  /** Those that come after this name. */
  readonly startAppName?: string | undefined;
  /** Only those with a checkpoint on this stream. */
  readonly streamName?: string | undefined;
}

export interface AppConsumptionsParameters {
  /** `LAST_READ`, the only one there is. */
  readonly checkpointType?: string | undefined;
  /** 1 to 1,000: only so many, in one request. Without it all of them are listed. */
  readonly limit?: number | undefined;
  /** Those that come after this partition. */
  readonly startPartitionId?: string | number | undefined;
  readonly streamId?: string | undefined;
}

export interface DownloadOptions extends CallOptions {
  /** Of one answer. Nothing comes if the next record is larger. */
  readonly maxFetchBytes?: number | undefined;
  /** Counts what is read for this app in the service's monitoring. */
  readonly appName?: string | undefined;
}

/** A cursor, what `getDataCursor` gives, or the seed's spelling of the argument. */
export type CursorArgument = string | DataCursor | { readonly partititonCursor: string };

/** What was sent, under our names: the service answers a creation with nothing. */
export type CreatedStream = StreamAttributes & { readonly name: string };
export type CreatedApp = Pick<App, 'name'>;
export type CreatedCheckpoint = CheckpointAttributes & {
  readonly sequenceNumber: bigint;
  readonly checkpointType: string;
};
export type CreatedDumpTask = DumpTaskAttributes & { readonly destinationType: string };

/** The items of one page after the other, each asked for when it is needed. */
export async function* pages<T>(
  start: string | undefined,
  isOnePage: boolean,
  fetchPage: (start: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<T> {
  for (let at = start; ; ) {
    const { items, next } = await fetchPage(at);
    yield* items;
    if (isOnePage || next === undefined || next === at) return;
    at = next;
  }
}

export function pageSize(
  limit: number | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  return limit === undefined ? max : checkWhole('limit', limit, min, max);
}

export function tasksOf(streamName: string): string[] {
  return ['streams', checkStreamName(streamName), 'transfer-tasks'];
}

export function typeOf(checkpointType: string): string {
  return checkChoice('checkpointType', checkpointType, [LAST_READ]);
}

export function checkpointQuery(
  streamName: string,
  appName: string,
  partitionId: string | undefined,
  checkpointType: string,
): Record<string, string | undefined> {
  return {
    stream_name: checkStreamName(streamName),
    app_name: checkAppName(appName),
    checkpoint_type: typeOf(checkpointType),
    partition_id: partitionId,
  };
}

export function textOf(cursor: CursorArgument): string {
  const text =
    typeof cursor === 'string'
      ? cursor
      : 'partitionCursor' in cursor
        ? cursor.partitionCursor
        : cursor.partititonCursor;
  if (typeof text === 'string' && text !== '') return text;
  throw new InvalidAttributeError('the partition cursor is missing');
}
