import type { UploadRecord } from './records.ts';

/** Where an upload goes. */
export interface UploadTarget {
  readonly streamName: string;
  readonly streamId?: string | undefined;
}

/**
 * The body of an upload, written as its records come: they need not be kept, and what is sent again is cut out of it. The
 * memory is used again for the next body.
 */
export abstract class UploadBody {
  readonly contentType: string;
  /** Where each record ends. The first begins where the head ends. */
  readonly #ends: number[] = [];
  readonly #head: Buffer;
  readonly #tail: Buffer;
  /** Between two records. */
  readonly #separator: Buffer;
  #bytes: Buffer;
  #at: number;

  constructor(contentType: string, { head, tail, separator }: Readonly<Record<'head' | 'tail' | 'separator', Buffer>>) {
    this.contentType = contentType;
    this.#head = head;
    this.#tail = tail;
    this.#separator = separator;
    this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.#at = head.copy(this.#bytes);
  }

  /** How many records it holds. */
  get count(): number {
    return this.#ends.length;
  }

  add(record: UploadRecord, isBase64: boolean, sizeBytes: number): void {
    if (this.count > 0) this.bytes(this.#separator);
    this.encode(record, isBase64, sizeBytes);
    this.#ends.push(this.#at);
  }

  /** All of it. A view, good until the next record is added. */
  whole(): Buffer {
    const end = this.#at;
    this.bytes(this.#tail);
    this.#at = end;
    return this.#bytes.subarray(0, end + this.#tail.byteLength);
  }

  /** With only the records at these places. */
  only(places: readonly number[]): Buffer {
    if (places.length === this.count) return this.whole();
    const pieces: Buffer[] = [this.#head];
    for (const place of places) {
      const start = place === 0 ? this.#head.byteLength : this.#ends[place - 1]! + this.#separator.byteLength;
      if (pieces.length > 1) pieces.push(this.#separator);
      pieces.push(this.#bytes.subarray(start, this.#ends[place]));
    }
    return Buffer.concat([...pieces, this.#tail]);
  }

  /** Makes it empty, and ready to be filled again. */
  reset(): void {
    this.#ends.length = 0;
    this.#at = this.#head.byteLength;
  }

  protected abstract encode(record: UploadRecord, isBase64: boolean, sizeBytes: number): void;

  protected ascii(text: string): void {
    this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
  }

  protected text(text: string): void {
    this.#reserve(text.length * 3);
    this.#at += this.#bytes.write(text, this.#at);
  }

  protected bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }

  /** An integer in the variable length of protocol buffers. */
  protected varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  protected varint64(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.byteLength) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.byteLength * 2, this.#at + length));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

const INITIAL_BYTES = 64 * 1024;

/** The bytes of a record's data; of bytes, no copy. */
export function dataBytes(data: Uint8Array | string, isBase64: boolean): Buffer {
  if (typeof data === 'string') return Buffer.from(data, isBase64 ? 'base64' : 'utf8');
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
