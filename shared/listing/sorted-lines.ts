import { KIB } from '../core/units.ts';

/** Lines in order of their slots; of one slot in the order in which they were added. */
export interface SortedLines {
  /** Each line with its end. */
  readonly data: Buffer;
  /** Where each slot ends in `data`; one longer than there are slots, and 0 first. */
  readonly ends: Float64Array;
}

/**
 * Gathers lines as bytes, in the order they come, and sorts them by slot when asked. Strings would be kept alive one by one,
 * which costs several times the memory and the time of a collection.
 */
export class LineSorter {
  readonly #slots: number;
  #data = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #bytes = 0;
  #count = 0;
  /** Of each line: its slot, and where it ends in `#data`. */
  #slotOf = new Uint32Array(FIRST_LINES);
  #endOf = new Uint32Array(FIRST_LINES);

  constructor(slots: number) {
    this.#slots = slots;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(slot: number, line: string): void {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    this.#makeRoom(line.length * 3 + 1);
    this.#bytes += this.#data.write(line, this.#bytes);
    this.#data[this.#bytes++] = NEWLINE;
    this.#slotOf[this.#count] = slot;
    this.#endOf[this.#count++] = this.#bytes;
  }

  sorted(): SortedLines {
    return this.#count * FEW < this.#slots ? this.#fewSorted() : this.#manySorted();
  }

  /** Most listings are small: then no slot without a line is looked at. */
  #fewSorted(): SortedLines {
    const order = Array.from({ length: this.#count }, (_, line) => line);
    order.sort((a, b) => this.#slotOf[a]! - this.#slotOf[b]! || a - b);
    const ends = new Float64Array(this.#slots + 1);
    const data = Buffer.allocUnsafeSlow(this.#bytes);
    let bytes = 0;
    for (const [at, line] of order.entries()) {
      bytes += this.#data.copy(data, bytes, this.#start(line), this.#end(line));
      const next = order[at + 1];
      ends.fill(bytes, this.#slotOf[line]! + 1, next === undefined ? this.#slots + 1 : this.#slotOf[next]! + 1);
    }
    return { data, ends };
  }

  #manySorted(): SortedLines {
    const ends = new Float64Array(this.#slots + 1);
    for (let line = 0; line < this.#count; line++)
      ends[this.#slotOf[line]! + 1]! += this.#end(line) - this.#start(line);
    for (let slot = 0; slot < this.#slots; slot++) ends[slot + 1]! += ends[slot]!;
    const next = ends.slice();
    const data = Buffer.allocUnsafeSlow(this.#bytes);
    for (let line = 0; line < this.#count; line++) {
      const slot = this.#slotOf[line]!;
      next[slot]! += this.#data.copy(data, next[slot]!, this.#start(line), this.#end(line));
    }
    return { data, ends };
  }

  /** Forgets the lines and keeps the memory. */
  clear(): void {
    this.#bytes = 0;
    this.#count = 0;
  }

  #start(line: number): number {
    return line === 0 ? 0 : this.#endOf[line - 1]!;
  }

  #end(line: number): number {
    return this.#endOf[line]!;
  }

  #makeRoom(bytes: number): void {
    if (this.#bytes + bytes > this.#data.byteLength) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#data.byteLength * 2, this.#bytes + bytes));
      this.#data.copy(larger, 0, 0, this.#bytes);
      this.#data = larger;
    }
    if (this.#count === this.#endOf.length) {
      this.#slotOf = larger(this.#slotOf);
      this.#endOf = larger(this.#endOf);
    }
  }
}

const FIRST_BYTES = 4 * KIB;
const FIRST_LINES = 64;
/** Few lines are at least so many times fewer than slots. */
const FEW = 16;
const NEWLINE = 10;

function larger(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const doubled = new Uint32Array(numbers.length * 2);
  doubled.set(numbers);
  return doubled;
}
