import { createHash, type Hash } from 'node:crypto';
import { type Data, Schema, Vector } from 'apache-arrow';
import { ConversionError, convert } from '../arrow/convert.ts';
import { type DecodedBatch, decodeStream, MalformedArrowError } from '../arrow/decode.ts';
import type { Run } from '../arrow/gather.ts';
import { arrowSchema, arrowType, storedForm } from '../arrow/types.ts';
import { publishReferences } from '../blobs/references.ts';
import type { Blobs } from '../blobs/store.ts';
import { badRequest, ServiceError } from '../errors.ts';
import type { UploadedSegment } from '../tables/changes.ts';
import type { Column, TableRecord } from '../tables/definition.ts';
import { SegmentWriter } from '../tables/segment.ts';
import { holdsBlob } from '../tables/types.ts';

export interface Upload {
  readonly record: TableRecord;
  readonly segmentFolder: string;
  /** Levels that the session names; the values of the others come with the rows. */
  readonly levels: ReadonlyMap<string, string>;
  readonly bareDecimalBits: 128 | 256;
  readonly blobs: Blobs;
  /** Of a body; a larger one is refused when so many have come. */
  readonly maxBytes: number;
  /** Whether the body's hash is wanted, by which a replay is known. */
  readonly isHashed: boolean;
}

export interface StoredRows {
  readonly segments: readonly UploadedSegment[];
  readonly rows: number;
}

export interface Uploaded extends StoredRows {
  readonly bytes: number;
  /** Of the body as it came; empty unless it is wanted. */
  readonly hash: string;
}

/** What an upload's columns are: those of the table, then the partition levels that the session leaves open. */
export const uploadColumns = (record: TableRecord, levels: ReadonlyMap<string, string>): readonly Column[] => [
  ...record.columns,
  ...record.partitionColumns.filter(({ name }) => !levels.has(name)),
];

/**
 * Writes the rows of an Arrow stream to segments, one for each partition and bucket, in memory for a batch at a time. Columns
 * are found by their names, and all must be there. Nothing is left if the stream is refused.
 *
 * @throws {ServiceError} MalformedDataStream, InvalidArgument for other columns or values, 413
 */
export async function receiveRows(body: AsyncIterable<Uint8Array>, upload: Upload): Promise<Uploaded> {
  const counted = new CountedBody(body, upload);
  const stored = await storeBatches(decodeStream(counted), upload);
  return { ...stored, bytes: counted.bytes, hash: counted.hash() };
}

/** As `receiveRows`, of batches wherever they come from: their schema first. */
export async function storeBatches(items: AsyncIterable<Schema | DecodedBatch>, upload: Upload): Promise<StoredRows> {
  const writers = new Map<string, Destination>();
  const columns = uploadColumns(upload.record, upload.levels);
  try {
    let order: readonly number[] = [];
    let rows = 0;
    for await (const item of items) {
      if (item instanceof Schema) {
        order = orderOf(item, columns, upload.record.name);
        continue;
      }
      const converted = columns.map((column, index) => columnData(item.columns[order[index]!]!, column, upload));
      for (const { key, partition, bucket, runs } of destinations(converted, item.rows, upload)) {
        let destination = writers.get(key);
        if (!destination) {
          const schema = arrowSchema(upload.record.columns, storedForm(upload.bareDecimalBits));
          destination = { partition, bucket, writer: new SegmentWriter(upload.segmentFolder, schema) };
          writers.set(key, destination);
        }
        await destination.writer.write(converted.slice(0, upload.record.columns.length), runs);
      }
      rows += item.rows;
    }
    const segments: UploadedSegment[] = [];
    for (const { partition, bucket, writer } of writers.values()) {
      if (writer.rows === 0) {
        await writer.discard();
        continue;
      }
      const columnIds = upload.record.columns.map(({ id }) => id);
      segments.push({ partition, ...(await writer.finish()), columnIds, ...(bucket !== undefined && { bucket }) });
    }
    return { segments, rows };
  } catch (error) {
    for (const { writer } of writers.values()) await writer.discard();
    if (error instanceof MalformedArrowError)
      throw badRequest(`the rows are no Arrow stream: ${error.message}`, 'MalformedDataStream');
    if (error instanceof ConversionError) throw badRequest(`the rows do not have the table's schema: ${error.message}`);
    throw error;
  }
}

interface Destination {
  readonly partition: readonly string[];
  readonly bucket: number | undefined;
  readonly writer: SegmentWriter;
}

class CountedBody implements AsyncIterable<Uint8Array> {
  bytes = 0;
  readonly #hash: Hash | undefined;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #maxBytes: number;

  constructor(body: AsyncIterable<Uint8Array>, { maxBytes, isHashed }: Pick<Upload, 'maxBytes' | 'isHashed'>) {
    this.#body = body;
    this.#maxBytes = maxBytes;
    this.#hash = isHashed ? createHash('sha1') : undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#body) {
      this.bytes += chunk.length;
      if (this.bytes > this.#maxBytes) throw new TooLargeError();
      this.#hash?.update(chunk);
      yield chunk;
    }
  }

  hash(): string {
    return this.#hash?.digest('hex') ?? '';
  }
}

/** Answered as a gateway does, without a code. */
export class TooLargeError extends ServiceError {
  constructor() {
    super(413, 'RequestEntityTooLarge', 'Request Entity Too Large');
  }
}

function orderOf(schema: Schema, columns: readonly Column[], table: string): readonly number[] {
  const names = schema.fields.map(({ name }) => name.toLowerCase());
  const unknown = names.find((name) => !columns.some((column) => column.name === name));
  if (unknown !== undefined) throw badRequest(`the rows have a column ${unknown}, table ${table} has none`);
  return columns.map(({ name }) => {
    const index = names.indexOf(name);
    if (index === -1) throw badRequest(`the rows have no column ${name}, which table ${table} has`);
    return index;
  });
}

function columnData(data: Data, { name, type, nullable }: Column, { bareDecimalBits, blobs }: Upload): Data {
  const converted = convert(data, arrowType(type, storedForm(bareDecimalBits)), name);
  if (!nullable && converted.nullCount > 0) throw badRequest(`column ${name} must not be null`);
  return holdsBlob(type) ? publishReferences(converted, type, blobs) : converted;
}

interface Share {
  readonly key: string;
  readonly partition: readonly string[];
  readonly bucket: number | undefined;
  readonly runs: Run[];
}

/** Where the rows of a batch go: usually all to one place. */
function destinations(columns: readonly Data[], rows: number, { record, levels }: Upload): Iterable<Share> {
  const open = record.partitionColumns.filter(({ name }) => !levels.has(name));
  const { clusteredBy } = record;
  if (open.length === 0 && !clusteredBy) {
    const partition = record.partitionColumns.map(({ name }) => levels.get(name)!);
    return [{ key: '', partition, bucket: undefined, runs: rows > 0 ? [[0, rows]] : [] }];
  }
  const vectors = columns.map((data) => new Vector([data]));
  const keys = clusteredBy?.columns.map((name) => record.columns.findIndex((column) => column.name === name)) ?? [];
  const shares = new Map<string, Share>();
  for (let row = 0; row < rows; row++) {
    const partition = record.partitionColumns.map(({ name }) => {
      const given = levels.get(name);
      if (given !== undefined) return given;
      const value: unknown =
        vectors[record.columns.length + open.findIndex((column) => column.name === name)]!.get(row);
      if (value === null || value === '')
        throw badRequest(`partition column ${name} must not be null or empty`, 'InvalidPartitionSpec');
      return String(value);
    });
    const bucket = clusteredBy
      ? bucketOf(
          keys.map((key) => String(vectors[key]!.get(row))),
          clusteredBy.buckets,
        )
      : undefined;
    const key = JSON.stringify([partition, bucket ?? '']);
    const share = shares.get(key) ?? { key, partition, bucket, runs: [] };
    shares.set(key, share);
    const last = share.runs.at(-1);
    if (last?.[1] === row) share.runs[share.runs.length - 1] = [last[0], row + 1];
    else share.runs.push([row, row + 1]);
  }
  return shares.values();
}

/** FNV-1a over the keys: which bucket a row is in is the server's own affair. */
function bucketOf(keys: readonly string[], buckets: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(keys.join('\0'))) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % buckets;
}
