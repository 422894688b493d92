import type { Api } from './api.ts';
import type { UploadTarget } from './body.ts';
import { csvRecords } from './csv.ts';
import { errorCodeOf, InvalidAttributeError } from './errors.ts';
import { checkRecord, type RecordResult, type UploadRecord } from './records.ts';
import { Uploader, type UploadOptions } from './upload.ts';
import { newBody, postRecords } from './upload-batch.ts';

export interface UploadDataOptions extends UploadOptions {
  readonly records?: readonly UploadRecord[] | undefined;
  /** Of a CSV file, instead of `records`. */
  readonly filename?: string | undefined;
}

export interface UploadedData {
  readonly failedRecordCount: number;
  /** One for each record, in order. */
  readonly records: readonly RecordResult[];
}

/** Uploads everything and keeps all results. Every record is checked before the first is sent. */
export async function uploadAll(api: Api, target: UploadTarget, options: UploadDataOptions): Promise<UploadedData> {
  const { records, filename } = options;
  const signal = api.signalOf(options);
  if ((records === undefined) === (filename === undefined)) {
    throw new InvalidAttributeError('uploadData needs records or filename, and not both');
  }
  const count = await checkAll(options);
  if (count === 0) {
    // Whether that is an error, the service says.
    await postRecords(api, newBody(api, target), [], signal);
    return { failedRecordCount: 0, records: [] };
  }
  const results: (RecordResult | undefined)[] = new Array(count);
  let settled = 0;
  try {
    const source = filename === undefined ? (records ?? []) : csvRecords(filename);
    for await (const batch of new Uploader(api, target, options).batches(source, signal)) {
      for (const [at, index] of batch.indices.entries()) results[index] = batch.results[at];
      settled += batch.indices.length;
    }
  } catch (error) {
    signal.throwIfAborted();
    // What is known of the others must not be lost with it.
    if (settled === 0) throw error;
    const failed = { errorCode: errorCodeOf(error), errorMessage: error instanceof Error ? error.message : '' };
    for (let index = 0; index < count; index += 1) results[index] ??= failed;
  }
  const all = results as RecordResult[];
  return {
    failedRecordCount: all.reduce((sum, { errorCode }) => sum + (errorCode === undefined ? 0 : 1), 0),
    records: all,
  };
}

/** @returns how many there are */
async function checkAll({ records, filename, encoding }: UploadDataOptions): Promise<number> {
  let count = 0;
  if (filename === undefined) for (const record of records ?? []) checkRecord(record, count++, encoding);
  else for await (const record of csvRecords(filename)) checkRecord(record, count++, encoding);
  return count;
}
