import { UnwritableValueError } from '../../formats/writer.ts';
import { pathText } from '../../landing/flat-manifest.ts';
import { InvalidKeyError } from '../../landing/object-key.ts';
import type { Objects } from '../../landing/objects.ts';
import { PartitionRefusedError, type RemovedPartition, type SinkSession, type UploadPartition } from '../sink.ts';
import type { S3SinkSettings } from './options.ts';
import { PartitionUpload } from './partition-upload.ts';
import { keysOfPlaced, type Placed, placedKey, readPlaced, writePlaced } from './place.ts';

/** By what it holds: the same content may come to be known by another fingerprint, without being uploaded again. */
const isNewer = (placed: Placed, { run, sha256 }: RemovedPartition): boolean =>
  placed.run !== undefined && (placed.run > run || (placed.run === run && placed.sha256 !== sha256));

/** Copies partitions, or their rows, to where their keys say. Repeated, it writes the same over itself. */
export class S3Session implements SinkSession {
  readonly #settings: S3SinkSettings;
  readonly #objects: Objects;
  readonly #of: { readonly pipeline: string; readonly sink: string };
  readonly #close: () => void;

  constructor(
    settings: S3SinkSettings,
    objects: Objects,
    of: { readonly pipeline: string; readonly sink: string },
    close: () => void,
  ) {
    this.#settings = settings;
    this.#objects = objects;
    this.#of = of;
    this.#close = close;
  }

  async upload(partition: UploadPartition): Promise<void> {
    try {
      await this.#upload(partition);
    } catch (error) {
      // Of this one: a value that the format cannot hold, a path that is longer than a key may be.
      if (!(error instanceof UnwritableValueError || error instanceof InvalidKeyError)) throw error;
      const message = `${pathText(partition.path)}: ${error.message}`;
      throw new PartitionRefusedError(message, { code: error.code, cause: error });
    }
  }

  async #upload(partition: UploadPartition): Promise<void> {
    const key = this.#placedKey(partition.path);
    const before = (await readPlaced(this.#objects, key)) ?? { version: 1, path: partition.path, keys: [] };
    // A partition without rows, such as a schema beside them, is copied as it is.
    const isCopy = !this.#settings.file || partition.records.change === 'none';
    const upload = new PartitionUpload(this.#settings, this.#objects, this.#of.pipeline, partition, key, before);
    const done = isCopy ? await upload.copy() : await upload.rows();
    if (!done) return;
    const { sha256, run, path } = partition;
    const { keys, rows } = done;
    const old = await keysOfPlaced(this.#objects, upload.placed);
    // Named as long as they are there.
    const dropped = [...old.difference(new Set(keys))];
    const placed: Placed = { version: 1, path, sha256, run, keys, ...(isCopy ? {} : { rows }) };
    if (dropped.length > 0) {
      await writePlaced(this.#objects, key, { ...placed, keys: [...keys, ...dropped] });
      await this.#objects.delete(dropped);
    }
    await writePlaced(this.#objects, key, placed);
    if (!isCopy) await partition.committed(rows);
  }

  async remove(removed: RemovedPartition): Promise<void> {
    const key = this.#placedKey(removed.path);
    const placed = await readPlaced(this.#objects, key);
    // What took its place, under the same path in another generation or another kind of node, stays.
    if (!placed || isNewer(placed, removed)) return;
    await this.#objects.delete([...(await keysOfPlaced(this.#objects, placed))]);
    await this.#objects.delete([key]);
  }

  async close(): Promise<void> {
    this.#close();
  }

  #placedKey(path: readonly string[]): string {
    return placedKey(this.#of.pipeline, this.#of.sink, path);
  }
}
