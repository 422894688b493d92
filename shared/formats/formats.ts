import type { RecordBatch, Schema } from '../records/schema.ts';
import { typeText } from '../records/type-text.ts';
import { type Lineage, lineageRows, withLineage } from './lineage.ts';
import { checkFormat, type FormatOptions, type FormatSettings } from './options.ts';
import type { ByteSink, FileEncoder, PartFile, RecordWriter, WrittenPart } from './writer.ts';

/**
 * Writes records as files.
 *
 * @param open makes the sink of the next file
 * @param lineage of the records; required for `lineage: true`, the default
 * @throws {InvalidInputError} wrong options
 */
export function newRecordWriter<T>(
  options: FormatOptions,
  open: (file: PartFile) => ByteSink<T>,
  lineage?: Lineage,
): RecordWriter<T> {
  const settings = checkFormat(options);
  const source = settings.lineage ? lineage : undefined;
  return new PartWriter(settings, open, source);
}

class PartWriter<T> implements RecordWriter<T> {
  readonly #settings: FormatSettings;
  readonly #open: (file: PartFile) => ByteSink<T>;
  readonly #lineage: Lineage | undefined;
  readonly #written: WrittenPart<T>[] = [];
  #given: Schema | undefined;
  #schema: Schema | undefined;
  #encoder: FileEncoder | undefined;
  #sink: ByteSink<T> | undefined;
  #rows = 0;
  #bytes = 0;

  constructor(settings: FormatSettings, open: (file: PartFile) => ByteSink<T>, lineage: Lineage | undefined) {
    this.#settings = settings;
    this.#open = open;
    this.#lineage = lineage;
  }

  async write(batch: RecordBatch): Promise<void> {
    if (batch.rows.length === 0) return;
    if (this.#given !== batch.schema && (!this.#given || !isSame(this.#given, batch.schema))) {
      await this.#closePart();
      this.#schema = this.#lineage ? withLineage(batch.schema) : batch.schema;
    }
    this.#given = batch.schema;
    const rows = this.#lineage ? lineageRows(batch.rows, batch.schema, this.#lineage, batch.firstRow) : batch.rows;
    this.#encoder ??= await newFileEncoder(this.#schema!, this.#settings);
    await this.#put(await this.#encoder.encode(rows));
    this.#rows += rows.length;
    if (this.#bytes >= this.#settings.targetBytes) await this.#closePart();
  }

  async close(): Promise<readonly WrittenPart<T>[]> {
    await this.#closePart();
    return this.#written;
  }

  async abort(): Promise<void> {
    this.#encoder?.close();
    const sink = this.#sink;
    this.#encoder = undefined;
    this.#sink = undefined;
    await sink?.abort();
  }

  async #put(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#sink ??= this.#open(partFile(this.#written.length, this.#schema!, this.#settings));
      await this.#sink.write(chunk);
      this.#bytes += chunk.length;
    }
  }

  async #closePart(): Promise<void> {
    if (!this.#encoder) return;
    await this.#put(await this.#encoder.end());
    this.#encoder.close();
    const stored = await this.#sink!.close();
    const part = this.#written.length;
    this.#written.push({ part, rows: this.#rows, bytes: this.#bytes, schema: this.#schema!, stored });
    this.#encoder = undefined;
    this.#sink = undefined;
    this.#rows = 0;
    this.#bytes = 0;
  }
}

const isSame = (a: Schema, b: Schema): boolean =>
  a.columns.length === b.columns.length &&
  a.columns.every((column, at) => {
    const other = b.columns[at]!;
    const { name, type, nullable } = column;
    return name === other.name && nullable === other.nullable && typeText(type) === typeText(other.type);
  });

/** The libraries of parquet and avro are loaded when they are needed. */
async function newFileEncoder(schema: Schema, settings: FormatSettings): Promise<FileEncoder> {
  switch (settings.format) {
    case 'ndjson':
      return (await import('./ndjson.ts')).ndjsonFile(schema, settings);
    case 'csv':
      return (await import('./csv.ts')).csvFile(schema, settings);
    case 'parquet':
      return (await import('./parquet.ts')).parquetFile(schema, settings);
    case 'avro':
      return (await import('./avro.ts')).avroFile(schema, settings);
  }
}

const CONTENT_TYPES: Readonly<Record<FormatSettings['format'], string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
  avro: 'application/vnd.apache.avro',
};

function partFile(part: number, schema: Schema, { format, compression }: FormatSettings): PartFile {
  const isAround = format === 'ndjson' || format === 'csv';
  const encoding = isAround && (compression === 'gzip' || compression === 'zstd') ? compression : undefined;
  const extension = encoding === undefined ? format : `${format}.${encoding === 'gzip' ? 'gz' : 'zst'}`;
  return {
    part,
    extension,
    contentType: CONTENT_TYPES[format],
    ...(encoding && { contentEncoding: encoding }),
    schema,
  };
}
