import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { forEachLimit } from '../../core/concurrency.ts';
import { UnsafeNameError } from './errors.ts';
import { writeWhole } from './file.ts';
import { unpack, verify } from './gzip.ts';
import type { CallOptions, Machine } from './machine.ts';
import { checkFileName } from './names.ts';
import { type Head, type Link, readObject } from './storage.ts';
import { type GetResources, Trades } from './trade.ts';
import { type ObjectReference, parseUrl, type Resource } from './wire.ts';

/** How a download stands; told at each chunk, so keep what you do with it short. */
export interface DownloadProgress {
  /** The final name of the file that this is about, without its folder. */
  readonly file: string;
  /** Of this file, as transferred. */
  readonly fileBytes: number;
  /** Absent if the server does not say. */
  readonly fileTotalBytes?: number;
  readonly isFileDone: boolean;
  /** Of all files of the call so far. */
  readonly bytes: number;
  readonly filesDone: number;
  readonly files: number;
}

export interface DownloadOptions extends CallOptions {
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** Saves objects and resources as files, several at a time, each one whole or not at all. */
export class Downloads {
  readonly #machine: Machine;
  readonly #getResources: GetResources;

  constructor(machine: Machine, getResources: GetResources) {
    this.#machine = machine;
    this.#getResources = getResources;
  }

  /** Paths in the order of the objects. */
  objects(
    objects: readonly ObjectReference[],
    folder: string,
    decompress: boolean,
    options: DownloadOptions,
  ): Promise<string[]> {
    const trades = new Trades(this.#machine, objects, this.#getResources);
    const links = objects.map(({ id }, index): Link & { done(): void } => ({
      label: `object ${JSON.stringify(id)}`,
      resource: (signal) => trades.resource(index, signal),
      renew: async () => trades.forget(index),
      done: () => trades.done(index),
    }));
    return this.#saveAll(links, folder, decompress, options);
  }

  /** Paths in the order of the resources. A URL that has expired cannot be renewed here. */
  resources(
    resources: readonly Resource[],
    folder: string,
    decompress: boolean,
    options: DownloadOptions,
  ): Promise<string[]> {
    const links = resources.map((resource) => linkTo(resource));
    return this.#saveAll(links, folder, decompress, options);
  }

  /** The stored bytes of one object, as they come: still packed, each once, taken up again where the connection broke. */
  async *bytes(object: ObjectReference, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const trades = new Trades(this.#machine, [object], this.#getResources);
    const link: Link = {
      label: `object ${JSON.stringify(object.id)}`,
      resource: () => trades.resource(0, signal),
      renew: async () => trades.forget(0),
    };
    yield* readObject(this.#machine, link, signal);
  }

  async #saveAll(
    links: readonly (Link & { done?(): void })[],
    folder: string,
    decompress: boolean,
    options: DownloadOptions,
  ): Promise<string[]> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#machine.signalOf(options), stop.signal]);
    await mkdir(folder, { recursive: true });
    const paths = new Array<string>(links.length);
    const names = new Set<string>();
    const tally = new Tally(links.length, options.onProgress);
    await forEachLimit(links.keys(), this.#machine.settings.downloadConcurrency, async (index) => {
      const link = links[index]!;
      try {
        paths[index] = await this.#save(link, folder, decompress, names, tally, signal);
        link.done?.();
      } catch (error) {
        // The others would go on for as long as they last, for nothing.
        stop.abort(error);
        throw error;
      }
    });
    return paths;
  }

  async #save(
    link: Link,
    folder: string,
    decompress: boolean,
    names: Set<string>,
    tally: Tally,
    signal: AbortSignal,
  ): Promise<string> {
    // The name is in the URL alone, so the first trade comes before the file.
    let name = fileNameOf(await link.resource(signal));
    let head: Head = { isUnpacked: false };
    const received = readObject(this.#machine, link, signal, (told) => {
      head = told;
    });
    const first = await received.next();
    if ((decompress || head.isUnpacked) && name.endsWith('.gz')) {
      name = checkFileName(name.slice(0, -'.gz'.length), 'the file');
    }
    if (names.has(name))
      throw new UnsafeNameError(`two objects of this download have the file name ${JSON.stringify(name)}`);
    names.add(name);
    const stored = tally.count(name, head, resumed(first, received));
    const path = join(folder, name);
    await writeWhole(path, this.#asWanted(stored, decompress, link.label));
    tally.fileIsDone(name, head);
    return path;
  }

  #asWanted(bytes: AsyncGenerator<Uint8Array>, decompress: boolean, label: string): AsyncIterable<Uint8Array> {
    if (decompress) return unpack(bytes, label);
    return this.#machine.settings.verifyDownloads ? verify(bytes, label) : bytes;
  }
}

export function linkTo(resource: Resource): Link {
  const checked: Resource = { url: parseUrl(resource.url) };
  return { label: `file ${JSON.stringify(fileNameOf(checked))}`, resource: async () => checked };
}

/**
 * The last segment of the path, as it is written.
 *
 * @throws {UnsafeNameError} a name that would be no file, or one elsewhere
 */
function fileNameOf({ url }: Resource): string {
  const { pathname } = new URL(url);
  return checkFileName(pathname.slice(pathname.lastIndexOf('/') + 1), 'the file');
}

/** A generator of which one result has been taken, as if it had not. */
async function* resumed(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array> {
  try {
    if (first.done) return;
    yield first.value;
    yield* rest;
  } finally {
    await rest.return();
  }
}

class Tally {
  readonly #files: number;
  readonly #tell: ((progress: DownloadProgress) => void) | undefined;
  readonly #fileBytes = new Map<string, number>();
  #bytes = 0;
  #filesDone = 0;

  constructor(files: number, tell: ((progress: DownloadProgress) => void) | undefined) {
    this.#files = files;
    this.#tell = tell;
  }

  async *count(file: string, head: Head, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#bytes += chunk.byteLength;
      this.#fileBytes.set(file, (this.#fileBytes.get(file) ?? 0) + chunk.byteLength);
      this.#report(file, head, false);
      yield chunk;
    }
  }

  fileIsDone(file: string, head: Head): void {
    this.#filesDone++;
    this.#report(file, head, true);
    this.#fileBytes.delete(file);
  }

  #report(file: string, { totalBytes }: Head, isFileDone: boolean): void {
    this.#tell?.({
      file,
      fileBytes: this.#fileBytes.get(file) ?? 0,
      ...(totalBytes !== undefined && { fileTotalBytes: totalBytes }),
      isFileDone,
      bytes: this.#bytes,
      filesDone: this.#filesDone,
      files: this.#files,
    });
  }
}

/**
 * The bytes of one resource. Resolves once the server has answered, so that a refusal is thrown here and not in the middle.
 *
 * @throws {DownloadError} with the status
 */
export async function openBytes(
  machine: Machine,
  resource: Resource,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array>> {
  const bytes = readObject(machine, linkTo(resource), signal);
  return resumed(await bytes.next(), bytes);
}
