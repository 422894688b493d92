import fc from 'fast-check';
import {
  BOOLEAN,
  BYTES,
  type ColumnType,
  DATE,
  DOUBLE,
  type Field,
  FLOAT,
  INT,
  JSON_TEXT,
  LONG,
  LONG_MAX,
  LONG_MIN,
  STRING,
  type Value,
} from '../../shared/records/column-type.ts';
import { decimalOfUnscaled } from '../../shared/records/decimal.ts';
import type { Row, Schema } from '../../shared/records/schema.ts';
import { dateOfDays, timeOfNanos, timestampOfNanos } from '../../shared/records/temporal.ts';

/** Text of any characters but lone surrogates, with those that formats care about more often. */
export const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => value.isWellFormed()),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', '\t', '\\', ' ', 'N', 'é', '𝄞', "'"), maxLength: 8 }),
  fc.constantFrom('', 'NULL', '\\N', 'null', '0', 'true', '2024-01-01', '__proto__'),
);

const unit = fc.constantFrom('ms' as const, 'us' as const, 'ns' as const);
const NANOS = { ms: 1_000_000n, us: 1000n, ns: 1n } as const;

const leafType: fc.Arbitrary<ColumnType> = fc.oneof(
  fc.constantFrom<ColumnType>(BOOLEAN, INT, LONG, FLOAT, DOUBLE, STRING, BYTES, DATE, JSON_TEXT, {
    kind: 'int',
    bits: 16,
  }),
  fc
    .tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38))
    .map(([precision, scale]) => ({ kind: 'decimal', precision, scale: Math.min(scale, precision) }) as const),
  unit.map((one) => ({ kind: 'time', unit: one }) as const),
  fc.tuple(unit, fc.boolean()).map(([one, zoned]) => ({ kind: 'timestamp', unit: one, zoned }) as const),
  fc
    .uniqueArray(fc.constantFrom('a', 'b b', 'é', '"'), { minLength: 1 })
    .map((values) => ({ kind: 'enum', values, open: false }) as const),
);

const keyType = fc.constantFrom<ColumnType>(STRING, INT, LONG, DATE);

export const columnType: fc.Arbitrary<ColumnType> = fc.letrec<{ type: ColumnType; field: Field }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    leafType,
    tie('type').map((item) => ({ kind: 'list', item }) as const),
    fc.tuple(keyType, tie('type')).map(([key, value]) => ({ kind: 'map', key, value }) as const),
    fc
      .uniqueArray(tie('field'), { minLength: 1, maxLength: 3, selector: ({ name }) => name })
      .map((fields) => ({ kind: 'struct', fields }) as const),
  ),
  field: fc.record({
    name: fc.constantFrom('a', 'b', 'with space', 'é', 'x.y'),
    type: tie('type'),
    nullable: fc.boolean(),
  }),
})).type;

const DAY_NANOS = 86_400_000_000_000n;

/** A value of the type in its canonical form. */
export function valueOfType(type: ColumnType): fc.Arbitrary<Exclude<Value, null>> {
  switch (type.kind) {
    case 'boolean':
      return fc.boolean();
    case 'int':
      return fc.integer({ min: -(2 ** (type.bits - 1)), max: 2 ** (type.bits - 1) - 1 });
    case 'long':
      return fc.oneof(fc.bigInt({ min: LONG_MIN, max: LONG_MAX }), fc.constantFrom(LONG_MIN, LONG_MAX, 0n));
    case 'float':
      return fc.float();
    case 'double':
      return fc.double();
    case 'decimal': {
      const max = 10n ** BigInt(type.precision) - 1n;
      return fc.bigInt({ min: -max, max }).map((unscaled) => decimalOfUnscaled(unscaled, type.scale));
    }
    case 'string':
      return text;
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 });
    case 'date':
      return fc.integer({ min: -800_000, max: 2_900_000 }).map(dateOfDays);
    case 'time':
      return fc
        .bigInt({ min: 0n, max: DAY_NANOS / NANOS[type.unit] - 1n })
        .map((count) => timeOfNanos(count * NANOS[type.unit]));
    case 'timestamp': {
      // Of what 64 bits of nanoseconds hold.
      const max = LONG_MAX / NANOS[type.unit] / (type.unit === 'ns' ? 1n : 100n);
      return fc.bigInt({ min: -max, max }).map((count) => timestampOfNanos(count * NANOS[type.unit], type.zoned));
    }
    case 'json':
      // In JSON, the text `null` and no value are the same.
      return fc.json({ maxDepth: 2 }).filter((value) => value.isWellFormed() && value !== 'null');
    case 'enum':
      return fc.constantFrom(...type.values);
    case 'list':
      return fc.array(nullable(type.item, true), { maxLength: 3 });
    case 'map':
      return fc
        .array(fc.tuple(keyOf(type.key), nullable(type.value, true)), { maxLength: 3 })
        .map((entries) => new Map<Value, Value>(entries));
    case 'struct':
      return fc
        .tuple(...type.fields.map((field) => nullable(field.type, field.nullable)))
        .map((values) => Object.fromEntries(type.fields.map(({ name }, at) => [name, values[at]!])));
  }
}

/** Avro's library keeps a map in an object, which cannot have a member of this name. */
const keyOf = (type: ColumnType) => valueOfType(type).filter((key) => key !== '__proto__');

export const nullable = (type: ColumnType, mayBeNull: boolean): fc.Arbitrary<Value> =>
  mayBeNull ? fc.option(valueOfType(type), { freq: 4 }) : valueOfType(type);

/** A schema and rows of it. */
export const table: fc.Arbitrary<{ schema: Schema; rows: Row[] }> = fc
  .uniqueArray(
    fc.record({
      name: fc.oneof(
        fc.constantFrom('id', 'a b', 'a_b', 'é', 'quote"d', '1st', 'constructor'),
        fc.string({ minLength: 1, maxLength: 5, unit: 'grapheme-ascii' }),
      ),
      type: columnType,
      nullable: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5, selector: ({ name }) => name.trim() },
  )
  .filter((columns) => columns.every(({ name }) => name.trim() === name && name !== ''))
  .chain((columns) =>
    fc
      .array(fc.tuple(...columns.map((column) => nullable(column.type, column.nullable))), { maxLength: 12 })
      .map((rows) => ({ schema: { columns }, rows })),
  );
