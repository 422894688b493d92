import { newEncoder } from '../landing/encoder.ts';
import type { Row } from '../records/schema.ts';
import type { FileEncoder } from './writer.ts';

/** Text is handed on in pieces of at most so many bytes, or of one line that is longer. */
const PIECE_BYTES = 64 * 1024;
/** What a character of a JavaScript string takes at most in UTF-8. */
const CHARACTER_MAX_BYTES = 3;

/** A file of text, a line a row. */
export function textFile(head: string, line: (row: Row) => string, compression: 'none' | 'gzip' | 'zstd'): FileEncoder {
  const encoder = newEncoder(compression);
  const text = new TextPieces();
  text.add(head);
  return {
    async encode(rows) {
      for (const row of rows) text.add(line(row));
      const ready: Uint8Array[] = [];
      for (const piece of text.take()) ready.push(...(await encoder.encode(piece)));
      return ready;
    },
    async end() {
      text.endPiece();
      const ready: Uint8Array[] = [];
      for (const piece of text.take()) ready.push(...(await encoder.encode(piece)));
      return [...ready, ...(await encoder.end())];
    },
    close: () => encoder.close(),
  };
}

/** Lines as UTF-8. Each is encoded at once: a long text that is put together first would outlive its youth in the heap. */
class TextPieces {
  #buffer = Buffer.alloc(0);
  #bytes = 0;
  #whole: Uint8Array[] = [];

  add(line: string): void {
    const bytesMax = line.length * CHARACTER_MAX_BYTES;
    if (this.#bytes + bytesMax > this.#buffer.byteLength) {
      this.endPiece();
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, bytesMax));
    }
    this.#bytes += this.#buffer.write(line, this.#bytes);
  }

  endPiece(): void {
    if (this.#bytes > 0) this.#whole.push(this.#buffer.subarray(0, this.#bytes));
    this.#buffer = Buffer.alloc(0);
    this.#bytes = 0;
  }

  /** The pieces that are whole, once. */
  take(): Uint8Array[] {
    const whole = this.#whole;
    if (whole.length > 0) this.#whole = [];
    return whole;
  }
}
