import type { FaultRule } from '../faults.ts';
import { invalid, partitionNumber } from '../fields.ts';
import type { Partition } from '../partition.ts';
import { type DisCode, RefusedError, refusal, textOf } from '../refusal.ts';
import { explicitHash, hashOfKey, hashRanges } from '../routing.ts';
import type { Answer, Service } from '../service.ts';
import { BLOCK_HEADER_BYTES, FRAME_HEADER_BYTES } from '../storage/block.ts';
import type { Stream } from '../stream.ts';
import { type RecordResult, uploadReply } from '../wire/answers.ts';
import { parseProtobufUpload } from '../wire/protobuf.ts';
import { parseJsonUpload, type Upload, type UploadRecord } from '../wire/upload.ts';
import { checkRunning } from './targets.ts';

/** Before base64; the key does not count. */
const RECORD_MAX_BYTES = 1024 * 1024;

export const uploadData: Answer = ({ body, isProtobuf, service, nowMs, faults }) => {
  const upload = isProtobuf ? parseProtobufUpload(body) : parseJsonUpload(body);
  if (upload.streamName === undefined && upload.streamId === undefined) throw invalid('stream_name null');
  checkSizes(upload.records);
  const stream = service.state.stream(upload.streamName, upload.streamId);
  const bytes = upload.records.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
  const max = service.rules.uploadMaxBytes[stream.settings.type];
  if (bytes > max) throw invalid(`records of ${bytes} bytes, at most ${max} in a request`);
  checkRunning(stream, nowMs);
  return uploadReply(store(upload, stream, service, nowMs, faults), isProtobuf);
};

function checkSizes(records: readonly UploadRecord[]): void {
  records.forEach(({ dataBytes }, index) => {
    if (dataBytes > RECORD_MAX_BYTES) throw invalid(`records[${index}] of ${dataBytes} bytes, at most 1048576`);
  });
}

/** The records of one upload that go to one partition. */
interface Share {
  readonly partition: Partition;
  readonly records: UploadRecord[];
  /** Their places in the upload. */
  readonly places: number[];
  frameBytes: number;
  dataBytes: number;
  throttled: number;
}

/** Writes what can be written; each partition's share is one block. A body that turns out wrong is refused before anything is. */
function store(
  { records }: Upload,
  stream: Stream,
  service: Service,
  nowMs: number,
  faults: readonly FaultRule[],
): RecordResult[] {
  const results: RecordResult[] = new Array(records.length);
  const shares = new Map<Partition, Share>();
  const route = router(stream, service, nowMs);
  const fails = failing(faults, service.random);
  records.forEach((record, place) => {
    const fault = fails(place);
    if (fault) {
      results[place] = fault;
      return;
    }
    const partition = route(record);
    if (!('log' in partition)) {
      results[place] = partition;
      return;
    }
    let share = shares.get(partition);
    if (!share) {
      share = { partition, records: [], places: [], frameBytes: 0, dataBytes: 0, throttled: 0 };
      shares.set(partition, share);
    }
    const { throttle } = service;
    if (
      throttle?.takeWrite(`${stream.id}/${partition.number}`, stream.settings.type, record.dataBytes, nowMs) === false
    ) {
      share.throttled++;
      results[place] = failure('DIS.4303');
      return;
    }
    share.records.push(record);
    share.places.push(place);
    share.frameBytes += FRAME_HEADER_BYTES + keyBytes(record) + record.dataBytes;
    share.dataBytes += record.dataBytes;
  });
  const blocks = [...shares.values()].map((share) => ({ share, block: blockOf(share) }));
  for (const { share, block } of blocks) write(share, block, stream, service, nowMs, results);
  service.traffic.add(stream.id, nowMs, { putRequests: 1 });
  return results;
}

const keyBytes = ({ partitionKey }: UploadRecord): number =>
  partitionKey === undefined ? 0 : Buffer.byteLength(partitionKey);

/** Where each record goes, or why it goes nowhere: by id, by explicit hash, by key, else one partition after the other. */
function router(stream: Stream, { state }: Service, nowMs: number): (record: UploadRecord) => Partition | RecordResult {
  const active = stream.active(nowMs);
  const ranges = hashRanges(active.length);
  const byId = new Map<string, Partition | RecordResult>();
  const lookUp = (id: string): Partition | RecordResult => {
    try {
      const partition = stream.partition(partitionNumber(id), nowMs, state.credentials.projectId);
      if (partition.statusAt(nowMs) === 'ACTIVE') return partition;
      throw refusal('DIS.4319', stream.name, state.credentials.projectId, partition.id);
    } catch (error) {
      if (error instanceof RefusedError) return { code: error.code, message: error.message };
      throw error;
    }
  };
  return ({ partitionId, explicitHashKey, partitionKey }) => {
    if (partitionId !== undefined) {
      let found = byId.get(partitionId);
      if (!found) {
        found = lookUp(partitionId);
        byId.set(partitionId, found);
      }
      return found;
    }
    const hash =
      (explicitHashKey === undefined ? undefined : explicitHash(explicitHashKey)) ??
      (partitionKey === undefined ? undefined : hashOfKey(partitionKey));
    return active[hash ? ranges.indexOf(hash) : stream.turn++ % active.length]!;
  };
}

const failure = (code: string, message = textOf(code)): RecordResult => ({ code, message });

/** Which records a fault makes fail, and how. */
function failing(faults: readonly FaultRule[], random: () => number): (place: number) => RecordResult | undefined {
  const rules = faults.filter(({ fault }) => fault === 'failed-records');
  if (rules.length === 0) return () => undefined;
  return (place) => {
    const rule = rules.find(({ records, share = 1 }) => (records ? records.includes(place) : random() < share));
    return rule && failure(rule.code ?? ('DIS.4303' satisfies DisCode), rule.message);
  };
}

/** @throws {RefusedError} DIS.4200 if the data of a record is no base64 */
function blockOf({ records, places, frameBytes }: Share): Buffer {
  const block = Buffer.allocUnsafe(BLOCK_HEADER_BYTES + frameBytes);
  let at = BLOCK_HEADER_BYTES;
  records.forEach((record, index) => {
    const length = keyBytes(record);
    at = block.writeUInt32LE(record.partitionKey === undefined ? 0 : length + 1, at);
    at = block.writeUInt32LE(record.dataBytes, at);
    if (length > 0) at += block.write(record.partitionKey!, at, length);
    if (record.copyData(block, at) !== record.dataBytes) throw invalid(`records[${places[index]}].data`);
    at += record.dataBytes;
  });
  return block;
}

function write(
  share: Share,
  block: Buffer,
  stream: Stream,
  { traffic }: Service,
  nowMs: number,
  results: RecordResult[],
): void {
  const { partition, places, dataBytes, throttled } = share;
  if (places.length > 0) {
    const first = partition.log.append(block, places.length, dataBytes, nowMs);
    for (let at = 0; at < places.length; at++) {
      results[places[at]!] = { partitionId: partition.id, sequenceNumber: partition.sequenceText(first + at) };
    }
  }
  const counted = { putBytes: dataBytes, putRecords: places.length, putThrottled: throttled };
  traffic.add(stream.id, nowMs, counted);
  traffic.add(`${stream.id}/${partition.number}`, nowMs, { ...counted, putRequests: 1 });
}
