import { randomUUID } from 'node:crypto';
import { type BigIntStats, futimesSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytes, MIB } from '../core/units.ts';
import { DIRECT_BLOCK_BYTES } from './block-memory.ts';
import { DirectFile } from './direct-file.ts';
import type { Directories } from './directories.ts';
import { isMissing } from './folder-errors.ts';
import { TEMPORARY } from './object-key.ts';
import type { StoredObject } from './objects.ts';

/** A file under `.tmp` that becomes an object. */
export class TemporaryFile {
  readonly path: string;
  readonly #directories: Directories;
  #opening: Promise<FileHandle> | undefined;
  #direct: Promise<DirectFile | undefined> | undefined;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  #syncFailed = false;
  #syncFailure: unknown;

  constructor(top: string, directories: Directories) {
    this.path = join(top, TEMPORARY, randomUUID());
    this.#directories = directories;
  }

  async write(data: Uint8Array, position: number): Promise<void> {
    const handle = await this.#open();
    const isBlock = data.byteLength === DIRECT_BLOCK_BYTES && position % DIRECT_BLOCK_BYTES === 0;
    const written = isBlock ? await this.#writeDirectly(data, position) : 0;
    for (let at = written; at < data.byteLength; ) {
      // A disk that is nearly full takes a part; the next call tells why.
      at += (await handle.write(data, at, data.byteLength - at, position + at)).bytesWritten;
    }
    this.#unsyncedBytes += data.byteLength - written;
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES && !this.#syncing) this.#startSync(handle);
  }

  /** Makes it durable and closes it; then it can be renamed. */
  async seal(): Promise<StoredObject> {
    const handle = await this.#open();
    await this.#syncing;
    // A failed fsync is told once; the next one would succeed although the bytes are lost.
    if (this.#syncFailed) throw this.#syncFailure;
    // The kernel's own times move in steps of milliseconds, and inodes are used again: an etag needs a finer time.
    const now = (performance.timeOrigin + performance.now()) / 1000;
    futimesSync(handle.fd, now, now);
    await handle.sync();
    const stat = await handle.stat({ bigint: true });
    await this.#close();
    return storedObject(stat);
  }

  /** Never fails: what cannot be removed now, `cleanTemporary` removes. */
  async remove(): Promise<void> {
    if (!this.#opening) return;
    await this.#syncing;
    await this.#close().catch(() => {});
    await unlink(this.path).catch(() => {});
  }

  #open(): Promise<FileHandle> {
    this.#opening ??= this.#create();
    return this.#opening;
  }

  async #create(): Promise<FileHandle> {
    const directory = dirname(this.path);
    await this.#directories.make(directory);
    try {
      return await open(this.path, 'wx');
    } catch (error) {
      if (!isMissing(error)) throw error;
      // The folder was emptied by hand since it was made.
      this.#directories.forget();
      await this.#directories.make(directory);
      return open(this.path, 'wx');
    }
  }

  async #writeDirectly(block: Uint8Array, position: number): Promise<number> {
    this.#direct ??= DirectFile.open(this.path);
    return (await this.#direct)?.write(block, position) ?? 0;
  }

  async #close(): Promise<void> {
    await (await this.#direct)?.close();
    await (await this.#opening)?.close();
  }

  #startSync(handle: FileHandle): void {
    this.#unsyncedBytes = 0;
    this.#syncing = handle
      .datasync()
      .catch((error: unknown) => {
        this.#syncFailed = true;
        this.#syncFailure = error;
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }
}

/** Made of what a rename keeps and another write changes. */
export function etagOf(stat: BigIntStats): string {
  return `${stat.ino.toString(36)}-${stat.size.toString(36)}-${stat.mtimeNs.toString(36)}`;
}

export function storedObject(stat: BigIntStats): StoredObject {
  return { bytes: bytes(Number(stat.size)), etag: etagOf(stat) };
}

/** Asking the kernel so often to write what it has keeps the fsync at the end short, and the disk busy meanwhile. */
const SYNC_EVERY_BYTES = 64 * MIB;
