import { isIPv4, isIPv6 } from 'node:net';
import type { ColumnType } from '../../../records/column-type.ts';
import { valueToJson } from '../../../records/value-json.ts';
import { type CellWriter, Unfit } from '../dialect.ts';
import type { SqlColumn } from '../storage.ts';
import { hasPlainYear, isFinerThanMicros, plainText } from '../value-text.ts';

const SPECIAL = /[\0\\'\n\r\x1a]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\\': '\\\\',
  "'": "\\'",
  '\n': '\\n',
  '\r': '\\r',
  '\x1a': '\\Z',
};

export const literal = (text: string): string =>
  `'${SPECIAL.test(text) ? text.replace(/[\0\\'\n\r\x1a]/g, (char) => ESCAPES[char]!) : text}'`;

const UUID = /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/;
const NOT_FINITE = new Unfit('it is not finite, which MySQL does not keep');
const TOO_FINE = new Unfit('it is finer than a microsecond');
const OUT_OF_RANGE = new Unfit('it is beyond the range of dates');

/** Writes a value as a literal of an INSERT. */
export function literalWriter({ storage }: SqlColumn, from: ColumnType): CellWriter {
  switch (storage.kind) {
    case 'boolean':
      return (value) => (value === true ? '1' : '0');
    case 'real':
    case 'double':
      return (value) => (Number.isFinite(Number(value)) ? String(value) : NOT_FINITE);
    case 'text':
    case 'enum': {
      const { maxLength = Infinity } = storage.kind === 'text' ? storage : {};
      const known = storage.kind === 'enum' ? new Set(storage.values) : undefined;
      return (value) => {
        const text = typeof value === 'string' ? value : plainText(value, from);
        if (known && !known.has(text)) return new Unfit('it is none of the values of its enum');
        if (text.length > maxLength && [...text].length > maxLength)
          return new Unfit(`it is longer than ${maxLength} characters`);
        return literal(text);
      };
    }
    case 'uuid':
      return (value) =>
        UUID.test(value as string) ? literal((value as string).toLowerCase()) : new Unfit('it is no UUID');
    case 'address':
      return (value) =>
        isIPv4(value as string) || isIPv6(value as string)
          ? literal(value as string)
          : new Unfit('it is no IP address');
    case 'bytes':
      return (value) => {
        const bytes = Buffer.from(value as Uint8Array);
        return bytes.length > (storage.maxBytes ?? Infinity)
          ? new Unfit(`it is longer than ${storage.maxBytes} bytes`)
          : `X'${bytes.toString('hex')}'`;
      };
    case 'date':
    case 'timestamp':
      return (value) => instantLiteral(value as string);
    case 'time':
      return (value) => (isFinerThanMicros(`        ${value}`) ? TOO_FINE : `'${value}'`);
    case 'json':
      return (value) => literal(valueToJson(value, from));
    default:
      return String;
  }
}

/** Years 1000 to 9999 are what MySQL promises to keep. */
function instantLiteral(text: string): string | Unfit {
  if (!hasPlainYear(text) || text.startsWith('0')) return OUT_OF_RANGE;
  if (isFinerThanMicros(text)) return TOO_FINE;
  return `'${text.replace('T', ' ').replace('Z', '')}'`;
}
