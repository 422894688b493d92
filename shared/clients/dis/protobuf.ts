import { UnparsableReplyError } from './errors.ts';

// The wire format of protocol buffers, as far as the messages of this service need it.

export const VARINT = 0;
const FIXED64 = 1;
export const LENGTH = 2;
const FIXED32 = 5;

/** A field of text, as a message holds it. */
export function textField(field: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([varint(field * 8 + LENGTH), varint(bytes.byteLength), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

/** Of a number that is not negative. */
export function varint64Length(value: bigint): number {
  return Math.max(1, Math.ceil(value.toString(2).length / 7));
}

/** Of a field that holds so many bytes. */
export function fieldLength(field: number, lengthBytes: number): number {
  return varintLength(field * 8) + varintLength(lengthBytes) + lengthBytes;
}

/** Reads a message field by field. What it hands out are views, not copies. */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #type = VARINT;

  constructor(bytes: Buffer, start = 0, end: number = bytes.byteLength) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** The number of the next field, whose value is to be read or skipped; 0 at the end. */
  next(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.#smallVarint();
    this.#type = tag % 8;
    return Math.floor(tag / 8);
  }

  text(): string {
    const start = this.#enter();
    return this.#bytes.toString('utf8', start, this.#at);
  }

  bytes(): Buffer {
    const start = this.#enter();
    return this.#bytes.subarray(start, this.#at);
  }

  message(): FieldReader {
    const start = this.#enter();
    return new FieldReader(this.#bytes, start, this.#at);
  }

  int64(): bigint {
    if (this.#type !== VARINT) throw malformed();
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw malformed();
  }

  /** An integer that fits 53 bits. */
  integer(): number {
    if (this.#type !== VARINT) throw malformed();
    return this.#smallVarint();
  }

  skip(): void {
    if (this.#type === VARINT) while (this.#byte() >= 0x80);
    else if (this.#type === LENGTH) this.#enter();
    else if (this.#type === FIXED64) this.#advance(8);
    else if (this.#type === FIXED32) this.#advance(4);
    else throw malformed();
  }

  /** Passes the value. @returns where it starts */
  #enter(): number {
    if (this.#type !== LENGTH) throw malformed();
    const length = this.#smallVarint();
    const start = this.#at;
    this.#advance(length);
    return start;
  }

  #smallVarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw malformed();
        return value;
      }
      scale *= 0x80;
    }
    throw malformed();
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed();
    return this.#bytes[this.#at++]!;
  }

  #advance(length: number): void {
    this.#at += length;
    if (this.#at > this.#end) throw malformed();
  }
}

function malformed(): UnparsableReplyError {
  return new UnparsableReplyError('the reply is not a protobuf message of the service');
}
