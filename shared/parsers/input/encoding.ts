import { isAscii, isUtf8 } from 'node:buffer';
import { InvalidInputError } from '../../core/errors.ts';

/**
 * Stands where bytes are no text of their encoding. A lone surrogate never comes out of valid text, so a record that holds
 * one is bad, and one with a replacement character that was really there is not.
 */
export const BAD_TEXT = '\udfff';

/** @throws {InvalidInputError} there is no such encoding */
export function checkEncoding(label: string, encoding: string): void {
  if (encoding === 'latin1' || encoding === 'iso-8859-1') return;
  try {
    new TextDecoder(encoding);
  } catch {
    throw new InvalidInputError(
      `${label}: "encoding" must be one of the WHATWG standard such as "utf-8", got "${encoding}"`,
    );
  }
}

/** Turns bytes into text, chunk by chunk. */
export interface Decoder {
  /** The text of the chunk, without the beginning of a character that ends in the next one. */
  decode(chunk: Uint8Array, isLast: boolean): DecodedText;
}

export interface DecodedText {
  readonly text: string;
  /** Bytes of the whole input before the character at `at`; undefined where the encoding does not tell. */
  bytesBefore(at: number): number | undefined;
}

export function newDecoder(encoding: string): Decoder {
  const name = encoding === 'latin1' || encoding === 'iso-8859-1' ? 'latin1' : new TextDecoder(encoding).encoding;
  if (name === 'utf-8') return new Utf8Decoder();
  if (name === 'latin1') return new Latin1Decoder();
  return new OtherDecoder(name);
}

const EMPTY = new Uint8Array(0);

class Utf8Decoder implements Decoder {
  #rest: Uint8Array = EMPTY;
  #isStart = true;
  #next = 0;

  decode(chunk: Uint8Array, isLast: boolean): DecodedText {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const whole = isLast ? bytes.length : completeLength(bytes);
    this.#rest = whole === bytes.length ? EMPTY : bytes.slice(whole);
    if (whole < bytes.length) bytes = bytes.subarray(0, whole);
    if (this.#isStart && bytes.length > 0) {
      this.#isStart = false;
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
        bytes = bytes.subarray(3);
        this.#next = 3;
      }
    }
    const base = this.#next;
    this.#next += bytes.length;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // Half the memory, and faster to scan.
    if (isAscii(buffer)) return { text: buffer.toString('latin1'), bytesBefore: (at) => base + at };
    if (!isUtf8(buffer)) return { text: lineByLine(buffer), bytesBefore: () => undefined };
    const text = buffer.toString('utf8');
    return { text, bytesBefore: (at) => base + Buffer.byteLength(text.slice(0, at)) };
  }
}

/** Where the last character that is complete ends. */
function completeLength(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? length - back : length;
  }
  return length;
}

/** A line end is never part of a longer character, so a bad one spoils its line only. */
function lineByLine(buffer: Buffer): string {
  let text = '';
  for (let from = 0; from < buffer.length; ) {
    const end = buffer.indexOf(0x0a, from);
    const until = end < 0 ? buffer.length : end + 1;
    const line = buffer.subarray(from, until);
    text += isUtf8(line) ? line.toString('utf8') : line.toString('utf8').replaceAll('\ufffd', BAD_TEXT);
    from = until;
  }
  return text;
}

class Latin1Decoder implements Decoder {
  #next = 0;

  decode(chunk: Uint8Array): DecodedText {
    const base = this.#next;
    this.#next += chunk.length;
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
    return { text, bytesBefore: (at) => base + at };
  }
}

class OtherDecoder implements Decoder {
  readonly #decoder: InstanceType<typeof TextDecoder>;

  constructor(encoding: string) {
    this.#decoder = new TextDecoder(encoding);
  }

  decode(chunk: Uint8Array, isLast: boolean): DecodedText {
    const text = this.#decoder.decode(chunk, { stream: !isLast });
    return { text: text.replaceAll('\ufffd', BAD_TEXT), bytesBefore: () => undefined };
  }
}
