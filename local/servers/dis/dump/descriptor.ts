import { isObject } from '../../../../shared/core/json.ts';
import {
  integer,
  invalid,
  optionalChoice,
  optionalInteger,
  optionalText,
  type Source,
  TASK_NAME,
  text,
} from '../fields.ts';
import { refusal } from '../refusal.ts';
import type { StreamSettings } from '../stream.ts';

/** Time directories from a field of the data. */
export interface ProcessingSchema {
  readonly timestamp_name: string;
  readonly timestamp_type: 'String' | 'Timestamp';
  readonly timestamp_format?: string;
}

/** An `obs_destination_descriptor` without its task's name, as it goes back to who asks for the task. */
export interface ObsDestination {
  readonly agency_name: string;
  readonly obs_bucket_path: string;
  readonly deliver_time_interval: number;
  readonly deliver_size_interval?: number;
  readonly consumer_strategy: 'LATEST' | 'TRIM_HORIZON';
  readonly file_prefix: string;
  readonly partition_format: string;
  readonly destination_file_type: 'text';
  readonly record_delimiter: string;
  readonly retry_duration: number;
  readonly compression_format?: 'gzip';
  readonly processing_schema?: ProcessingSchema;
}

const PARTITION_FORMATS = ['yyyy', 'yyyy/MM', 'yyyy/MM/dd', 'yyyy/MM/dd/HH', 'yyyy/MM/dd/HH/mm'] as const;
const DELIMITERS = [',', ';', '|', '\n', 'NULL'] as const;
const TIME_FORMATS = ['yyyy/MM/dd', 'MM/dd/yyyy', 'dd/MM/yyyy', 'yyyy-MM-dd', 'MM-dd-yyyy', 'dd-MM-yyyy'].map(
  (date) => `${date} HH:mm:ss`,
);

/**
 * Checks the body of a request for a dump task.
 *
 * @throws {RefusedError} DIS.4200, or DIS.4358 for a file type that the stream's data cannot become
 */
export function parseDumpTask(
  body: Source,
  settings: StreamSettings,
): { readonly name: string; readonly obs: ObsDestination } {
  const type = optionalText(body, 'destination_type') ?? 'OBS';
  // The others write into services that no machine of one's own has.
  if (type !== 'OBS') throw invalid(`destination_type ${type}`);
  const given = body.obs_destination_descriptor;
  if (!isObject(given)) throw invalid('obs_destination_descriptor null');
  const fileType = optionalChoice(given, 'destination_file_type', ['text', 'parquet', 'carbon']) ?? 'text';
  if (fileType !== 'text') {
    if (settings.dataType !== 'JSON') throw refusal('DIS.4358', settings.name, settings.dataType, fileType);
    throw invalid(`destination_file_type ${fileType}: this server writes text`);
  }
  const size = optionalInteger(given, 'deliver_size_interval', 1, 300);
  const compression = optionalChoice(given, 'compression_format', ['none', 'gzip']);
  const schema = processingSchema(given.processing_schema);
  return {
    name: text(given, 'task_name', TASK_NAME),
    obs: {
      agency_name: text(given, 'agency_name', /^.{1,64}$/s),
      obs_bucket_path: text(given, 'obs_bucket_path', /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
      deliver_time_interval:
        given.deliver_time_interval === undefined ? 300 : integer(given, 'deliver_time_interval', 30, 900),
      ...(size === undefined ? {} : { deliver_size_interval: size }),
      consumer_strategy: optionalChoice(given, 'consumer_strategy', ['LATEST', 'TRIM_HORIZON']) ?? 'LATEST',
      file_prefix: optionalText(given, 'file_prefix', /^(?!\/)[A-Za-z0-9_/]{0,50}$/) ?? '',
      partition_format: optionalChoice(given, 'partition_format', PARTITION_FORMATS) ?? '',
      destination_file_type: 'text',
      record_delimiter: optionalChoice(given, 'record_delimiter', DELIMITERS) ?? '\n',
      retry_duration: optionalInteger(given, 'retry_duration', 0, 7200) ?? 0,
      ...(compression === 'gzip' ? { compression_format: compression } : {}),
      ...(schema ? { processing_schema: schema } : {}),
    },
  };
}

function processingSchema(given: unknown): ProcessingSchema | undefined {
  if (given === undefined || given === null) return undefined;
  if (!isObject(given)) throw invalid('processing_schema');
  const timestampType = optionalChoice(given, 'timestamp_type', ['String', 'Timestamp']);
  if (!timestampType) throw invalid('timestamp_type null');
  const format = optionalChoice(given, 'timestamp_format', TIME_FORMATS);
  if (timestampType === 'String' && !format) throw invalid('timestamp_format null');
  return {
    timestamp_name: text(given, 'timestamp_name'),
    timestamp_type: timestampType,
    ...(format ? { timestamp_format: format } : {}),
  };
}
