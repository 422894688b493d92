import { sha256Hex } from '../../core/ids.ts';
import { newRecordWriter } from '../../formats/formats.ts';
import type { Lineage } from '../../formats/lineage.ts';
import type { FormatOptions } from '../../formats/options.ts';
import type { ByteSink, PartFile, RecordWriter } from '../../formats/writer.ts';
import { newEncoder } from '../../landing/encoder.ts';
import { pathText } from '../../landing/flat-manifest.ts';
import type { Objects } from '../../landing/objects.ts';
import type { RecordBatch } from '../../records/schema.ts';
import type { UploadPartition } from '../sink.ts';
import type { S3SinkSettings } from './options.ts';
import { baseOf, keysOfPlaced, type Placed, partKey, type Writing, writePlaced } from './place.ts';

const COMPRESSED = { none: '', gzip: '.gz', zstd: '.zst' } as const;

/** The files of a partition that is there in full. */
export interface Done {
  readonly keys: readonly string[];
  readonly rows: number;
}

/** One partition on its way. */
export class PartitionUpload {
  readonly #settings: S3SinkSettings;
  readonly #objects: Objects;
  readonly #partition: UploadPartition;
  readonly #key: string;
  readonly #pipeline: string;
  /** What is there by now, as it is written down. */
  placed: Placed;

  constructor(
    settings: S3SinkSettings,
    objects: Objects,
    pipeline: string,
    partition: UploadPartition,
    key: string,
    before: Placed,
  ) {
    this.#pipeline = pipeline;
    this.#settings = settings;
    this.#objects = objects;
    this.#partition = partition;
    this.#key = key;
    this.placed = before;
  }

  /** @returns undefined if it was told to stop */
  async copy(): Promise<Done | undefined> {
    const { compression } = this.#settings;
    const { signal } = this.#partition;
    const base = `${this.#base()}${COMPRESSED[compression]}`;
    await this.#begin({ id: '', base, extension: '', keys: [], rows: 0 });
    const encoder = newEncoder(compression);
    const contentEncoding = compression === 'none' ? {} : { contentEncoding: compression };
    const object = this.#objects.create(base, { ...contentEncoding, signal });
    const store = async (pieces: readonly Uint8Array[]) => {
      for (const piece of pieces) await object.write(piece);
    };
    try {
      for await (const chunk of this.#partition.bytes()) await store(await encoder.encode(chunk));
      if (signal.aborted) return undefined;
      await store(await encoder.end());
      await object.close();
    } finally {
      encoder.close();
      await object.abort();
    }
    return { keys: [base], rows: 0 };
  }

  /** @returns undefined if it was told to stop; the files that are complete are gone on from */
  async rows(): Promise<Done | undefined> {
    const { signal } = this.#partition;
    const file = this.#settings.file!;
    const base = this.#base();
    const { sha256, fingerprint } = this.#partition;
    const id = sha256Hex(JSON.stringify([sha256, fingerprint, base, file])).slice(0, 32);
    const { writing } = this.placed;
    let files: FilesOfRows | undefined;
    let { keys, rows } = writing?.id === id ? writing : { keys: [] as readonly string[], rows: 0 };
    const begin = (extension: string) => this.#begin({ id, base, extension, keys, rows });
    try {
      for await (const batch of this.#partition.rows({ fromRow: rows })) {
        if (signal.aborted) return undefined;
        files ??= new FilesOfRows(this.#objects, this.#partition, file, this.#lineage(), base, keys.length, begin);
        await files.write(batch);
        if (files.bytes < file.targetBytes) continue;
        ({ keys, rows } = { keys: [...keys, ...(await files.close())], rows: batch.firstRow + batch.rows.length });
        await this.#begin({ id, base, extension: files.extension, keys, rows });
        await this.#partition.committed(rows);
        files = undefined;
      }
      if (signal.aborted) return undefined;
      if (files) ({ keys, rows } = { keys: [...keys, ...(await files.close())], rows: files.end });
      return { keys, rows };
    } finally {
      await files?.abort();
    }
  }

  #base(): string {
    return baseOf(this.#settings.key, this.#partition, this.#partition.records);
  }

  #lineage(): Lineage {
    const { path, fingerprint, run, landedAt } = this.#partition;
    const ingestedAt = new Date(landedAt).toISOString().replace(/\.?0*Z$/, 'Z');
    return { partition: pathText(path), fingerprint, runId: `${this.#pipeline}/${run}`, ingestedAt };
  }

  /** Written down before it happens: what a killed upload leaves is found by it. */
  async #begin(writing: Writing): Promise<void> {
    const { writing: last } = this.placed;
    const isOther = last !== undefined && (last.base !== writing.base || last.extension !== writing.extension);
    // What an earlier one left under other keys stays named.
    const keys = isOther ? [...(await keysOfPlaced(this.#objects, this.placed))] : this.placed.keys;
    this.placed = { ...this.placed, keys, writing };
    await writePlaced(this.#objects, this.#key, this.placed);
  }
}

/** One file, or several if the columns change; the next ones begin when these are large enough. */
class FilesOfRows {
  readonly #writer: RecordWriter<void>;
  readonly #keys: string[] = [];
  extension = '';
  /** So far. */
  bytes = 0;
  end = 0;

  constructor(
    objects: Objects,
    { signal }: UploadPartition,
    file: FormatOptions,
    lineage: Lineage,
    base: string,
    firstPart: number,
    begin: (extension: string) => Promise<void>,
  ) {
    const open = ({ part, extension, contentType, contentEncoding }: PartFile): ByteSink<void> => {
      const key = partKey(base, firstPart + part, extension);
      const about = { contentType, ...(contentEncoding ? { contentEncoding } : {}), signal };
      this.extension = extension;
      this.#keys.push(key);
      const object = objects.create(key, about);
      let begun: Promise<void> | undefined;
      return {
        write: async (chunk) => {
          begun ??= begin(extension);
          await begun;
          this.bytes += chunk.length;
          await object.write(chunk);
        },
        close: async () => void (await object.close()),
        abort: () => object.abort(),
      };
    };
    this.#writer = newRecordWriter({ ...file, targetBytes: Number.MAX_SAFE_INTEGER }, open, lineage);
  }

  async write(batch: RecordBatch): Promise<void> {
    await this.#writer.write(batch);
    this.end = batch.firstRow + batch.rows.length;
  }

  async close(): Promise<readonly string[]> {
    await this.#writer.close();
    return this.#keys;
  }

  abort(): Promise<void> {
    return this.#writer.abort();
  }
}
