import { once } from 'node:events';
import { createGzip, type Gzip } from 'node:zlib';
import type { Objects, ObjectWriter } from '../../../../shared/landing/objects.ts';
import type { Stream } from '../stream.ts';
import type { ObsDestination } from './descriptor.ts';
import { objectKey, timeDirectory, timeOfRecord } from './keys.ts';
import type { Delivery } from './task.ts';
import { unpack } from './unpack.ts';

const READ_BYTES = 2 * 1024 * 1024;
const MB = 1024 * 1024;

/** @returns how many records of each partition had to be left out */
export async function deliver(
  stream: Stream,
  taskId: string,
  obs: ObsDestination,
  delivery: Delivery,
  objects: Objects,
): Promise<Map<number, number>> {
  const files = new Files(objects, obs, `${stream.id}_${taskId}`, delivery.atMs);
  const discarded = new Map<number, number>();
  try {
    for (const { partition, from, to } of delivery.ranges) {
      const source = stream.partitions[partition]!;
      for (let next = from; next < to; ) {
        const batch: { readonly index: number; readonly data: Buffer }[] = [];
        const reached = source.log.read(next, READ_BYTES, ({ index, bytes, dataStart, dataEnd }) => {
          if (index < to) batch.push({ index, data: bytes.subarray(dataStart, dataEnd) });
        });
        // What has aged out meanwhile is not delivered.
        if (reached === next) break;
        next = reached;
        for (const { index, data } of batch) {
          const whole = unpack(data, stream.settings.compressionFormat);
          const schema = obs.processing_schema;
          const timeMs = whole && schema ? timeOfRecord(whole, schema) : delivery.atMs;
          if (whole && timeMs !== undefined) await files.write(timeMs, whole, source.sequenceText(index));
          else discarded.set(partition, (discarded.get(partition) ?? 0) + 1);
        }
      }
    }
    await files.close();
  } catch (error) {
    await files.abort();
    throw error;
  }
  return discarded;
}

/** The files of one delivery: one, or with a processing schema one for each time directory; cut at `deliver_size_interval`. */
class Files {
  readonly #objects: Objects;
  readonly #obs: ObsDestination;
  readonly #prefix: string;
  readonly #atMs: number;
  readonly #open = new Map<string, DumpFile>();
  readonly #keys = new Set<string>();
  readonly #delimiter: Buffer;

  constructor(objects: Objects, obs: ObsDestination, prefix: string, atMs: number) {
    this.#objects = objects;
    this.#obs = obs;
    this.#prefix = prefix;
    this.#atMs = atMs;
    this.#delimiter = Buffer.from(obs.record_delimiter === 'NULL' ? '' : obs.record_delimiter);
  }

  async write(timeMs: number, data: Buffer, sequence: string): Promise<void> {
    const directory = timeDirectory(this.#obs.partition_format, timeMs);
    let file = this.#open.get(directory);
    if (!file) {
      file = new DumpFile(this.#objects.create(this.#newKey(directory, sequence)), this.#obs.compression_format);
      this.#open.set(directory, file);
    }
    await file.write(data);
    await file.write(this.#delimiter);
    if (file.bytes >= (this.#obs.deliver_size_interval ?? Infinity) * MB) {
      this.#open.delete(directory);
      await file.close();
    }
  }

  async close(): Promise<void> {
    for (const file of this.#open.values()) await file.close();
  }

  async abort(): Promise<void> {
    for (const file of this.#open.values()) await file.abort();
  }

  /** Two files of one delivery may begin with the same number, of two partitions. */
  #newKey(directory: string, sequence: string): string {
    const extension = this.#obs.compression_format === 'gzip' ? '.txt.gz' : '.txt';
    for (let copy = 1; ; copy++) {
      const name = `${this.#prefix}_${sequence}_${this.#atMs}${copy === 1 ? '' : `_${copy}`}${extension}`;
      const key = objectKey(this.#obs, directory, name);
      if (this.#keys.has(key)) continue;
      this.#keys.add(key);
      return key;
    }
  }
}

class DumpFile {
  bytes = 0;
  readonly #writer: ObjectWriter;
  readonly #gzip: Gzip | undefined;
  readonly #packed: Promise<void>;

  constructor(writer: ObjectWriter, compression: 'gzip' | undefined) {
    this.#writer = writer;
    this.#gzip = compression ? createGzip() : undefined;
    this.#packed = this.#gzip ? pump(this.#gzip, writer) : Promise.resolve();
    // Looked at when the file is closed.
    this.#packed.catch(() => {});
  }

  async write(data: Buffer): Promise<void> {
    this.bytes += data.length;
    if (!this.#gzip) await this.#writer.write(data);
    else if (!this.#gzip.write(data)) await Promise.race([once(this.#gzip, 'drain'), this.#packed]);
  }

  async close(): Promise<void> {
    this.#gzip?.end();
    await this.#packed;
    await this.#writer.close();
  }

  async abort(): Promise<void> {
    this.#gzip?.destroy();
    await this.#writer.abort();
  }
}

async function pump(from: Gzip, writer: ObjectWriter): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) await writer.write(chunk);
}
