import { closeSync, ftruncateSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidInputError } from '../../../../shared/core/errors.ts';
import { BLOCK_HEADER_BYTES, type BlockHeader, blockAt } from './block.ts';

/** The name says which record is the first, so that a partition whose records have all aged out still knows where it is. */
const fileName = (first: number): string => `${String(first).padStart(16, '0')}.segment`;
export const SEGMENT_NAME = /^(\d{16})\.segment$/;

/** A file of blocks that is only ever appended to, with the place of each block in memory (32 bytes a block). */
export class Segment {
  readonly first: number;
  readonly #path: string;
  readonly #fd: number;
  readonly #firsts: number[] = [];
  readonly #offsets: number[] = [];
  readonly #times: number[] = [];
  /** Bytes of data before each block, in this segment. */
  readonly #dataBefore: number[] = [];
  #next: number;
  #bytes = 0;
  #dataBytes = 0;
  #isClosed = false;

  /** Opens or makes the segment whose first record has this number. */
  constructor(folder: string, first: number, options: { readonly isLast: boolean }) {
    this.first = first;
    this.#next = first;
    this.#path = join(folder, fileName(first));
    this.#fd = openSync(this.#path, 'a+');
    const file = readFileSync(this.#path);
    for (let at = 0; at < file.length; at = this.#bytes) {
      const header = blockAt(file, at);
      if (!header || header.first !== this.#next) {
        // The end of the last write before the process was killed; nobody was told that it was there.
        if (!options.isLast) throw new InvalidInputError(`segment file ${this.#path} is damaged at byte ${at}`);
        ftruncateSync(this.#fd, at);
        break;
      }
      this.#note(header);
    }
  }

  get next(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Write time of the newest record, or undefined if it has none. */
  get newestMs(): number | undefined {
    return this.#times.at(-1);
  }

  /** @param block sealed; it continues the segment */
  append(block: Buffer, header: Omit<BlockHeader, 'frameBytes'>): void {
    try {
      for (let done = 0; done < block.length; ) done += writeSync(this.#fd, block, done);
    } catch (error) {
      // A full disk must not leave half a block for the next one to follow.
      ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
    this.#note({ ...header, frameBytes: block.length - BLOCK_HEADER_BYTES });
  }

  /** Whole blocks from the one that has record `from` on: as many as it takes for `dataBytes` of data, or all that there are. */
  read(from: number, dataBytes: number): Buffer {
    // The number of a closed file may be another file's by now.
    if (this.#isClosed) throw new InvalidInputError(`segment file ${this.#path} is closed`);
    const block = this.#blockOf(from);
    const start = this.#offsets[block]!;
    // The records of the first block before `from` do not count, and nobody knows their size: two blocks at least.
    const wanted = (this.#dataBefore[block + 1] ?? this.#dataBytes) + dataBytes;
    const last = firstWhere(this.#dataBefore.length, (at) => this.#dataBefore[at]! > wanted);
    const bytes = Buffer.allocUnsafeSlow((this.#offsets[last] ?? this.#bytes) - start);
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.#fd, bytes, done, bytes.length - done, start + done);
      if (read === 0) throw new InvalidInputError(`segment file ${this.#path} was cut while it was open`);
      done += read;
    }
    return bytes;
  }

  /** Number of the first record written at this time or later; the segment's end if there is none. */
  indexAt(timeMs: number): number {
    const block = firstWhere(this.#times.length, (at) => this.#times[at]! >= timeMs);
    return this.#firsts[block] ?? this.#next;
  }

  timeOf(index: number): number {
    return this.#times[this.#blockOf(index)]!;
  }

  /** Bytes of data from the block that has this record on. */
  dataBytesFrom(index: number): number {
    return index >= this.#next ? 0 : this.#dataBytes - this.#dataBefore[this.#blockOf(index)]!;
  }

  close(): void {
    this.#isClosed = true;
    closeSync(this.#fd);
  }

  remove(): void {
    this.close();
    rmSync(this.#path, { force: true });
  }

  #note({ first, timeMs, frameBytes, count, dataBytes }: BlockHeader): void {
    this.#firsts.push(first);
    this.#times.push(timeMs);
    this.#offsets.push(this.#bytes);
    this.#dataBefore.push(this.#dataBytes);
    this.#bytes += BLOCK_HEADER_BYTES + frameBytes;
    this.#dataBytes += dataBytes;
    this.#next = first + count;
  }

  #blockOf(index: number): number {
    return firstWhere(this.#firsts.length, (at) => this.#firsts[at]! > index) - 1;
  }
}

/** @param holds false up to some place and true from there on. @returns that place, or `length` */
export function firstWhere(length: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
