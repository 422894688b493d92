import type { ColumnType } from '../../../records/column-type.ts';
import type { Storage } from '../storage.ts';

/** An index takes 3072 bytes, and a character may take four. */
const KEY_CHARS = 768;
const KEY_BYTES = 3072;

/** Our mapping: enums are text; what is nested is JSON. Texts in a key are limited. */
export function mysqlStorage(type: ColumnType, keyColumns: number): Storage {
  const isKey = keyColumns > 0;
  switch (type.kind) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'int':
      return { kind: 'integer', bits: type.bits };
    case 'long':
      return { kind: 'integer', bits: 64 };
    case 'float':
    case 'double':
      // A FLOAT is shown with six digits, so that it would not come back as it went in.
      return { kind: 'double' };
    case 'decimal':
      return { kind: 'numeric', precision: type.precision, scale: type.scale };
    case 'bytes':
      return { kind: 'bytes', ...(isKey && { maxBytes: Math.floor(KEY_BYTES / keyColumns) }) };
    case 'date':
    case 'time':
      return { kind: type.kind };
    case 'timestamp':
      return { kind: 'timestamp', zoned: type.zoned };
    case 'string':
      if (type.format === 'uuid') return { kind: 'uuid' };
      if (type.format === 'ipv4' || type.format === 'ipv6' || type.format === 'ip')
        return { kind: 'address', family: 'any' };
      return { kind: 'text', ...(isKey && { maxLength: Math.floor(KEY_CHARS / keyColumns) }) };
    case 'enum':
      return { kind: 'text', ...(isKey && { maxLength: Math.floor(KEY_CHARS / keyColumns) }) };
    default:
      return { kind: 'json' };
  }
}

const INTEGERS = { 16: 'smallint', 32: 'int', 64: 'bigint' } as const;

export function mysqlType(storage: Storage): string {
  switch (storage.kind) {
    case 'integer':
      return INTEGERS[storage.bits];
    case 'real':
      return 'float';
    case 'numeric':
      return `decimal(${storage.precision},${storage.scale})`;
    case 'text':
      return storage.maxLength === undefined ? 'longtext' : `varchar(${storage.maxLength})`;
    case 'bytes':
      return storage.maxBytes === undefined ? 'longblob' : `varbinary(${storage.maxBytes})`;
    case 'uuid':
      return 'char(36) CHARACTER SET ascii COLLATE ascii_bin';
    case 'address':
      return 'varchar(45) CHARACTER SET ascii COLLATE ascii_bin';
    case 'time':
      return 'time(6)';
    case 'timestamp':
      return 'datetime(6)';
    case 'array':
      return 'json';
    case 'lookup':
    case 'enum':
      return 'longtext';
    default:
      return storage.kind;
  }
}
