import { Field, Int64, type RecordBatch, RecordBatchStreamWriter, Schema, Utf8 } from 'apache-arrow';
import { batchOfRows } from '../../../../shared/clients/maxcompute/index.ts';
import { fixture } from './harness.ts';

export interface ArrowCase {
  readonly name: string;
  readonly buffer_compression?: string | null;
  readonly rows: number;
  readonly stream_base64: string;
  readonly expected?: Record<string, unknown>[];
  readonly expected_rows_ref?: string;
}

const vectors = fixture<{ expected_all_types: Record<string, unknown>[]; streams: ArrowCase[] }>('arrow_streams');
export const ARROW_CASES = vectors.streams;
export const ALL_TYPES = vectors.expected_all_types;

export function arrowBytes(name: string, compression?: string): Buffer {
  const found = ARROW_CASES.find(
    (one) => one.name === name && (compression ?? one.buffer_compression) === one.buffer_compression,
  );
  return Buffer.from(found!.stream_base64, 'base64');
}

export const SCHEMA = new Schema([new Field('id', new Int64(), true), new Field('v', new Utf8(), true)]);

/** Batches of two columns: `id` from 0 on, and `v`. */
export async function batchesOf(...sizes: readonly number[]): Promise<RecordBatch[]> {
  let at = 0n;
  const rowsOf = (size: number) => Array.from({ length: size }, () => ({ id: at, v: `v${at++ % 10n}` }));
  return Promise.all(sizes.map((size) => batchOfRows(SCHEMA, rowsOf(size))));
}

/** An Arrow stream of batches. */
export function streamOf(batches: readonly RecordBatch[]): Buffer {
  const writer = new RecordBatchStreamWriter();
  for (const batch of batches) writer.write(batch);
  return Buffer.from(writer.finish().toUint8Array(true));
}
