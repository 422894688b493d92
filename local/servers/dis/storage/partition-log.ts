import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type StoredRecord, sealBlock, walkBlocks } from './block.ts';
import { firstWhere, SEGMENT_NAME, Segment } from './segment.ts';

/**
 * The records of one partition in a folder of segment files: appended to, read by number, dropped by age. What `append` has
 * written is there after the process is killed; after a power failure it may not be, as nothing waits for the disk.
 *
 * Records are numbered from 0 here; the stream adds the sequence number that its partitions begin with.
 */
export class PartitionLog {
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #segments: Segment[] = [];

  constructor(folder: string, segmentBytes: number) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    mkdirSync(folder, { recursive: true });
    const firsts = readdirSync(folder).flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []);
    firsts.sort().forEach((first, index) => {
      this.#segments.push(new Segment(folder, Number(first), { isLast: index === firsts.length - 1 }));
    });
    if (this.#segments.length === 0) this.#segments.push(new Segment(folder, 0, { isLast: true }));
  }

  /** Number of the record to come. */
  get next(): number {
    return this.#last.next;
  }

  /** Write time of the newest record. */
  get newestMs(): number | undefined {
    return this.#last.newestMs ?? this.#segments.at(-2)?.newestMs;
  }

  get #last(): Segment {
    return this.#segments.at(-1)!;
  }

  /**
   * @param block frames, with room for the header before them
   * @returns number of the first record
   */
  append(block: Buffer, count: number, dataBytes: number, nowMs: number): number {
    // In order of time, whatever the clock does: a reader asks for the first record of a time.
    const timeMs = Math.max(nowMs, this.newestMs ?? 0);
    const header = { first: this.next, timeMs, count, dataBytes };
    sealBlock(block, header);
    if (this.#last.bytes > 0 && this.#last.bytes + block.length > this.#segmentBytes) this.#roll();
    this.#last.append(block, header);
    return header.first;
  }

  /** Number of the oldest record written after `cutoffMs`; `next` if there is none. */
  oldest(cutoffMs: number): number {
    return this.indexAt(cutoffMs + 1);
  }

  /** Number of the first record written at this time or later; `next` if there is none. */
  indexAt(timeMs: number): number {
    const at = firstWhere(this.#segments.length, (place) => (this.#segments[place]!.newestMs ?? Infinity) >= timeMs);
    return this.#segments[at]?.indexAt(timeMs) ?? this.next;
  }

  timeOf(index: number): number {
    return this.#segmentOf(index).timeOf(index);
  }

  /** Bytes of data from this record on, those before it in the same upload included. */
  dataBytesFrom(index: number): number {
    return this.#segments.reduce((sum, one) => sum + one.dataBytesFrom(Math.max(index, one.first)), 0);
  }

  /**
   * Records from number `from` on, in order: as many as have `maxBytes` of data in all.
   *
   * @param take called with each; the bytes are good until it returns
   * @returns number of the first record that was not taken
   */
  read(from: number, maxBytes: number, take: (record: StoredRecord) => void): number {
    let left = maxBytes;
    let next = from;
    const accept = (record: StoredRecord): boolean => {
      left -= record.dataEnd - record.dataStart;
      if (left < 0) return false;
      take(record);
      next = record.index + 1;
      return true;
    };
    while (next < this.next && left > 0) {
      if (!walkBlocks(this.#segmentOf(next).read(next, left), next, accept)) break;
    }
    return next;
  }

  /** Removes the files in which every record is as old as this or older. */
  dropUntil(cutoffMs: number): void {
    if (this.#last.bytes > 0 && this.#last.newestMs! <= cutoffMs) this.#roll();
    while (this.#segments.length > 1 && (this.#segments[0]!.newestMs ?? 0) <= cutoffMs)
      this.#segments.shift()!.remove();
  }

  close(): void {
    for (const segment of this.#segments) segment.close();
  }

  remove(): void {
    this.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #roll(): void {
    this.#segments.push(new Segment(this.#folder, this.next, { isLast: true }));
  }

  #segmentOf(index: number): Segment {
    return this.#segments[firstWhere(this.#segments.length, (at) => this.#segments[at]!.first > index) - 1]!;
  }
}
