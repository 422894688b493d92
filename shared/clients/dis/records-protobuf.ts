import { dataBytes, UploadBody, type UploadTarget } from './body.ts';
import { UnparsableReplyError } from './errors.ts';
import { FieldReader, fieldLength, LENGTH, textField, VARINT, varint64Length, varintLength } from './protobuf.ts';
import type { DisRecord, DownloadedData, RecordResult, UploadRecord } from './records.ts';
import { checkCount, recordResult } from './records-json.ts';

export const PROTOBUF = 'application/x-protobuf';
export const PROTOBUF_CONTENT_TYPE = `${PROTOBUF}; charset=utf-8`;

/** Numbers of the fields, by message. The service reads them in any order; they are written in that of their numbers. */
const PUT_REQUEST = { streamName: 1, records: 2, streamId: 30 } as const;
const PUT_ENTRY = { data: 3, explicitHashKey: 4, partitionKey: 5, partitionId: 6, timestamp: 29 } as const;
const PUT_RESULT = { failedRecordCount: 21, records: 22 } as const;
const PUT_RESULT_ENTRY = { partitionId: 23, sequenceNumber: 24, errorCode: 25, errorMessage: 26 } as const;
const GET_RESULT = { nextPartitionCursor: 14, records: 16 } as const;
const RECORD = { partitionKey: 17, sequenceNumber: 18, data: 19, timestamp: 27, timestampType: 28 } as const;

/** An upload as protobuf. */
export class ProtobufBody extends UploadBody {
  constructor({ streamName, streamId = '' }: UploadTarget) {
    super(PROTOBUF_CONTENT_TYPE, {
      head: textField(PUT_REQUEST.streamName, streamName),
      // The message calls it required; empty is how none is written.
      tail: textField(PUT_REQUEST.streamId, streamId),
      separator: Buffer.alloc(0),
    });
  }

  protected override encode(record: UploadRecord, isBase64: boolean, sizeBytes: number): void {
    const { partitionId, partitionKey, explicitHashKey, timestamp } = record;
    const time = timestamp === undefined ? undefined : BigInt(timestamp);
    let length = fieldLength(PUT_ENTRY.data, sizeBytes);
    length += textLength(PUT_ENTRY.explicitHashKey, explicitHashKey);
    length += textLength(PUT_ENTRY.partitionKey, partitionKey);
    length += textLength(PUT_ENTRY.partitionId, partitionId);
    if (time !== undefined) length += varintLength(PUT_ENTRY.timestamp * 8) + varint64Length(time);
    this.#tag(PUT_REQUEST.records, LENGTH);
    this.varint(length);
    this.#tag(PUT_ENTRY.data, LENGTH);
    this.varint(sizeBytes);
    this.bytes(dataBytes(record.data, isBase64));
    this.#text(PUT_ENTRY.explicitHashKey, explicitHashKey);
    this.#text(PUT_ENTRY.partitionKey, partitionKey);
    this.#text(PUT_ENTRY.partitionId, partitionId);
    if (time === undefined) return;
    this.#tag(PUT_ENTRY.timestamp, VARINT);
    this.varint64(time);
  }

  #text(field: number, value: string | number | bigint | undefined): void {
    if (value === undefined) return;
    const text = String(value);
    this.#tag(field, LENGTH);
    this.varint(Buffer.byteLength(text));
    this.text(text);
  }

  #tag(field: number, type: number): void {
    this.varint(field * 8 + type);
  }
}

function textLength(field: number, value: string | number | bigint | undefined): number {
  return value === undefined ? 0 : fieldLength(field, Buffer.byteLength(String(value)));
}

export function parseUploadProtobuf(bytes: Buffer, count: number): RecordResult[] {
  const results: RecordResult[] = [];
  const reader = new FieldReader(bytes);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === PUT_RESULT.records) results.push(resultOf(reader.message()));
    else reader.skip();
  }
  return checkCount(results, count);
}

function resultOf(reader: FieldReader): RecordResult {
  const found: Partial<Record<keyof typeof PUT_RESULT_ENTRY, string>> = {};
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === PUT_RESULT_ENTRY.partitionId) found.partitionId = reader.text();
    else if (field === PUT_RESULT_ENTRY.sequenceNumber) found.sequenceNumber = reader.text();
    else if (field === PUT_RESULT_ENTRY.errorCode) found.errorCode = reader.text();
    else if (field === PUT_RESULT_ENTRY.errorMessage) found.errorMessage = reader.text();
    else reader.skip();
  }
  const { partitionId, sequenceNumber, errorCode, errorMessage } = found;
  const number = sequenceNumber ? sequenceNumberOf(sequenceNumber) : undefined;
  return recordResult(partitionId, number, errorCode || undefined, errorMessage);
}

export function parseDownloadProtobuf(bytes: Buffer): DownloadedData {
  const records: DisRecord[] = [];
  let nextPartitionCursor = '';
  const reader = new FieldReader(bytes);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === GET_RESULT.records) records.push(recordOf(reader.message()));
    else if (field === GET_RESULT.nextPartitionCursor) nextPartitionCursor = reader.text();
    else reader.skip();
  }
  return { records, nextPartitionCursor };
}

function recordOf(reader: FieldReader): DisRecord {
  let sequenceNumber: bigint | undefined;
  const record: { data: Buffer; partitionKey?: string; timestamp?: number; timestampType?: string } = { data: EMPTY };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === RECORD.sequenceNumber) sequenceNumber = sequenceNumberOf(reader.text());
    else if (field === RECORD.data) record.data = reader.bytes();
    else if (field === RECORD.partitionKey) record.partitionKey = reader.text();
    else if (field === RECORD.timestamp) record.timestamp = Number(reader.int64());
    else if (field === RECORD.timestampType) record.timestampType = reader.text();
    else reader.skip();
  }
  if (sequenceNumber === undefined) throw new UnparsableReplyError('a record has no sequence number');
  return { sequenceNumber, ...record };
}

const EMPTY = Buffer.alloc(0);

function sequenceNumberOf(text: string): bigint {
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
  throw new UnparsableReplyError('a sequence number is no number');
}
