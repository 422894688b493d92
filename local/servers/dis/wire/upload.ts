import { isObject } from '../../../../shared/core/json.ts';
import { invalid, optionalText, type Source } from '../fields.ts';
import { refusal } from '../refusal.ts';
import { parseJson } from './json.ts';

/** A record of an upload: where it wants to go, and its data as the body has it. */
export interface UploadRecord {
  readonly partitionId: string | undefined;
  readonly explicitHashKey: string | undefined;
  /** May be empty: an empty key is hashed like any other. */
  readonly partitionKey: string | undefined;
  /** Bytes of the data itself. */
  readonly dataBytes: number;
  /** Copies the data there. @returns how many bytes it wrote: other than `dataBytes` if the base64 is none */
  copyData(target: Buffer, at: number): number;
}

export interface Upload {
  readonly streamName: string | undefined;
  readonly streamId: string | undefined;
  readonly records: readonly UploadRecord[];
}

/** @throws {RefusedError} DIS.4300 if it is not JSON, DIS.4202 without records, DIS.4200 if a field is wrong */
export function parseJsonUpload(body: Buffer): Upload {
  const given = parseJson(body);
  const { records } = given;
  if (records !== undefined && !Array.isArray(records)) throw invalid('records');
  if (!records || records.length === 0) throw refusal('DIS.4202');
  return {
    streamName: optionalText(given, 'stream_name'),
    streamId: optionalText(given, 'stream_id'),
    records: records.map((record: unknown, index) => {
      if (!isObject(record)) throw invalid(`records[${index}]`);
      return new JsonRecord(record, index);
    }),
  };
}

class JsonRecord implements UploadRecord {
  readonly partitionId: string | undefined;
  readonly explicitHashKey: string | undefined;
  readonly partitionKey: string | undefined;
  readonly dataBytes: number;
  readonly #data: string;

  constructor(record: Source, index: number) {
    const { data, partition_key: key } = record;
    if (typeof data !== 'string' || data === '') throw invalid(`records[${index}].data`);
    if (typeof key === 'object' && key !== null) throw invalid(`records[${index}].partition_key`);
    this.#data = data;
    this.dataBytes = Buffer.byteLength(data, 'base64');
    if (this.dataBytes === 0) throw invalid(`records[${index}].data`);
    this.partitionId = record.partition_id === undefined ? undefined : optionalText(record, 'partition_id');
    this.explicitHashKey =
      record.explicit_hash_key === undefined ? undefined : optionalText(record, 'explicit_hash_key');
    this.partitionKey = key === undefined || key === null ? undefined : String(key);
  }

  copyData(target: Buffer, at: number): number {
    return target.write(this.#data, at, this.dataBytes, 'base64');
  }
}
