/**
 * A table of a flatbuffer; every access is checked by the view. Absent fields read as zero.
 *
 * @throws {RangeError} something lies beyond the view
 */
export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  uint8(field: number): number {
    const at = this.#place(field);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  int64(field: number): number {
    const at = this.#place(field);
    return at === 0 ? 0 : Number(this.#view.getBigInt64(at, true));
  }

  table(field: number): FlatTable | undefined {
    const at = this.#place(field);
    return at === 0 ? undefined : this.#tableAt(at);
  }

  /** A vector of tables. */
  tables(field: number): FlatTable[] {
    const { start, length } = this.vector(field, 4);
    return Array.from({ length }, (_, index) => this.#tableAt(start + index * 4));
  }

  /** A vector of structs of two 64-bit numbers. */
  pairs(field: number): [number, number][] {
    const { start, length } = this.vector(field, 16);
    return Array.from({ length }, (_, index) => [
      Number(this.#view.getBigInt64(start + index * 16, true)),
      Number(this.#view.getBigInt64(start + index * 16 + 8, true)),
    ]);
  }

  /** Where a vector or text lies, all of which is within the view. */
  vector(field: number, itemBytes: number): { readonly start: number; readonly length: number } {
    const at = this.#place(field);
    if (at === 0) return { start: 0, length: 0 };
    const start = at + this.#view.getUint32(at, true);
    const length = this.#view.getUint32(start, true);
    if (start + 4 + length * itemBytes > this.#view.byteLength) throw new RangeError('vector');
    return { start: start + 4, length };
  }

  /** A vector of keys and values, which are texts. */
  checkPairs(field: number): void {
    for (const pair of this.tables(field)) {
      pair.vector(0, 1);
      pair.vector(1, 1);
    }
  }

  #tableAt(at: number): FlatTable {
    return new FlatTable(this.#view, at + this.#view.getUint32(at, true));
  }

  /** Where a field is; 0 if it is absent. */
  #place(field: number): number {
    const vtable = this.#at - this.#view.getInt32(this.#at, true);
    const entry = 4 + field * 2;
    if (entry >= this.#view.getUint16(vtable, true)) return 0;
    const offset = this.#view.getUint16(vtable + entry, true);
    return offset === 0 ? 0 : this.#at + offset;
  }
}
