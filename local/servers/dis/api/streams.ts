import { isObject } from '../../../../shared/core/json.ts';
import { newId } from '../credentials.ts';
import {
  integer,
  invalid,
  optionalBoolean,
  optionalChoice,
  optionalInteger,
  optionalText,
  partitionNumber,
  type Source,
  STREAM_NAME,
  text,
} from '../fields.ts';
import type { Partition } from '../partition.ts';
import { refusal } from '../refusal.ts';
import { empty, json } from '../replies.ts';
import { hashRanges } from '../routing.ts';
import type { Answer } from '../service.ts';
import type { Stream, StreamSettings } from '../stream.ts';
import { parseJson } from '../wire/json.ts';
import { byName, limitOf, page } from './pages.ts';
import { freePartitions, MAX_32 } from './scaling.ts';
import { parseTags } from './tags.ts';
import { streamOf } from './targets.ts';

export const createStream: Answer = ({ body, service, nowMs }) => {
  const given = parseJson(body);
  const settings = parseSettings(given);
  const count = integer(given, 'partition_count', 1, MAX_32);
  const tags = parseTags(given.tags);
  const { state, rules } = service;
  if (state.streams.has(settings.name)) throw refusal('DIS.4307', settings.name, state.credentials.projectId);
  const free = freePartitions(service, settings.type);
  if (count > free) throw refusal('DIS.4308', `partition count ${count}`, `free ${free}`);
  const runningFromMs = nowMs + rules.creationDelayMs;
  state.addStream({
    id: newId(),
    settings,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    runningFromMs,
    isFrozen: false,
    firstSequenceNumber: String(rules.firstSequenceNumber),
    tags,
    scalings: [],
    partitions: Array.from({ length: count }, (_, number) => ({ number, activeFromMs: runningFromMs })),
    checkpoints: {},
    tasks: [],
  });
  return empty(201);
};

function parseSettings(given: Source): StreamSettings {
  const isAutoScaleEnabled = optionalBoolean(given, 'auto_scale_enabled') ?? false;
  const least = isAutoScaleEnabled ? 1 : 0;
  const autoScaleMin = optionalInteger(given, 'auto_scale_min_partition_count', least, MAX_32) ?? least;
  const dataType = optionalChoice(given, 'data_type', ['BLOB', 'JSON', 'CSV']) ?? 'BLOB';
  const compressionFormat = optionalChoice(given, 'compression_format', ['snappy', 'gzip', 'zip']);
  const dataSchema = optionalText(given, 'data_schema');
  if (dataSchema !== undefined && !isSchema(dataSchema)) throw refusal('DIS.4360');
  const csv = given.csv_properties;
  if (csv !== undefined && csv !== null && !isObject(csv)) throw invalid('csv_properties');
  const csvDelimiter = isObject(csv) ? optionalText(csv, 'delimiter') : undefined;
  const sysTags = parseTags(given.sys_tags);
  if (sysTags.some(({ key }) => key !== '_sys_enterprise_project_id')) throw invalid('sys_tags');
  return {
    name: text(given, 'stream_name', STREAM_NAME),
    type: optionalChoice(given, 'stream_type', ['COMMON', 'ADVANCED']) ?? 'COMMON',
    dataType,
    retentionHours: optionalInteger(given, 'data_duration', 24, 72) ?? 24,
    isAutoScaleEnabled,
    autoScaleMin,
    autoScaleMax: optionalInteger(given, 'auto_scale_max_partition_count', autoScaleMin, MAX_32) ?? autoScaleMin,
    ...(dataSchema === undefined ? {} : { dataSchema }),
    ...(csvDelimiter === undefined ? {} : { csvDelimiter }),
    ...(compressionFormat === undefined ? {} : { compressionFormat }),
    sysTags,
  };
}

/** Avro schemas are JSON; whether they are good ones is for who reads the data. */
function isSchema(given: string): boolean {
  try {
    return isObject(JSON.parse(given));
  } catch {
    return false;
  }
}

export const streams: Answer = ({ query, service, nowMs }) => {
  const limit = limitOf(query, service);
  const start = optionalText(query, 'start_stream_name', STREAM_NAME);
  const { items, hasMore } = page(byName(service.state.streams.values()), start, limit, ({ name }) => name);
  return json(200, {
    total_number: service.state.streams.size,
    stream_names: items.map(({ name }) => name),
    has_more_streams: hasMore,
    stream_info_list: items.map((stream) => ({
      ...head(stream, nowMs),
      partition_count: stream.active(nowMs).length,
    })),
  });
};

const head = (stream: Stream, nowMs: number) => ({
  stream_id: stream.id,
  stream_name: stream.name,
  create_time: stream.createdAtMs,
  retention_period: stream.settings.retentionHours,
  status: stream.statusAt(nowMs),
  stream_type: stream.settings.type,
  data_type: stream.settings.dataType,
  auto_scale_enabled: stream.settings.isAutoScaleEnabled,
  auto_scale_min_partition_count: stream.settings.autoScaleMin,
  auto_scale_max_partition_count: stream.settings.autoScaleMax,
  tags: stream.tags,
  sys_tags: stream.settings.sysTags,
});

export const getStream: Answer = ({ path, query, service, nowMs }) => {
  const limit = limitOf(query, service, 'limit_partitions', 1000, 100);
  const start = optionalText(query, 'start_partitionId');
  const after = start === undefined ? -1 : partitionNumber(start);
  const stream = streamOf(path, query, service);
  const rest = stream.partitions.filter(({ number }) => number > after);
  const ranges = rangesOf(stream, nowMs);
  const { dataSchema, compressionFormat, csvDelimiter } = stream.settings;
  return json(200, {
    ...head(stream, nowMs),
    last_modified_time: stream.modifiedAtMs,
    ...(dataSchema === undefined ? {} : { data_schema: dataSchema }),
    ...(compressionFormat === undefined ? {} : { compression_format: compressionFormat }),
    ...(csvDelimiter === undefined ? {} : { csv_properties: { delimiter: csvDelimiter } }),
    writable_partition_count: stream.active(nowMs).length,
    readable_partition_count: stream.readable(nowMs).length,
    partitions: rest.slice(0, limit).map((partition) => partitionInfo(partition, ranges.get(partition), nowMs)),
    has_more_partitions: rest.length > limit,
    update_partition_counts: stream.scalings.map(({ atMs, from, to, isAuto }) => ({
      create_timestamp: atMs,
      src_partition_count: from,
      target_partition_count: to,
      result_code: 200,
      result_msg: 'success',
      auto_scale: isAuto,
    })),
  });
};

function rangesOf(stream: Stream, nowMs: number): Map<Partition, string> {
  const active = stream.active(nowMs);
  return new Map(active.map((partition, at) => [partition, hashRanges(active.length).texts[at]!]));
}

function partitionInfo(partition: Partition, hashRange: string | undefined, nowMs: number) {
  const status = partition.statusAt(nowMs);
  return {
    status,
    partition_id: partition.id,
    ...(hashRange === undefined ? {} : { hash_range: hashRange }),
    ...(status === 'EXPIRED'
      ? {}
      : {
          sequence_number_range: `[${partition.sequence(partition.oldest(nowMs))} : ${partition.sequence(partition.next)}]`,
        }),
  };
}

export const deleteStream: Answer = ({ path, query, service }) => {
  const stream = streamOf(path, query, service);
  service.state.removeStream(stream);
  service.traffic.forget(stream.id);
  return empty(204);
};
