import type { ColumnType } from '../../../records/column-type.ts';
import type { Storage } from '../storage.ts';

/** Our mapping: enums are text, which may grow without a change of the table; what is nested is jsonb. */
export function postgresStorage(type: ColumnType): Storage {
  switch (type.kind) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'int':
      return { kind: 'integer', bits: type.bits };
    case 'long':
      return { kind: 'integer', bits: 64 };
    case 'float':
      return { kind: 'real' };
    case 'double':
      return { kind: 'double' };
    case 'decimal':
      return { kind: 'numeric', precision: type.precision, scale: type.scale };
    case 'bytes':
      return { kind: 'bytes' };
    case 'date':
    case 'time':
      return { kind: type.kind };
    case 'timestamp':
      return { kind: 'timestamp', zoned: type.zoned };
    case 'string':
      if (type.format === 'uuid') return { kind: 'uuid' };
      if (type.format === 'ipv4') return { kind: 'address', family: 4 };
      if (type.format === 'ipv6') return { kind: 'address', family: 6 };
      if (type.format === 'ip') return { kind: 'address', family: 'any' };
      // A limit on its length would have to be changed when the source raises it; the text is no shorter for it.
      return { kind: 'text' };
    case 'enum':
      return { kind: 'text' };
    default:
      return { kind: 'json' };
  }
}

const INTEGERS = { 16: 'smallint', 32: 'integer', 64: 'bigint' } as const;

export function postgresType(storage: Storage, quotedEnum: (typeName: string) => string): string {
  switch (storage.kind) {
    case 'integer':
      return INTEGERS[storage.bits];
    case 'double':
      return 'double precision';
    case 'numeric':
      return `numeric(${storage.precision},${storage.scale})`;
    case 'text':
      if (storage.maxLength === undefined) return 'text';
      return `${storage.fixed ? 'char' : 'varchar'}(${storage.maxLength})`;
    case 'bytes':
      return 'bytea';
    case 'address':
      return 'inet';
    case 'timestamp':
      return storage.zoned ? 'timestamptz' : 'timestamp';
    case 'json':
      return 'jsonb';
    case 'lookup':
      return 'integer';
    case 'enum':
      return quotedEnum(storage.typeName);
    case 'array':
      return `${postgresType(storage.item, quotedEnum)}[]`;
    default:
      return storage.kind;
  }
}
