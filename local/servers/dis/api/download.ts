import { optionalInteger, optionalText, partitionNumber, type Source, sequenceNumber, text } from '../fields.ts';
import type { Partition } from '../partition.ts';
import { refusal } from '../refusal.ts';
import { json } from '../replies.ts';
import type { Answer, CallContext } from '../service.ts';
import type { StoredRecord } from '../storage/block.ts';
import type { Stream } from '../stream.ts';
import { downloadReply } from '../wire/answers.ts';
import { checkRunning } from './targets.ts';

const CURSOR_TYPES = ['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER', 'TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'];

/** More than a record may have, so that any can be read. */
const FETCH_MAX_BYTES = 10 * 1024 * 1024;

export const getDataCursor: Answer = ({ query, service, nowMs }) => {
  const id = text(query, 'partition-id');
  const number = partitionNumber(id);
  const type = optionalText(query, 'cursor-type') ?? 'AT_SEQUENCE_NUMBER';
  if (!CURSOR_TYPES.includes(type)) throw refusal('DIS.4215', type.slice(0, 100));
  const start = startOf(query, type);
  const { state, cursors } = service;
  const streamName = optionalText(query, 'stream-name');
  const streamId = optionalText(query, 'stream-id');
  if (streamName === undefined && streamId === undefined) throw refusal('DIS.4200', 'Invalid stream-name null.');
  const stream = state.stream(streamName, streamId);
  checkRunning(stream, nowMs);
  const partition = stream.partition(number, nowMs, state.credentials.projectId);
  const sequence = resolve(type, start, partition, nowMs);
  return json(200, { partition_cursor: cursors.issue(positionOf(stream, partition, String(sequence)), nowMs) });
};

const positionOf = (stream: Stream, partition: Partition, sequence: string) => ({
  streamName: stream.name,
  streamId: stream.id,
  partitionId: partition.id,
  sequenceNumber: sequence,
});

/** The number or the time that the type needs. */
function startOf(query: Source, type: string): bigint {
  if (type === 'AT_TIMESTAMP') {
    const given = optionalInteger(query, 'timestamp', 0, Number.MAX_SAFE_INTEGER);
    if (given === undefined) throw refusal('DIS.4200', 'Invalid timestamp null.');
    return BigInt(given);
  }
  if (type !== 'AT_SEQUENCE_NUMBER' && type !== 'AFTER_SEQUENCE_NUMBER') return 0n;
  const given = query['starting-sequence-number'];
  // Without a number it is read as 0; an empty one is wrong.
  if (given === undefined && type === 'AT_SEQUENCE_NUMBER') return 0n;
  return sequenceNumber(typeof given === 'string' ? given : '');
}

/** @returns sequence number of the first record to be read. @throws {RefusedError} DIS.4224, or DIS.4300 for a time too old */
function resolve(type: string, start: bigint, partition: Partition, nowMs: number): bigint {
  const oldestIndex = partition.oldest(nowMs);
  const oldest = partition.sequence(oldestIndex);
  const next = partition.sequence(partition.next);
  if (type === 'TRIM_HORIZON') return oldest;
  if (type === 'LATEST') return next;
  if (type === 'AT_TIMESTAMP') {
    if (oldestIndex === partition.next) return next;
    const oldestMs = partition.log.timeOf(oldestIndex);
    if (start < oldestMs) {
      const detail = `timestamp is expired, timestamp should be larger than ${oldestMs - 1}`;
      throw refusal('DIS.4300', detail);
    }
    return partition.sequence(partition.log.indexAt(Number(start)));
  }
  const first = type === 'AFTER_SEQUENCE_NUMBER' ? start + 1n : start;
  if (first >= oldest && first <= next) return first;
  throw refusal('DIS.4224', String(start), ' should be within ', String(oldest), ' ', String(next));
}

export const downloadData: Answer = (context) => {
  const { query, service, nowMs, isProtobuf, faults } = context;
  const { state, cursors, rules } = service;
  const cursor = text(query, 'partition-cursor');
  const given = optionalInteger(query, 'max_fetch_bytes', 1, Number.MAX_SAFE_INTEGER) ?? rules.fetchDefaultBytes;
  const position = cursors.read(cursor, nowMs);
  const stream = state.stream(position.streamName, position.streamId);
  if (stream.id !== position.streamId) throw refusal('DIS.4217', stream.name);
  checkRunning(stream, nowMs);
  const number = partitionNumber(position.partitionId);
  const partition = stream.partition(number, nowMs, state.credentials.projectId);
  const from = partition.index(BigInt(position.sequenceNumber));
  if (from < partition.oldest(nowMs)) throw refusal('DIS.4226');
  checkTraffic(context, stream, partition);

  const isEmpty = faults.some(({ fault }) => fault === 'no-records');
  const isOne = faults.some(({ fault }) => fault === 'one-record');
  const records: StoredRecord[] = [];
  if (!isEmpty) partition.log.read(from, Math.min(given, FETCH_MAX_BYTES), (record) => records.push(record));
  if (isOne) records.length = Math.min(records.length, 1);
  const next = from + records.length;
  count(context, stream, partition, records);
  return downloadReply(
    {
      records,
      sequenceText: (index) => partition.sequenceText(index),
      nextCursor: cursors.issue(positionOf(stream, partition, partition.sequenceText(next)), nowMs),
      behindLatestMs: next >= partition.next ? 0 : Math.max(0, nowMs - partition.log.timeOf(next)),
    },
    isProtobuf,
  );
};

function checkTraffic({ service, nowMs }: CallContext, stream: Stream, partition: Partition): void {
  const subject = `${stream.id}/${partition.number}`;
  if (service.throttle?.mayRead(subject, stream.settings.type, nowMs) !== false) return;
  for (const one of [stream.id, subject]) service.traffic.add(one, nowMs, { getThrottled: 1 });
  throw refusal('DIS.4303', stream.name, partition.id);
}

function count({ service, nowMs }: CallContext, stream: Stream, partition: Partition, records: StoredRecord[]): void {
  const subject = `${stream.id}/${partition.number}`;
  const getBytes = records.reduce((sum, { dataStart, dataEnd }) => sum + dataEnd - dataStart, 0);
  service.throttle?.hasRead(subject, getBytes);
  const counted = { getBytes, getRecords: records.length, getRequests: 1 };
  for (const one of [stream.id, subject]) service.traffic.add(one, nowMs, counted);
}
