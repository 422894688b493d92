import type { FileHandle } from 'node:fs/promises';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../core/ids.ts';
import { MIB } from '../core/units.ts';
import { LineSorter, type SortedLines } from './sorted-lines.ts';

/**
 * Holds the lines of a listing cut by slot, in constant memory: lines wait in memory up to a budget, then all of them are
 * appended to a local file as one run, slot after slot. What one shard needs is a contiguous stretch of each run.
 */
export class Spool {
  readonly #folder: string;
  readonly #slots: number;
  readonly #budgetBytes: number;
  readonly #runs: SpoolRun[] = [];
  readonly #waiting: LineSorter;
  /** What waits, sorted: made when it is first asked for. */
  #sorted: SortedLines | undefined;
  #file: FileHandle | undefined;
  #path: string | undefined;
  #fileBytes = 0;

  /** @param options.budgetBytes of lines held in memory, about; default 8 MiB */
  constructor(folder: string, slots: number, options: { budgetBytes?: number } = {}) {
    this.#folder = folder;
    this.#slots = slots;
    this.#budgetBytes = options.budgetBytes ?? 8 * MIB;
    this.#waiting = new LineSorter(slots);
  }

  /** @returns true if `flush` should be awaited before more is added */
  add(slot: number, line: string): boolean {
    this.#sorted = undefined;
    this.#waiting.add(slot, line);
    return this.#waiting.bytes >= this.#budgetBytes;
  }

  /** Moves what waits in memory to the file. */
  async flush(): Promise<void> {
    if (this.#waiting.bytes === 0) return;
    const file = await this.#open();
    const { data, ends } = this.#waitingSorted();
    await file.write(data, 0, data.length, this.#fileBytes);
    this.#runs.push({ at: this.#fileBytes, ends });
    this.#fileBytes += data.length;
    this.#waiting.clear();
    this.#sorted = undefined;
  }

  /** The lines of the slots `[first, end)`; of one slot in the order they were added. */
  async lines(first: number, end: number): Promise<string[]> {
    const pieces: string[] = [];
    for (const { at, ends } of this.#runs) {
      const length = ends[end]! - ends[first]!;
      if (length === 0) continue;
      const data = Buffer.allocUnsafe(length);
      await this.#file!.read(data, 0, length, at + ends[first]!);
      pieces.push(data.toString());
    }
    const { data, ends } = this.#waitingSorted();
    pieces.push(data.toString('utf8', ends[first]!, ends[end]!));
    return linesOf(pieces.join(''));
  }

  #waitingSorted(): SortedLines {
    this.#sorted ??= this.#waiting.sorted();
    return this.#sorted;
  }

  async #open(): Promise<FileHandle> {
    if (!this.#file) {
      this.#path = join(this.#folder, `landfall-spool-${newId()}`);
      this.#file = await open(this.#path, 'wx+', 0o600);
    }
    return this.#file;
  }

  /** All that was added, as one stream of bytes and what tells where in it each slot lies. */
  async save(): Promise<{ readonly index: SpoolIndex; readonly data: AsyncIterable<Uint8Array> }> {
    if (this.#runs.length === 0) {
      const { data, ends } = this.#waitingSorted();
      return { index: [savedRun({ at: 0, ends })], data: once(data) };
    }
    await this.flush();
    return { index: this.#runs.map(savedRun), data: this.#stream() };
  }

  async *#stream(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.#fileBytes; at += STREAM_CHUNK_BYTES) {
      const data = Buffer.allocUnsafe(Math.min(STREAM_CHUNK_BYTES, this.#fileBytes - at));
      await this.#file!.read(data, 0, data.length, at);
      yield data;
    }
  }

  async restore(index: SpoolIndex, data: AsyncIterable<Uint8Array>): Promise<void> {
    const runs = index.map(({ at, ends }) => ({
      at,
      ends: new Float64Array(new Uint8Array(Buffer.from(ends, 'base64')).buffer),
    }));
    const [only] = runs;
    // What fitted into memory when it was saved fits again.
    if (only && runs.length === 1 && only.ends[this.#slots]! < this.#budgetBytes)
      return this.#unpack(only.ends, await Array.fromAsync(data));
    const file = await this.#open();
    for await (const chunk of data) {
      await file.write(chunk, 0, chunk.length, this.#fileBytes);
      this.#fileBytes += chunk.length;
    }
    this.#runs.push(...runs);
  }

  #unpack(ends: Float64Array, chunks: readonly Uint8Array[]): void {
    const data = Buffer.concat(chunks);
    for (let slot = 0; slot < this.#slots; slot++) {
      for (const line of linesOf(data.toString('utf8', ends[slot], ends[slot + 1]))) this.#waiting.add(slot, line);
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    if (this.#path) await rm(this.#path, { force: true });
  }
}

interface SpoolRun {
  readonly at: number;
  /** Where each slot ends in the run; one longer than there are slots, and 0 first. */
  readonly ends: Float64Array;
}

export type SpoolIndex = readonly { readonly at: number; readonly ends: string }[];

const savedRun = ({ at, ends }: SpoolRun) => ({ at, ends: Buffer.from(ends.buffer).toString('base64') });

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.slice(0, -1).split('\n'));

const STREAM_CHUNK_BYTES = MIB;
