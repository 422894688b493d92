import { createWriteStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setImmediate as otherRequests } from 'node:timers/promises';
import { createGzip, type Gzip } from 'node:zlib';
import type { Row } from '../generator.ts';
import type { TableDefinition } from '../tables/definition.ts';
import { csv } from './csv.ts';
import { jsonLines } from './jsonl.ts';
import type { Format, Mode } from './layout.ts';
import { ParquetFile } from './parquet.ts';
import type { TextEncoding } from './text.ts';
import { tsv } from './tsv.ts';

export interface FileOptions {
  readonly definition: TableDefinition;
  readonly schemaVersion: number;
  readonly format: Format;
  readonly mode: Mode;
  readonly isIncremental: boolean;
  /** Rows after which the next file begins. */
  readonly rowsPerFile: number;
  /** Rows after which the next gzip member begins; Infinity for one member a file. */
  readonly rowsPerMember: number;
  /** What a result without rows is: one file without rows, or none. */
  readonly whenEmpty: 'one file' | 'no file';
  /** 0 to 9. */
  readonly gzipLevel: number;
  readonly folder: string;
  /** Part of the files' names. */
  readonly uuid: string;
}

export interface WrittenFile {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** Text is compressed in pieces of this many characters. */
const PIECE_CHARS = 128 * 1024;

/** Writes the result of a query as files, in constant memory. */
export async function writeFiles(
  batches: Iterable<readonly Row[]>,
  options: FileOptions,
  signal: AbortSignal,
): Promise<WrittenFile[]> {
  const written: WrittenFile[] = [];
  const next = () => openFile(join(options.folder, nameOf(written.length, options)), options);
  let file: RowFile | undefined;
  let rows = 0;
  const end = async () => {
    if (!file) return;
    await file.end();
    const { size } = await stat(file.path);
    written.push({ name: nameOf(written.length, options), path: file.path, sizeBytes: size });
    file = undefined;
    rows = 0;
  };
  try {
    for (const batch of batches) {
      signal.throwIfAborted();
      for (const row of batch) {
        if (rows === options.rowsPerFile) await end();
        file ??= await next();
        rows++;
        const room = file.add(row);
        if (room) await room;
      }
      await otherRequests();
    }
    if (!file && written.length === 0 && options.whenEmpty === 'one file') file = await next();
    await end();
    return written;
  } catch (error) {
    await file?.discard();
    throw error;
  }
}

/** `jsonl` is named `.json`, as the service names it. Parquet is compressed inside, so there is no gzip layer around it. */
function nameOf(index: number, { format, uuid }: FileOptions): string {
  const suffix = format === 'parquet' ? 'parquet' : `${format === 'jsonl' ? 'json' : format}.gz`;
  return `part-${String(index).padStart(5, '0')}-${uuid}.${suffix}`;
}

interface RowFile {
  readonly path: string;
  /** @returns a promise if the caller should wait before it adds more */
  add(row: Row): Promise<void> | undefined;
  end(): Promise<void>;
  /** Lets go of the file, wherever it stands. */
  discard(): Promise<void>;
}

async function openFile(path: string, options: FileOptions): Promise<RowFile> {
  if (options.format === 'parquet') return new ParquetRowFile(path, await open(path, 'w'), options);
  return new TextRowFile(path, encodingOf(options), options);
}

function encodingOf({ format, definition, schemaVersion, mode, isIncremental }: FileOptions): TextEncoding {
  switch (format) {
    case 'csv':
      return csv(definition, schemaVersion, mode, isIncremental);
    case 'tsv':
      return tsv(definition, schemaVersion, mode, isIncremental);
    default:
      return jsonLines(definition, schemaVersion, isIncremental);
  }
}

class TextRowFile implements RowFile {
  readonly path: string;
  readonly #encoding: TextEncoding;
  readonly #options: FileOptions;
  #text: string;
  #rowsInMember = 0;
  #gzip: Gzip;
  #written: Promise<void>;
  /** The piece being compressed, on another thread, while the next one is made. */
  #compressing: Promise<void> = Promise.resolve();

  constructor(path: string, encoding: TextEncoding, options: FileOptions) {
    this.path = path;
    this.#encoding = encoding;
    this.#options = options;
    this.#text = encoding.header;
    [this.#gzip, this.#written] = this.#openMember();
  }

  add(row: Row): Promise<void> | undefined {
    this.#text += this.#encoding.encode(row);
    if (++this.#rowsInMember >= this.#options.rowsPerMember) return this.#nextMember();
    return this.#text.length < PIECE_CHARS ? undefined : this.#compress();
  }

  async end(): Promise<void> {
    await this.#compress();
    await this.#compressing;
    this.#gzip.end();
    await this.#written;
  }

  async discard(): Promise<void> {
    this.#gzip.destroy();
    await this.#written.catch(() => undefined);
  }

  async #nextMember(): Promise<void> {
    await this.end();
    [this.#gzip, this.#written] = this.#openMember();
    this.#rowsInMember = 0;
  }

  #openMember(): [Gzip, Promise<void>] {
    const gzip = createGzip({ level: this.#options.gzipLevel, chunkSize: 64 * 1024 });
    const written = pipeline(gzip, createWriteStream(this.path, { flags: 'a' }));
    // Awaited at the end, which a failure on the way never reaches.
    written.catch(() => undefined);
    return [gzip, written];
  }

  async #compress(): Promise<void> {
    const before = this.#compressing;
    const text = this.#text;
    this.#text = '';
    if (text !== '') {
      this.#compressing = new Promise((resolve, reject) => {
        this.#gzip.write(text, (error) => (error ? reject(error) : resolve()));
      });
      this.#compressing.catch(() => undefined);
    }
    await before;
  }
}

class ParquetRowFile implements RowFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #file: ParquetFile;

  constructor(path: string, handle: FileHandle, { definition, schemaVersion, mode, isIncremental }: FileOptions) {
    this.path = path;
    this.#handle = handle;
    this.#file = new ParquetFile(definition, schemaVersion, mode, isIncremental);
  }

  add(row: Row): Promise<void> | undefined {
    const bytes = this.#file.add(row);
    return bytes && this.#append(bytes);
  }

  async end(): Promise<void> {
    await this.#append(this.#file.end());
    await this.#handle.close();
  }

  discard(): Promise<void> {
    return this.#handle.close();
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#handle.writeFile(bytes);
  }
}
