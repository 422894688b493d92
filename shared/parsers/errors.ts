import { IngestError } from '../core/errors.ts';

/** What is thrown for input that cannot be parsed. None of these messages quotes the input: it may hold anything. */
export abstract class ParseError extends IngestError {
  readonly retryable = false;
}

/** More records are bad than allowed. Names the last of them: why, which one, and where. */
export class TooManyBadRecordsError extends ParseError {
  override readonly name = 'TooManyBadRecordsError';
  readonly code = 'TooManyBadRecords';
}

/** The input does not unpack, or is not of its format at all: no parquet file, no workbook, an array that never ends. */
export class CorruptInputError extends ParseError {
  override readonly name: string = 'CorruptInputError';
  readonly code: string = 'CorruptInput';
}

/** The input expands to more than is allowed: likely a zip bomb. */
export class ExpansionLimitError extends ParseError {
  override readonly name = 'ExpansionLimitError';
  readonly code = 'ExpansionLimit';
}

/** There is nothing in the input, and `emptyInput` is `fail`. */
export class EmptyInputError extends ParseError {
  override readonly name = 'EmptyInputError';
  readonly code = 'EmptyInput';
}

/** The input's columns are not what the options or the schema ask for: a name twice, a column that is missing. */
export class ColumnMismatchError extends ParseError {
  override readonly name = 'ColumnMismatchError';
  readonly code = 'ColumnMismatch';
}

/** A feature of a format that is not read here. */
export class UnsupportedInputError extends ParseError {
  override readonly name = 'UnsupportedInputError';
  readonly code = 'UnsupportedInput';
}
