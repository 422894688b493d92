import { newEncoder } from '../landing/encoder.ts';
import type { Row } from '../records/schema.ts';
import type { FileEncoder } from './writer.ts';

/** Text is compressed in pieces of about so many characters. */
const PIECE_CHARS = 256 * 1024;

/** A file of text, a line a row. */
export function textFile(head: string, line: (row: Row) => string, compression: 'none' | 'gzip' | 'zstd'): FileEncoder {
  const encoder = newEncoder(compression);
  let text = head;
  return {
    async encode(rows) {
      const ready: Uint8Array[] = [];
      for (const row of rows) {
        text += line(row);
        if (text.length < PIECE_CHARS) continue;
        ready.push(...(await encoder.encode(Buffer.from(text))));
        text = '';
      }
      return ready;
    },
    async end() {
      const last = text === '' ? [] : await encoder.encode(Buffer.from(text));
      text = '';
      return [...last, ...(await encoder.end())];
    },
    close: () => encoder.close(),
  };
}
