import { isObject } from '../../core/json.ts';
import { type LosslessValue, parseLossless } from '../../core/lossless-json.ts';
import { dataBytes, UploadBody, type UploadTarget } from './body.ts';
import { UnparsableReplyError } from './errors.ts';
import { type Fields, fieldsOf } from './fields.ts';
import type { DisRecord, DownloadedData, RecordResult, UploadRecord } from './records.ts';

/** An upload as JSON. */
export class JsonBody extends UploadBody {
  constructor({ streamName, streamId }: UploadTarget) {
    const id = streamId ? `"stream_id":${JSON.stringify(streamId)},` : '';
    super('application/json', {
      head: Buffer.from(`{"stream_name":${JSON.stringify(streamName)},${id}"records":[`),
      tail: Buffer.from(']}'),
      separator: Buffer.from(','),
    });
  }

  protected override encode(record: UploadRecord, isBase64: boolean): void {
    const { data, partitionId, partitionKey, explicitHashKey, timestamp } = record;
    this.ascii('{"data":"');
    this.ascii(isBase64 && typeof data === 'string' ? data : dataBytes(data, isBase64).toString('base64'));
    this.ascii('"');
    let more = '';
    if (partitionId !== undefined) more += `,"partition_id":${JSON.stringify(String(partitionId))}`;
    if (partitionKey !== undefined) more += `,"partition_key":${JSON.stringify(partitionKey)}`;
    if (explicitHashKey !== undefined) more += `,"explicit_hash_key":"${explicitHashKey}"`;
    if (timestamp !== undefined) more += `,"timestamp":${timestamp}`;
    this.text(`${more}}`);
  }
}

/**
 * As `parseLossless`, where the one number that may be long is usually a text: looking for that alone takes a tenth of the
 * time that looking for digits takes.
 */
export function parseRecordsJson(text: string): LosslessValue {
  return BARE_SEQUENCE_NUMBER.test(text) ? parseLossless(text) : (JSON.parse(text) as LosslessValue);
}

const BARE_SEQUENCE_NUMBER = /"sequence_number"\s*:\s*\d/;

/** @throws {UnparsableReplyError} not one result for each of `count` records */
export function parseUploadJson(body: unknown, count: number): RecordResult[] {
  const entries = isObject(body) ? body.records : undefined;
  if (!Array.isArray(entries)) throw new UnparsableReplyError('the answer to the upload has no records');
  return checkCount(
    entries.map((entry) => resultOf(fieldsOf(entry, 'a result of the upload'))),
    count,
  );
}

function resultOf(fields: Fields): RecordResult {
  return recordResult(
    fields.text('partition_id'),
    fields.int64('sequence_number'),
    fields.text('error_code'),
    fields.text('error_message'),
  );
}

/** Success is a sequence number without an error. */
export function recordResult(
  partitionId: string | undefined,
  sequenceNumber: bigint | undefined,
  errorCode: string | undefined,
  errorMessage: string | undefined,
): RecordResult {
  if (errorCode !== undefined) return { errorCode, errorMessage: errorMessage ?? '' };
  if (partitionId !== undefined && sequenceNumber !== undefined) return { partitionId, sequenceNumber };
  throw new UnparsableReplyError('a result of the upload has neither a sequence number nor an error code');
}

export function checkCount(results: RecordResult[], count: number): RecordResult[] {
  if (results.length === count) return results;
  throw new UnparsableReplyError(`the answer to the upload has ${results.length} results for ${count} records`);
}

/** @param memory of the text that was parsed: it is written over with the data, which is shorter than its base64 was */
export function parseDownloadJson(body: unknown, memory: Buffer): DownloadedData {
  const fields = fieldsOf(body, 'the answer to the download');
  const millisBehindLatest = fields.integer('millis_behind_latest');
  const slab = new Slab(memory);
  return {
    records: fields.list('records').map((entry) => recordOf(fieldsOf(entry, 'a record'), slab)),
    nextPartitionCursor: fields.text('next_partition_cursor') ?? '',
    ...(millisBehindLatest !== undefined && { millisBehindLatest }),
  };
}

function recordOf(fields: Fields, slab: Slab): DisRecord {
  // An empty key is a key: it is hashed like any other.
  const partitionKey = fields.raw('partition_key');
  const timestamp = fields.integer('timestamp');
  const timestampType = fields.text('timestamp_type');
  const record: { -readonly [K in keyof DisRecord]: DisRecord[K] } = {
    sequenceNumber: fields.needInt64('sequence_number'),
    data: slab.decode(fields.text('data') ?? ''),
  };
  if (typeof partitionKey === 'string') record.partitionKey = partitionKey;
  if (timestamp !== undefined) record.timestamp = timestamp;
  if (timestampType !== undefined) record.timestampType = timestampType;
  return record;
}

/** One piece of memory for the data of a whole answer, instead of one for each record. */
class Slab {
  readonly #memory: Buffer;
  #at = 0;

  constructor(memory: Buffer) {
    this.#memory = memory;
  }

  decode(base64: string): Buffer {
    const start = this.#at;
    this.#at += this.#memory.write(base64, start, 'base64');
    return this.#memory.subarray(start, this.#at);
  }
}
