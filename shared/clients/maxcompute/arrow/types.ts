import type { DataType, Field } from 'apache-arrow';
import { InvalidRequestError } from '../client-errors.ts';
import { TimestampUnit } from '../enums.ts';
import { type DeclaredType, parseDeclaredType } from '../tables/declared-type.ts';
import type { Arrow } from './library.ts';

export interface ArrowUnits {
  /** Default `nano`. */
  readonly timestampUnit?: TimestampUnit | undefined;
  /** Default `milli`. */
  readonly dateTimeUnit?: TimestampUnit | undefined;
}

/** Of `decimal` without precision and scale, as most clients send it. */
const BARE_DECIMAL = [38, 18] as const;

/**
 * The Arrow type that values of a declared type are sent as.
 *
 * @throws {InvalidRequestError} a type that no client can carry: `interval_year_month`, `variant`; or no type at all
 */
export function arrowTypeOf(arrow: Arrow, declared: string | DeclaredType, units: ArrowUnits = {}): DataType {
  const type = typeof declared === 'string' ? parseDeclaredType(declared) : declared;
  const partOf = (index: number, name: string, nullable = true): Field =>
    new arrow.Field(name, arrowTypeOf(arrow, type.parts[index]!.type, units), nullable);
  const make = SIMPLE[type.name];
  if (make) return make(arrow);
  switch (type.name) {
    case 'datetime':
      return new arrow.Timestamp(unitOf(arrow, units.dateTimeUnit ?? TimestampUnit.MILLI), null);
    case 'timestamp':
    case 'timestamp_ntz':
      return new arrow.Timestamp(unitOf(arrow, units.timestampUnit ?? TimestampUnit.NANO), null);
    case 'decimal': {
      const [precision, scale = 0] = type.sizes.length > 0 ? (type.sizes as [number, number?]) : BARE_DECIMAL;
      return new arrow.Decimal(scale, precision, precision > 38 ? 256 : 128);
    }
    case 'array':
    case 'vector':
      return new arrow.List(partOf(0, 'element'));
    case 'map': {
      const entry = new arrow.Struct([partOf(0, 'key', false), partOf(1, 'value')]);
      return new arrow.Map_(new arrow.Field('element', entry, false) as never, false);
    }
    case 'struct':
      return new arrow.Struct(type.parts.map(({ name }, index) => partOf(index, name)));
    default:
      throw new InvalidRequestError(`a column of type ${type.name} cannot be sent as Arrow`);
  }
}

const SIMPLE: Readonly<Record<string, ((arrow: Arrow) => DataType) | undefined>> = {
  __proto__: null as never,
  bigint: ({ Int64 }) => new Int64(),
  int: ({ Int32 }) => new Int32(),
  smallint: ({ Int16 }) => new Int16(),
  tinyint: ({ Int8 }) => new Int8(),
  double: ({ Float64 }) => new Float64(),
  float: ({ Float32 }) => new Float32(),
  boolean: ({ Bool }) => new Bool(),
  string: ({ Utf8 }) => new Utf8(),
  char: ({ Utf8 }) => new Utf8(),
  varchar: ({ Utf8 }) => new Utf8(),
  json: ({ Utf8 }) => new Utf8(),
  binary: ({ Binary }) => new Binary(),
  // The reference, not the content.
  blob: ({ Binary }) => new Binary(),
  date: ({ DateDay }) => new DateDay(),
  interval_day_time: ({ Field, Int32, Int64, Struct }) =>
    new Struct([new Field('sec', new Int64(), true), new Field('nano', new Int32(), true)]),
};

function unitOf({ TimeUnit }: Arrow, unit: TimestampUnit) {
  switch (unit) {
    case TimestampUnit.SECOND:
      return TimeUnit.SECOND;
    case TimestampUnit.MILLI:
      return TimeUnit.MILLISECOND;
    case TimestampUnit.MICRO:
      return TimeUnit.MICROSECOND;
    case TimestampUnit.NANO:
      return TimeUnit.NANOSECOND;
  }
}
