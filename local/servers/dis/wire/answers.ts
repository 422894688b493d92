import { json, jsonBytes, protobuf, type Reply } from '../replies.ts';
import type { StoredRecord } from '../storage/block.ts';
import { fieldSize, ProtobufWriter, varintSize } from './protobuf.ts';

/** What became of one record of an upload. */
export type RecordResult =
  | { readonly partitionId: string; readonly sequenceNumber: string }
  | { readonly code: string; readonly message: string };

/** Fields of the other kind are left out: a client takes the mere presence of a sequence number for success. */
export function uploadReply(results: readonly RecordResult[], isProtobuf: boolean): Reply {
  const failed = results.reduce((count, result) => count + ('code' in result ? 1 : 0), 0);
  if (isProtobuf) return protobufUploadReply(results, failed);
  let text = `{"failed_record_count":${failed},"records":[`;
  for (let at = 0; at < results.length; at++) {
    const result = results[at]!;
    if (at > 0) text += ',';
    if ('code' in result) text += JSON.stringify({ error_code: result.code, error_message: result.message });
    else text += `{"partition_id":"${result.partitionId}","sequence_number":"${result.sequenceNumber}"}`;
  }
  return jsonBytes(`${text}]}`);
}

function protobufUploadReply(results: readonly RecordResult[], failed: number): Reply {
  const writer = new ProtobufWriter(16 + results.length * 48);
  writer.varint(21, failed);
  for (const result of results) {
    const isError = 'code' in result;
    const [one, other] = isError ? [result.code, result.message] : [result.partitionId, result.sequenceNumber];
    writer.message(22, fieldSize(Buffer.byteLength(one)) + fieldSize(Buffer.byteLength(other)));
    writer.text(isError ? 25 : 23, one);
    writer.text(isError ? 26 : 24, other);
  }
  return protobuf(writer.finish());
}

export interface Download {
  readonly records: readonly StoredRecord[];
  readonly sequenceText: (index: number) => string;
  readonly nextCursor: string;
  readonly behindLatestMs: number;
}

const TIMESTAMP_TYPE = 'CreateTime';
const ASCII = /^[\x20-\x7e]*$/;

export const downloadReply = (download: Download, isProtobuf: boolean): Reply =>
  isProtobuf ? protobufDownloadReply(download) : jsonDownloadReply(download);

function jsonDownloadReply({ records, sequenceText, nextCursor, behindLatestMs }: Download): Reply {
  if (records.length === 0) {
    return json(200, { records, next_partition_cursor: nextCursor, millis_behind_latest: behindLatestMs });
  }
  let text = '{"records":[';
  let isAscii = true;
  for (let at = 0; at < records.length; at++) {
    const { index, bytes, keyStart, dataStart, dataEnd, timeMs } = records[at]!;
    text += at === 0 ? '{' : ',{';
    if (keyStart >= 0) {
      const key = JSON.stringify(bytes.toString('utf8', keyStart, dataStart));
      text += `"partition_key":${key},`;
      isAscii &&= ASCII.test(key);
    }
    const data = bytes.toString('base64', dataStart, dataEnd);
    text += `"sequence_number":"${sequenceText(index)}","data":"${data}","timestamp":${timeMs},"timestamp_type":"${TIMESTAMP_TYPE}"}`;
  }
  text += `],"next_partition_cursor":"${nextCursor}","millis_behind_latest":${behindLatestMs}}`;
  return jsonBytes(isAscii ? Buffer.from(text, 'latin1') : text);
}

function protobufDownloadReply({ records, sequenceText, nextCursor }: Download): Reply {
  const dataBytes = records.reduce((sum, { dataStart, dataEnd }) => sum + dataEnd - dataStart, 0);
  const writer = new ProtobufWriter(600 + dataBytes + records.length * 64);
  writer.text(14, nextCursor);
  for (const { index, bytes, keyStart, dataStart, dataEnd, timeMs } of records) {
    const sequence = sequenceText(index);
    writer.message(
      16,
      (keyStart < 0 ? 0 : fieldSize(dataStart - keyStart)) +
        fieldSize(sequence.length) +
        fieldSize(dataEnd - dataStart) +
        (2 + varintSize(timeMs)) +
        fieldSize(TIMESTAMP_TYPE.length),
    );
    if (keyStart >= 0) writer.bytes(17, bytes, keyStart, dataStart);
    writer.text(18, sequence);
    writer.bytes(19, bytes, dataStart, dataEnd);
    writer.varint(27, timeMs);
    writer.text(28, TIMESTAMP_TYPE);
  }
  return protobuf(writer.finish());
}
