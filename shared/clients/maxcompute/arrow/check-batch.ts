import type { Data, RecordBatch } from 'apache-arrow';
import { CorruptStreamError } from '../client-errors.ts';
import type { Arrow } from './library.ts';

/** Rows that a batch may have whose columns hold nothing: a few bytes would tell of any number. */
const EMPTY_ROWS_MAX = 1_048_576;

/**
 * Looks whether the columns of a batch hold as much as they tell, unpacked as they are now: what reads them does not.
 *
 * @throws {CorruptStreamError} a column that is shorter than its batch, or refers to what is not there
 */
export function checkBatch(arrow: Pick<Arrow, 'DataType'>, batch: RecordBatch): void {
  const { children } = batch.data;
  const heldBits = children.reduce((sum, data) => sum + bytesOf(data), 0) * 8;
  if (batch.numRows > Math.max(EMPTY_ROWS_MAX, heldBits))
    throw new CorruptStreamError(`a batch of ${heldBits / 8} bytes has ${batch.numRows} rows`);
  for (const [at, { name }] of batch.schema.fields.entries()) {
    const data = children[at];
    if (!data || data.length < batch.numRows || !isWhole(arrow, data))
      throw new CorruptStreamError(`a column of an Arrow batch is shorter than it tells: ${JSON.stringify(name)}`);
  }
}

const bytesOf = ({ values, valueOffsets, nullBitmap, children }: Data): number =>
  [values, valueOffsets, nullBitmap].reduce((sum, held) => sum + ((held as Uint8Array)?.byteLength ?? 0), 0) +
  children.reduce((sum, child) => sum + (child ? bytesOf(child) : 0), 0);

function isWhole(arrow: Pick<Arrow, 'DataType'>, data: Data): boolean {
  const { DataType } = arrow;
  const { type, length, children, values, nullBitmap, nullCount } = data;
  if (length === 0) return true;
  if (nullCount > 0 && nullBitmap.byteLength * 8 < length) return false;
  if (DataType.isNull(type)) return true;
  if (DataType.isList(type) || DataType.isMap(type)) {
    const entries = children[0];
    if (!entries || !isWhole(arrow, entries)) return false;
    return areOffsets(data, entries.length);
  }
  if (DataType.isUtf8(type) || DataType.isBinary(type) || DataType.isLargeUtf8(type) || DataType.isLargeBinary(type)) {
    return areOffsets(data, (values as Uint8Array).length);
  }
  if (DataType.isStruct(type))
    return children.every((child) => child && child.length >= length && isWhole(arrow, child));
  if (DataType.isFixedSizeList(type)) {
    const entries = children[0];
    return entries !== undefined && entries.length >= length * type.listSize && isWhole(arrow, entries);
  }
  if (DataType.isDictionary(type) && !data.dictionary?.data.every((one) => isWhole(arrow, one))) return false;
  const held = (values as Uint8Array | undefined)?.length ?? 0;
  if (DataType.isBool(type)) return held * 8 >= length;
  return held >= length * data.stride;
}

/** Whether they only go up, and not beyond what they divide. */
function areOffsets({ valueOffsets, length }: Data, held: number): boolean {
  if (valueOffsets.length <= length) return false;
  let last = Number(valueOffsets[0]);
  if (last < 0) return false;
  for (let at = 1; at <= length; at++) {
    const next = Number(valueOffsets[at]);
    if (next < last) return false;
    last = next;
  }
  return last <= held;
}
