import { isIPv4, isIPv6 } from 'node:net';
import type { ColumnType, Value } from '../../../records/column-type.ts';
import { valueToJson } from '../../../records/value-json.ts';
import { type CellWriter, Unfit } from '../dialect.ts';
import type { SqlColumn, Storage } from '../storage.ts';
import { hasPlainYear, isFinerThanMicros, plainText, yearAndDay } from '../value-text.ts';

const SPECIAL = /[\\\n\r\t\b\f\v]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

export const NULL_CELL = '\\N';
const UUID = /^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/;
/** An escaped NUL in JSON text, with an even number of backslashes before it. */
const JSON_NUL = /(?<!\\)(?:\\\\)*\\u0000/;

/** Text in the format of COPY. */
export const escaped = (text: string): string =>
  SPECIAL.test(text) ? text.replace(/[\\\n\r\t\b\f\v]/g, (char) => ESCAPES[char]!) : text;

/** Writes a value as a cell of COPY's text format. */
export function copyCellWriter(column: SqlColumn, from: ColumnType): CellWriter {
  const write = valueWriter(column.storage, from);
  return isSafe(column.storage)
    ? write
    : (value) => {
        const text = write(value);
        return typeof text === 'string' ? escaped(text) : text;
      };
}

/** Whose text has nothing to escape. */
const isSafe = ({ kind }: Storage) =>
  kind !== 'text' && kind !== 'json' && kind !== 'enum' && kind !== 'bytes' && kind !== 'array';

function valueWriter(storage: Storage, from: ColumnType): CellWriter {
  switch (storage.kind) {
    case 'boolean':
      return (value) => (value === true ? 't' : 'f');
    case 'text':
      return textWriter(from, storage.maxLength ?? Infinity);
    case 'enum': {
      const known = new Set<unknown>(storage.values);
      return (value) => (known.has(value) ? (value as string) : new Unfit('it is none of the values of its enum'));
    }
    case 'uuid':
      return (value) => (UUID.test(value as string) ? (value as string) : new Unfit('it is no UUID'));
    case 'address':
      return addressWriter(storage.family);
    case 'bytes':
      return (value) => `\\x${Buffer.from(value as Uint8Array).toString('hex')}`;
    case 'date':
      return (value) => instantText(value as string, 5_874_897);
    case 'time':
      return (value) => (isFinerThanMicros(`        ${value}`) ? TOO_FINE : (value as string));
    case 'timestamp':
      return (value) => {
        const text = instantText(value as string, 294_276);
        return typeof text === 'string' && storage.zoned && from.kind === 'date' ? `${text}T00:00:00Z` : text;
      };
    case 'json':
      return (value) => {
        const text = valueToJson(value, from);
        return text.includes('\\u0000') && JSON_NUL.test(text) ? HAS_NUL : text;
      };
    case 'array': {
      const item = valueWriter(storage.item, from.kind === 'list' ? from.item : from);
      return (value) => arrayText(value as readonly Value[], item);
    }
    default:
      return String;
  }
}

const HAS_NUL = new Unfit('it has a NUL character, which PostgreSQL does not keep');
const TOO_FINE = new Unfit('it is finer than a microsecond');
const OUT_OF_RANGE = new Unfit('it is beyond the range of dates');

function textWriter(from: ColumnType, maxLength: number): CellWriter {
  const tooLong = new Unfit(`it is longer than ${maxLength} characters`);
  return (value) => {
    const text = typeof value === 'string' ? value : plainText(value, from);
    if (text.includes('\0')) return HAS_NUL;
    return text.length > maxLength && [...text].length > maxLength ? tooLong : text;
  };
}

function addressWriter(family: 4 | 6 | 'any'): CellWriter {
  const unfit = new Unfit('it is no IP address');
  return (value) => {
    const text = value as string;
    return (family !== 6 && isIPv4(text)) || (family !== 4 && isIPv6(text) && !text.includes('%')) ? text : unfit;
  };
}

/** PostgreSQL writes years before 1 as those before Christ, and begins in November of 4714 BC. */
function instantText(text: string, maxYear: number): string | Unfit {
  if (isFinerThanMicros(text)) return TOO_FINE;
  if (hasPlainYear(text) && !text.startsWith('0000')) return text;
  const { year, day } = yearAndDay(text);
  if (year > maxYear || year < -4713 || (year === -4713 && day < '11-24')) return OUT_OF_RANGE;
  const rest = text.slice(text.indexOf('-', 1));
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`;
}

function arrayText(items: readonly Value[], write: CellWriter): string | Unfit {
  const cells: string[] = [];
  for (const item of items) {
    const text = item === null ? null : write(item);
    if (text instanceof Unfit) return text;
    cells.push(text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`);
  }
  return `{${cells.join(',')}}`;
}
