import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Data, Schema } from 'apache-arrow';
import { BatchDecoder, type DecodedBatch } from '../arrow/decode.ts';
import { BatchEncoder } from '../arrow/encode.ts';
import { gather, type Run, runsLength } from '../arrow/gather.ts';

/**
 * Rows of one batch in a file: what readers ask for when they ask for nothing, so that most batches go out as they are stored.
 */
export const BATCH_ROWS = 4096;
const FLUSH_BYTES = 1 << 20;

/** One record batch message of a segment's file. */
export interface StoredBatch {
  readonly start: number;
  readonly end: number;
  readonly rows: number;
}

export interface WrittenSegment {
  readonly id: string;
  readonly rows: number;
  readonly bytes: number;
}

const pathOf = (folder: string, id: string): string => join(folder, `${id}.batches`);
const indexOf = (folder: string, id: string): string => join(folder, `${id}.index.json`);

/** Writes rows as record batch messages, one after the other without a schema, and an index of where each begins. */
export class SegmentWriter {
  readonly #folder: string;
  readonly #encoder: BatchEncoder;
  readonly #id = `s${randomBytes(9).toString('hex')}`;
  readonly #batches: StoredBatch[] = [];
  #file: FileHandle | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #bytes = 0;
  #rows = 0;

  constructor(folder: string, schema: Schema) {
    this.#folder = folder;
    this.#encoder = new BatchEncoder(schema);
  }

  get rows(): number {
    return this.#rows;
  }

  /** @param runs rows of the columns, in the order they shall have */
  async write(columns: readonly Data[], runs: readonly Run[]): Promise<void> {
    for (const part of cut(runs, BATCH_ROWS)) {
      const rows = runsLength(part);
      const message = this.#encoder.batch(
        columns.map((column) => gather(column, part)),
        rows,
      );
      this.#batches.push({ start: this.#bytes, end: this.#bytes + message.length, rows });
      this.#bytes += message.length;
      this.#rows += rows;
      this.#pending.push(message);
      this.#pendingBytes += message.length;
      if (this.#pendingBytes >= FLUSH_BYTES) await this.#flush();
    }
  }

  async finish(): Promise<WrittenSegment> {
    await this.#flush();
    await this.#file?.close();
    await writeFile(indexOf(this.#folder, this.#id), JSON.stringify(this.#batches.map(({ end, rows }) => [end, rows])));
    return { id: this.#id, rows: this.#rows, bytes: this.#bytes };
  }

  async discard(): Promise<void> {
    await this.#file?.close();
    await removeSegment(this.#folder, this.#id);
  }

  async #flush(): Promise<void> {
    this.#file ??= await open(pathOf(this.#folder, this.#id), 'w');
    if (this.#pending.length > 0) await this.#file.writev(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

/** Cuts runs into lists of so many rows each; the last may have fewer. */
export function* cut(runs: readonly Run[], rows: number): Generator<readonly Run[]> {
  let part: Run[] = [];
  let left = rows;
  for (const [start, end] of runs) {
    let at = start;
    while (at < end) {
      const until = Math.min(end, at + left);
      part.push([at, until]);
      left -= until - at;
      at = until;
      if (left > 0) continue;
      yield part;
      part = [];
      left = rows;
    }
  }
  if (part.length > 0) yield part;
}

export async function removeSegment(folder: string, id: string): Promise<void> {
  await Promise.all([rm(pathOf(folder, id), { force: true }), rm(indexOf(folder, id), { force: true })]);
}

/** A segment that is there to be read; its index stays in memory, its rows do not. */
export class SegmentReader {
  readonly batches: readonly StoredBatch[];
  readonly #path: string;
  readonly #decoder: BatchDecoder;

  private constructor(path: string, batches: readonly StoredBatch[], schema: Schema) {
    this.#path = path;
    this.batches = batches;
    this.#decoder = new BatchDecoder(new BatchEncoder(schema).schemaMessage());
  }

  static async open(folder: string, id: string, schema: Schema): Promise<SegmentReader> {
    const index = JSON.parse(await readFile(indexOf(folder, id), 'utf8')) as [end: number, rows: number][];
    const batches = index.map(([end, rows], at) => ({ start: at === 0 ? 0 : index[at - 1]![0], end, rows }));
    return new SegmentReader(pathOf(folder, id), batches, schema);
  }

  /** Opens the file for the length of one read. */
  async reading(): Promise<SegmentFile> {
    return new SegmentFile(await open(this.#path, 'r'), this.#decoder);
  }
}

export class SegmentFile {
  readonly #file: FileHandle;
  readonly #decoder: BatchDecoder;

  constructor(file: FileHandle, decoder: BatchDecoder) {
    this.#file = file;
    this.#decoder = decoder;
  }

  async bytes(start: number, end: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(end - start);
    await this.#file.read(buffer, 0, buffer.length, start);
    return buffer;
  }

  async batch({ start, end }: StoredBatch): Promise<DecodedBatch> {
    return this.#decoder.batch(await this.bytes(start, end));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
