import type { Format } from '../../clients/dap/index.ts';

export interface RowCount {
  /** Is handed the unpacked bytes, chunk by chunk. */
  readonly see: (unpacked: Uint8Array) => void;
  /** undefined where rows are not lines */
  readonly total: () => number | undefined;
}

const LINE_END = 10;
const QUOTE = 34;

/** Counts the rows of a text file as it passes: its lines, without the header of TSV and CSV. */
export function countRows(format: Format): RowCount {
  let lines = 0;
  let bytes = 0;
  let last = LINE_END;
  let isQuoted = false;
  const see = (chunk: Uint8Array) => {
    if (chunk.length === 0) return;
    bytes += chunk.length;
    last = chunk[chunk.length - 1]!;
    if (format === 'csv') {
      for (const byte of chunk) {
        if (byte === QUOTE) isQuoted = !isQuoted;
        else if (byte === LINE_END && !isQuoted) lines += 1;
      }
      return;
    }
    for (let at = chunk.indexOf(LINE_END); at !== -1; at = chunk.indexOf(LINE_END, at + 1)) lines += 1;
  };
  const total = () => {
    if (format === 'parquet') return undefined;
    const all = bytes > 0 && last !== LINE_END ? lines + 1 : lines;
    return format === 'jsonl' || all === 0 ? all : all - 1;
  };
  return { see: format === 'parquet' ? () => {} : see, total };
}
