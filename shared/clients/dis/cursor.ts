import { InvalidAttributeError } from './errors.ts';
import { fieldsOf } from './fields.ts';
import { checkPartitionId, checkSequenceNumber, checkStreamName, checkWhole } from './limits.ts';
import { camelCase } from './names.ts';

export const CURSOR_TYPES = [
  'AT_SEQUENCE_NUMBER',
  'AFTER_SEQUENCE_NUMBER',
  'TRIM_HORIZON',
  'LATEST',
  'AT_TIMESTAMP',
] as const;
export type CursorType = (typeof CURSOR_TYPES)[number];

/** Where reading a partition begins. */
export interface CursorStart {
  /**
   * At, or behind, `startingSequenceNumber`; at the oldest record that is kept; behind the newest; at the first record
   * written at `timestamp` or later. Default: `AT_SEQUENCE_NUMBER`.
   */
  readonly cursorType?: CursorType | undefined;
  readonly startingSequenceNumber?: bigint | number | string | undefined;
  /** Milliseconds since 1970. */
  readonly timestamp?: number | undefined;
}

export interface CursorParameters extends CursorStart {
  /** Of a stream that another account shared. */
  readonly streamId?: string | undefined;
}

/** @throws {InvalidAttributeError} an unknown type; {@link OutOfLimitsError} a number that is none */
export function cursorQuery(
  streamName: string,
  partitionId: string | number,
  parameters: CursorParameters,
): Record<string, string | undefined> {
  const given = inOurCasing(parameters);
  const { cursorType, startingSequenceNumber, timestamp, streamId } = given;
  if (cursorType === 'AFTER_SEQUENCE_NUMBER' && startingSequenceNumber === undefined) {
    throw new InvalidAttributeError('AFTER_SEQUENCE_NUMBER needs startingSequenceNumber');
  }
  if (cursorType === 'AT_TIMESTAMP' && timestamp === undefined) {
    throw new InvalidAttributeError('AT_TIMESTAMP needs timestamp');
  }
  return {
    'stream-name': checkStreamName(streamName),
    'partition-id': checkPartitionId(partitionId),
    'cursor-type': cursorType === undefined ? undefined : typeOf(cursorType),
    'starting-sequence-number':
      startingSequenceNumber === undefined
        ? undefined
        : checkSequenceNumber('startingSequenceNumber', startingSequenceNumber),
    timestamp: timestamp === undefined ? undefined : String(checkWhole('timestamp', Number(timestamp), 0)),
    'stream-id': streamId,
  };
}

function typeOf(cursorType: string): CursorType {
  const found = CURSOR_TYPES.find((type) => type === cursorType);
  if (found) return found;
  throw new InvalidAttributeError(`cursorType must be one of ${CURSOR_TYPES.join(', ')}, got ${String(cursorType)}`);
}

/** `cursor_type` and `cursor-type` are understood too. */
function inOurCasing(parameters: CursorParameters): CursorParameters {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [camelCase(name), value]));
}

/** Where a partition is read from, for five minutes. */
export interface DataCursor {
  readonly partitionCursor: string;
}

export function parseCursor(body: unknown): DataCursor {
  return { partitionCursor: fieldsOf(body, 'the cursor').needText('partition_cursor') };
}
