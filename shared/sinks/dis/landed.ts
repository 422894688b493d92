import { RECORD_MAX_BYTES } from '../../clients/dis/limits.ts';

/** A piece of what landed; of one that is too long for a record only its beginning. */
export interface LandedPiece {
  readonly bytes: Uint8Array;
  readonly sizeBytes: number;
}

const NEWLINE = 10;
const RETURN = 13;

/** Lines, without their ends (`\n` or `\r\n`); the last one may have none. */
export async function* landedLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LandedPiece> {
  let line = new Piece();
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      line.add(chunk.subarray(from, end));
      yield line.withoutReturn();
      line = new Piece();
      from = end + 1;
    }
    line.add(chunk.subarray(from));
  }
  if (line.sizeBytes > 0) yield line.withoutReturn();
}

/** All of it as one; nothing if it is empty. */
export async function* landedWhole(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LandedPiece> {
  const whole = new Piece();
  for await (const chunk of chunks) whole.add(chunk);
  if (whole.sizeBytes > 0) yield { bytes: whole.bytes(), sizeBytes: whole.sizeBytes };
}

/** Keeps what a record may have and the return that may end a line, and counts the rest. */
class Piece {
  readonly #chunks: Uint8Array[] = [];
  sizeBytes = 0;

  add(chunk: Uint8Array): void {
    const room = RECORD_MAX_BYTES + 1 - this.sizeBytes;
    if (room > 0 && chunk.byteLength > 0) this.#chunks.push(chunk.subarray(0, room));
    this.sizeBytes += chunk.byteLength;
  }

  bytes(): Uint8Array {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }

  withoutReturn(): LandedPiece {
    const bytes = this.bytes();
    const isWhole = bytes.byteLength === this.sizeBytes;
    if (!isWhole || bytes.at(-1) !== RETURN) return { bytes, sizeBytes: this.sizeBytes };
    return { bytes: bytes.subarray(0, -1), sizeBytes: this.sizeBytes - 1 };
  }
}
