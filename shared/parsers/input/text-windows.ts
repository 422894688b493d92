import { KIB } from '../../core/units.ts';
import { type DecodedText, newDecoder } from './encoding.ts';

/** A piece of the input as text. */
export interface TextWindow extends DecodedText {
  readonly isLast: boolean;
}

/**
 * Each window costs some turns of the event loop, so small chunks are put together; large ones are cut, since the records of
 * a window that fit the heap's young generation cost half as much.
 */
const WINDOW_BYTES = 32 * KIB;

/** Decodes the input in windows of about 64 KiB; the last one may be empty. */
export async function* textWindows(chunks: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<TextWindow> {
  const decoder = newDecoder(encoding);
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += WINDOW_BYTES) {
      const part = chunk.subarray(from, from + WINDOW_BYTES);
      waiting.push(part);
      size += part.length;
      if (size < WINDOW_BYTES) continue;
      const bytes = waiting.length === 1 ? part : Buffer.concat(waiting);
      waiting = [];
      size = 0;
      yield { ...decoder.decode(bytes, false), isLast: false };
    }
  }
  yield { ...decoder.decode(Buffer.concat(waiting), true), isLast: true };
}
