import { InvalidRecordError, RecordTooLargeError } from './errors.ts';
import { RECORD_MAX_BYTES } from './limits.ts';
import { MAX_INT64 } from './partition.ts';

/** A record to upload. */
export interface UploadRecord {
  /** 1 to 1,048,576 bytes. A text is encoded as UTF-8 unless `encoding` says otherwise. */
  readonly data: Uint8Array | string;
  /** `base64`: the text is base64 of the bytes. Default: that of the call, else `text`. */
  readonly encoding?: DataEncoding | undefined;
  /** `0` or `shardId-0000000000`; goes before everything else. */
  readonly partitionId?: string | number | undefined;
  /** Records of the same key go to the same partition, as long as the number of partitions stays. */
  readonly partitionKey?: string | undefined;
  /** 0 to 2^63 − 1: instead of the hash of the key. */
  readonly explicitHashKey?: string | number | bigint | undefined;
  /** Milliseconds since 1970. */
  readonly timestamp?: number | bigint | undefined;
}

export type DataEncoding = 'text' | 'base64';

/** What became of one record. */
export type RecordResult = StoredRecord | FailedRecord;

export interface StoredRecord {
  /** In the long form. */
  readonly partitionId: string;
  readonly sequenceNumber: bigint;
  readonly errorCode?: undefined;
  readonly errorMessage?: undefined;
}

export interface FailedRecord {
  /** Of the service, such as `DIS.4303`; or of ours, such as `DisConnectionFailed`, if the request failed as a whole. */
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly partitionId?: undefined;
  readonly sequenceNumber?: undefined;
}

/** A record as it was downloaded. */
export interface DisRecord {
  readonly sequenceNumber: bigint;
  /** May be a view into a larger buffer: copy what is to be kept for long. */
  readonly data: Buffer;
  /** Only if the producer gave one. */
  readonly partitionKey?: string;
  /** When it was written, milliseconds since 1970. */
  readonly timestamp?: number;
  /** `CreateTime`. */
  readonly timestampType?: string;
}

/** One answer of a partition. */
export interface DownloadedData {
  readonly records: readonly DisRecord[];
  /** Of the record after the last of these. Empty if the service gave none. */
  readonly nextPartitionCursor: string;
  readonly millisBehindLatest?: number;
}

/** Whether the data is text that is base64 already. */
export function isBase64(record: UploadRecord, encoding: DataEncoding = 'text'): boolean {
  return typeof record.data === 'string' && (record.encoding ?? encoding) === 'base64';
}

/**
 * @param index of the record among those given, for messages
 * @returns how many bytes of data it has
 * @throws {RecordTooLargeError} more than 1 MiB of data
 * @throws {InvalidRecordError} no data, text that is no base64, a hash key or time that is no number
 */
export function checkRecord(record: UploadRecord, index: number, encoding?: DataEncoding): number {
  const sizeBytes = sizeOf(record.data, isBase64(record, encoding), index);
  if (sizeBytes === 0) throw new InvalidRecordError(index, 'must have data, got none');
  if (sizeBytes > RECORD_MAX_BYTES) throw new RecordTooLargeError(index, sizeBytes, RECORD_MAX_BYTES);
  const { partitionKey, explicitHashKey, timestamp } = record;
  if (explicitHashKey !== undefined) checkInt64('explicitHashKey', explicitHashKey, index);
  if (timestamp !== undefined) checkInt64('timestamp', timestamp, index);
  if (partitionKey !== undefined && typeof partitionKey !== 'string') {
    throw new InvalidRecordError(index, `partitionKey must be text, got ${typeof partitionKey}`);
  }
  return sizeBytes;
}

function sizeOf(data: unknown, isEncoded: boolean, index: number): number {
  if (data instanceof Uint8Array) return data.byteLength;
  if (typeof data !== 'string') throw new InvalidRecordError(index, `data must be bytes or text, got ${typeof data}`);
  if (!isEncoded) return Buffer.byteLength(data);
  if (data.length % 4 !== 0 || !BASE64.test(data)) throw new InvalidRecordError(index, 'data must be base64');
  return Buffer.byteLength(data, 'base64');
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function checkInt64(name: string, value: string | number | bigint, index: number): void {
  const text = String(value);
  if (/^\d{1,19}$/.test(text) && BigInt(text) <= MAX_INT64) return;
  throw new InvalidRecordError(index, `${name} must be a whole number, 0 to 2^63 - 1`);
}
