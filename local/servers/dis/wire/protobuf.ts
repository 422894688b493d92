import { refusal } from '../refusal.ts';
import type { Upload, UploadRecord } from './upload.ts';

/** Reads the fields of one message (proto2), half-open range of `bytes`. */
class Fields {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  field = 0;
  #type = 0;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#type = tag % 8;
    return true;
  }

  /** Where the bytes of a string, of bytes or of a message are. */
  range(): { readonly start: number; readonly end: number } {
    if (this.#type !== 2) throw malformed();
    const length = this.#varint();
    const start = this.#at;
    this.#at = start + length;
    if (this.#at > this.#end) throw malformed();
    return { start, end: this.#at };
  }

  text(): string {
    const { start, end } = this.range();
    return this.#bytes.toString('utf8', start, end);
  }

  skip(): void {
    if (this.#type === 0) this.#varint();
    else if (this.#type === 1) this.#at += 8;
    else if (this.#type === 5) this.#at += 4;
    else this.range();
    if (this.#at > this.#end) throw malformed();
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1, count = 0; count < 10; factor *= 128, count++) {
      if (this.#at >= this.#end) throw malformed();
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw malformed();
  }
}

const malformed = () => refusal('DIS.4300', 'The body is not a PutRecordsRequest.');

/** `PutRecordsRequest`. @throws {RefusedError} DIS.4300 if it is none, DIS.4202 without records, DIS.4200 without data */
export function parseProtobufUpload(bytes: Buffer): Upload {
  if (bytes.length === 0) throw refusal('DIS.4202');
  let [streamName, streamId] = ['', ''];
  const records: UploadRecord[] = [];
  const fields = new Fields(bytes, 0, bytes.length);
  while (fields.next()) {
    if (fields.field === 1) streamName = fields.text();
    else if (fields.field === 2) records.push(record(bytes, fields.range(), records.length));
    else if (fields.field === 30) streamId = fields.text();
    else fields.skip();
  }
  if (records.length === 0) throw refusal('DIS.4202');
  return { streamName: streamName || undefined, streamId: streamId || undefined, records };
}

function record(bytes: Buffer, range: { readonly start: number; readonly end: number }, index: number): UploadRecord {
  let data: { readonly start: number; readonly end: number } | undefined;
  let explicitHashKey: string | undefined;
  let partitionKey: string | undefined;
  let partitionId: string | undefined;
  const fields = new Fields(bytes, range.start, range.end);
  while (fields.next()) {
    if (fields.field === 3) data = fields.range();
    else if (fields.field === 4) explicitHashKey = fields.text() || undefined;
    else if (fields.field === 5) partitionKey = fields.text();
    else if (fields.field === 6) partitionId = fields.text() || undefined;
    else fields.skip();
  }
  if (!data || data.end === data.start) throw refusal('DIS.4200', `Invalid records[${index}].data.`);
  const { start, end } = data;
  return {
    partitionId,
    explicitHashKey,
    partitionKey,
    dataBytes: end - start,
    copyData: (target, at) => bytes.copy(target, at, start, end),
  };
}

/** Grows as it is written to. */
export class ProtobufWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(64, expectedBytes));
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  varint(field: number, value: number): void {
    this.#room(20);
    this.#varint(field * 8);
    this.#varint(value);
  }

  text(field: number, value: string): void {
    const length = Buffer.byteLength(value);
    this.message(field, length);
    this.#bytes.write(value, this.#at, length);
    this.#at += length;
  }

  bytes(field: number, source: Buffer, start: number, end: number): void {
    this.message(field, end - start);
    source.copy(this.#bytes, this.#at, start, end);
    this.#at += end - start;
  }

  /** The head of a field whose content follows. */
  message(field: number, length: number): void {
    this.#room(length + 20);
    this.#varint(field * 8 + 2);
    this.#varint(length);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Bytes of a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes of a field of text or bytes whose number takes two bytes, as those of every answer do. */
export const fieldSize = (length: number): number => 2 + varintSize(length) + length;
