import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  LargeUtf8,
  List,
  Map_,
  Schema,
  Struct,
  Timestamp,
  TimeUnit,
  Utf8,
} from 'apache-arrow';
import type { SqlType } from '../tables/types.ts';

export type UnitName = 'second' | 'milli' | 'micro' | 'nano';

export const TIME_UNITS: Readonly<Record<UnitName, TimeUnit>> = {
  second: TimeUnit.SECOND,
  milli: TimeUnit.MILLISECOND,
  micro: TimeUnit.MICROSECOND,
  nano: TimeUnit.NANOSECOND,
};

/** What is free in the mapping of declared types to Arrow's. */
export interface ArrowForm {
  readonly timestamp: UnitName;
  readonly datetime: UnitName;
  readonly largeStrings: boolean;
  /** Width of a decimal without parameters: decimal128(38,18) or decimal256(54,18). */
  readonly bareDecimalBits: 128 | 256;
}

/** What tables are kept in, and what a session that asks for nothing else gets as it is. */
export const storedForm = (bareDecimalBits: 128 | 256): ArrowForm => ({
  timestamp: 'nano',
  datetime: 'milli',
  largeStrings: false,
  bareDecimalBits,
});

export interface NamedType {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable?: boolean;
}

/** As in §6.1 of the Storage API: which Arrow type a declared type travels as. */
export function arrowType(type: SqlType, form: ArrowForm): DataType {
  switch (type.kind) {
    case 'tinyint':
      return new Int8();
    case 'smallint':
      return new Int16();
    case 'int':
    case 'interval_year_month':
      return new Int32();
    case 'bigint':
      return new Int64();
    case 'float':
      return new Float32();
    case 'double':
      return new Float64();
    case 'boolean':
      return new Bool();
    case 'string':
    case 'char':
    case 'varchar':
    case 'json':
    case 'variant':
      return form.largeStrings ? new LargeUtf8() : new Utf8();
    case 'binary':
    case 'blob':
      return new Binary();
    case 'date':
      return new DateDay();
    case 'datetime':
      return new Timestamp(TIME_UNITS[form.datetime], null);
    case 'timestamp':
    case 'timestamp_ntz':
      return new Timestamp(TIME_UNITS[form.timestamp], null);
    case 'decimal':
      if (type.precision === undefined) {
        return form.bareDecimalBits === 128 ? new Decimal(18, 38, 128) : new Decimal(18, 54, 256);
      }
      return new Decimal(type.scale ?? 0, type.precision, type.precision > 38 ? 256 : 128);
    case 'interval_day_time':
      return new Struct([new Field('sec', new Int64(), true), new Field('nano', new Int32(), true)]);
    case 'array':
    case 'vector':
      return new List(new Field('element', arrowType(type.element, form), true));
    case 'map': {
      const entry = new Struct<{ key: DataType; value: DataType }>([
        new Field('key', arrowType(type.key, form), false),
        new Field('value', arrowType(type.value, form), true),
      ]);
      return new Map_(new Field('entries', entry, false), false);
    }
    case 'struct':
      return new Struct(type.members.map(({ name, type: member }) => new Field(name, arrowType(member, form), true)));
  }
}

/** Every column is nullable on the wire, as the service declares them; a table's own `NOT NULL` is checked where rows come in. */
export const arrowSchema = (columns: readonly NamedType[], form: ArrowForm): Schema =>
  new Schema(columns.map(({ name, type }) => new Field(name, arrowType(type, form), true)));
