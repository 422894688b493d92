import { isObject } from '../../core/json.ts';
import { InvalidAttributeError, OutOfLimitsError } from './errors.ts';
import {
  checkAppName,
  checkChoice,
  checkLength,
  checkPartitionId,
  checkSequenceNumber,
  checkStreamName,
  checkTaskName,
  checkWhole,
  METADATA_MAX_CHARS,
} from './limits.ts';
import { camelKeys, snakeKeys } from './names.ts';
import type { Tag } from './streams.ts';

export interface StreamAttributes {
  /** 1 to 64 of A-Z a-z 0-9 - _. `streamName` says the same. */
  readonly name?: string | undefined;
  readonly streamName?: string | undefined;
  /** At least 1. */
  readonly partitionCount: number;
  /** Default `COMMON`. */
  readonly streamType?: 'COMMON' | 'ADVANCED' | undefined;
  /** Default `BLOB`. */
  readonly dataType?: 'BLOB' | 'JSON' | 'CSV' | undefined;
  /** Hours that records are kept: 24 to 72, default 24. */
  readonly dataDuration?: number | undefined;
  readonly isAutoScaleEnabled?: boolean | undefined;
  readonly autoScaleMinPartitionCount?: number | undefined;
  readonly autoScaleMaxPartitionCount?: number | undefined;
  /** Text of an Avro schema, for JSON and CSV. */
  readonly dataSchema?: string | undefined;
  readonly csvProperties?: { readonly delimiter: string } | undefined;
  /** What producers say they do; the service neither packs nor unpacks. */
  readonly compressionFormat?: 'snappy' | 'gzip' | 'zip' | undefined;
  /** At most 10; keys up to 36 characters, values up to 43. */
  readonly tags?: readonly Tag[] | undefined;
  readonly sysTags?: readonly Tag[] | undefined;
}

export interface AppAttributes {
  /** 1 to 200 of A-Z a-z 0-9 - _. `appName` says the same. */
  readonly name?: string | undefined;
  readonly appName?: string | undefined;
}

export interface CheckpointAttributes {
  readonly appName: string;
  readonly streamName: string;
  readonly partitionId: string | number;
  /** Of the last record read. */
  readonly sequenceNumber: bigint | number | string;
  /** Up to 1,000 characters. */
  readonly metadata?: string | undefined;
  readonly streamId?: string | undefined;
}

/** Where a dump task writes, in an object store. */
export interface ObsDestination {
  readonly taskName: string;
  /** Lets the service write to the bucket. */
  readonly agencyName: string;
  /** The name of the bucket. */
  readonly obsBucketPath: string;
  /** Seconds, 30 to 900. */
  readonly deliverTimeInterval: number;
  /** MB, 1 to 300: a file is cut when it is that large. */
  readonly deliverSizeInterval?: number | undefined;
  /** Default `LATEST`. */
  readonly consumerStrategy?: 'LATEST' | 'TRIM_HORIZON' | undefined;
  /** Up to 50 of letters, digits, `_` and `/`. */
  readonly filePrefix?: string | undefined;
  readonly partitionFormat?: '' | 'yyyy' | 'yyyy/MM' | 'yyyy/MM/dd' | 'yyyy/MM/dd/HH' | 'yyyy/MM/dd/HH/mm' | undefined;
  /** Default `text`. */
  readonly destinationFileType?: string | undefined;
  readonly recordDelimiter?: string | undefined;
  /** Seconds, 0 to 7200. */
  readonly retryDuration?: number | undefined;
  readonly compressionFormat?: string | undefined;
  readonly carbonProperties?: Readonly<Record<string, string>> | undefined;
  /** Takes the time directories from a field of the data. */
  readonly processingSchema?:
    | {
        readonly timestampName: string;
        readonly timestampType: 'String' | 'Timestamp';
        readonly timestampFormat?: string | undefined;
      }
    | undefined;
}

export interface DumpTaskAttributes {
  /** Default `OBS`. Others go with a descriptor of their own, which is passed on as it is, names in snake case. */
  readonly destinationType?: string | undefined;
  readonly obsDestinationDescriptor?: ObsDestination | undefined;
  readonly [descriptor: string]: unknown;
}

type Body = Record<string, unknown>;

/** The attributes as the service spells them. @throws {InvalidNameError} {@link OutOfLimitsError} {@link InvalidAttributeError} */
export function streamBody(attributes: StreamAttributes): Body {
  // The service's name of it is taken too.
  const { autoScaleEnabled, ...given } = inOurCasing(attributes);
  const { name, isAutoScaleEnabled = autoScaleEnabled, ...rest } = given as unknown as StreamAttributes;
  const streamName = checkStreamName(rest.streamName ?? name);
  checkWhole('partitionCount', rest.partitionCount, 1);
  const { streamType, dataType, dataDuration, compressionFormat, tags = [] } = rest;
  if (streamType !== undefined) checkChoice('streamType', streamType, ['COMMON', 'ADVANCED']);
  if (dataType !== undefined) checkChoice('dataType', dataType, ['BLOB', 'JSON', 'CSV']);
  if (dataDuration !== undefined) checkWhole('dataDuration', dataDuration, 24, 72);
  if (compressionFormat !== undefined) checkChoice('compressionFormat', compressionFormat, ['snappy', 'gzip', 'zip']);
  checkAutoScale(rest, isAutoScaleEnabled === true);
  if (tags.length > 10) throw new OutOfLimitsError(`a stream may have 10 tags, got ${tags.length}`);
  for (const { key, value } of tags) {
    checkLength('the key of a tag', key, 1, 36);
    checkLength('the value of a tag', value, 0, 43);
  }
  return snakeKeys({ ...rest, streamName, autoScaleEnabled: isAutoScaleEnabled }) as Body;
}

function checkAutoScale(attributes: StreamAttributes, isEnabled: boolean): void {
  const { autoScaleMinPartitionCount: min, autoScaleMaxPartitionCount: max } = attributes;
  const least = isEnabled ? 1 : 0;
  if (min !== undefined) checkWhole('autoScaleMinPartitionCount', min, least);
  if (max !== undefined) checkWhole('autoScaleMaxPartitionCount', max, Math.max(least, min ?? 0));
}

export function appBody(attributes: AppAttributes): Body {
  const { name, appName } = inOurCasing(attributes) as AppAttributes;
  return { app_name: checkAppName(appName ?? name) };
}

export function checkpointBody(attributes: CheckpointAttributes): Body {
  const given = inOurCasing(attributes) as unknown as CheckpointAttributes;
  const { metadata } = given;
  if (metadata !== undefined) checkLength('the metadata of a checkpoint', metadata, 0, METADATA_MAX_CHARS);
  return snakeKeys({
    ...given,
    appName: checkAppName(given.appName),
    streamName: checkStreamName(given.streamName),
    partitionId: checkPartitionId(given.partitionId),
    sequenceNumber: checkSequenceNumber('the sequence number of a checkpoint', given.sequenceNumber),
    checkpointType: LAST_READ,
  }) as Body;
}

/** The only type there is. */
export const LAST_READ = 'LAST_READ';

export function dumpTaskBody(attributes: DumpTaskAttributes): Body {
  const given = inOurCasing(attributes) as DumpTaskAttributes;
  const { destinationType = 'OBS', obsDestinationDescriptor: obs } = given;
  if (destinationType === 'OBS') {
    if (!isObject(obs)) throw new InvalidAttributeError('a dump task needs obsDestinationDescriptor');
    checkTaskName(obs.taskName);
    for (const name of ['agencyName', 'obsBucketPath'] as const) {
      if (!obs[name]) throw new InvalidAttributeError(`a dump task needs ${name}`);
    }
    checkWhole('deliverTimeInterval', obs.deliverTimeInterval, 30, 900);
    if (obs.deliverSizeInterval !== undefined) checkWhole('deliverSizeInterval', obs.deliverSizeInterval, 1, 300);
    if (obs.retryDuration !== undefined) checkWhole('retryDuration', obs.retryDuration, 0, 7200);
    if (obs.filePrefix !== undefined) checkLength('filePrefix', obs.filePrefix, 0, 50);
  }
  return snakeKeys({ ...given, destinationType }) as Body;
}

/** An attribute may also be given as the service spells it. */
function inOurCasing(attributes: object): Record<string, unknown> {
  if (!isObject(attributes)) throw new InvalidAttributeError('the attributes must be an object');
  return camelKeys(attributes) as Record<string, unknown>;
}
