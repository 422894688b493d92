import { type Data, makeData } from 'apache-arrow';
import type { SqlType } from '../tables/types.ts';
import { type ArrowForm, arrowType } from './types.ts';

const DAY_MS = 86_400_000;

/** A partition's value as a column of so many rows. */
export function constant(type: SqlType, text: string, rows: number, form: ArrowForm): Data {
  const base = {
    type: arrowType(type, { ...form, largeStrings: false }),
    offset: 0,
    length: rows,
    nullCount: 0,
    nullBitmap: null,
  };
  switch (type.kind) {
    case 'tinyint':
      return makeData({ ...base, data: new Int8Array(rows).fill(Number(text)) } as never);
    case 'smallint':
      return makeData({ ...base, data: new Int16Array(rows).fill(Number(text)) } as never);
    case 'int':
      return makeData({ ...base, data: new Int32Array(rows).fill(Number(text)) } as never);
    case 'bigint':
      return makeData({ ...base, data: new BigInt64Array(rows).fill(BigInt(text)) } as never);
    case 'date':
      return makeData({ ...base, data: new Int32Array(rows).fill(Date.parse(`${text}T00:00:00Z`) / DAY_MS) } as never);
    default: {
      const bytes = Buffer.from(text);
      const valueOffsets = Int32Array.from({ length: rows + 1 }, (_, row) => row * bytes.length);
      return makeData({ ...base, valueOffsets, data: Buffer.alloc(bytes.length * rows, bytes) } as never);
    }
  }
}
