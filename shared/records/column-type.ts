/**
 * What a column holds. The value of each type in memory loses nothing:
 *
 * | type | value |
 * | --- | --- |
 * | boolean | `boolean` |
 * | int | `number`, a whole one of `bits` (16 or 32) |
 * | long | `bigint` of 64 bits |
 * | float, double | `number`, NaN and the infinities included |
 * | decimal | text with exactly `scale` digits behind the point: `-12.50` |
 * | string, enum | `string` |
 * | bytes | `Uint8Array` |
 * | date | text `2024-02-29`; beyond the years 0 to 9999 `+012024-02-29` |
 * | time | text `08:00:00` or `08:00:00.123456`, without zeros at the end of the fraction |
 * | timestamp | text `2024-02-29T08:00:00.123456Z`, in UTC; without a zone (`zoned: false`) there is no `Z` |
 * | json | its text, as it was given |
 * | list, map, struct | `readonly Value[]`, `ReadonlyMap`, a plain object by field name |
 *
 * `null` is no value, of any type. Equal values are equal texts: each has one canonical form (`temporal.ts`, `decimal.ts`).
 */
export type ColumnType =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int'; readonly bits: 16 | 32 }
  | { readonly kind: 'long' }
  | { readonly kind: 'float' }
  | { readonly kind: 'double' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | StringType
  | { readonly kind: 'bytes' }
  | { readonly kind: 'date' }
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  | TimestampType
  | { readonly kind: 'json' }
  | EnumType
  | { readonly kind: 'list'; readonly item: ColumnType }
  | { readonly kind: 'map'; readonly key: ColumnType; readonly value: ColumnType }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] };

export interface StringType {
  readonly kind: 'string';
  /** In characters (code points). */
  readonly maxLength?: number;
  /** Says what the text is; it is carried, not checked. */
  readonly format?: StringFormat;
}

export type StringFormat = 'uuid' | 'ipv4' | 'ipv6' | 'ip' | 'duration';

export interface TimestampType {
  readonly kind: 'timestamp';
  /** How fine a value may be; a finer one does not fit. */
  readonly unit: TimeUnit;
  /** True for an instant, held in UTC; false for a date and time of no zone. */
  readonly zoned: boolean;
}

export interface EnumType {
  readonly kind: 'enum';
  readonly values: readonly string[];
  /** True if other values may come: the list is what is known now. */
  readonly open: boolean;
}

export type TimeUnit = 'ms' | 'us' | 'ns';

export interface Field {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly description?: string;
}

export type Kind = ColumnType['kind'];

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | { readonly [field: string]: Value };

export const BOOLEAN = { kind: 'boolean' } as const satisfies ColumnType;
export const INT = { kind: 'int', bits: 32 } as const satisfies ColumnType;
export const LONG = { kind: 'long' } as const satisfies ColumnType;
export const FLOAT = { kind: 'float' } as const satisfies ColumnType;
export const DOUBLE = { kind: 'double' } as const satisfies ColumnType;
export const STRING = { kind: 'string' } as const satisfies ColumnType;
export const BYTES = { kind: 'bytes' } as const satisfies ColumnType;
export const DATE = { kind: 'date' } as const satisfies ColumnType;
export const TIME = { kind: 'time', unit: 'us' } as const satisfies ColumnType;
/** An instant. */
export const TIMESTAMP = { kind: 'timestamp', unit: 'us', zoned: true } as const satisfies ColumnType;
export const LOCAL_TIMESTAMP = { kind: 'timestamp', unit: 'us', zoned: false } as const satisfies ColumnType;
export const JSON_TEXT = { kind: 'json' } as const satisfies ColumnType;
export const decimal = (precision: number, scale: number) => ({ kind: 'decimal', precision, scale }) as const;

/** Digits of a second's fraction. */
export const UNIT_DIGITS: Readonly<Record<TimeUnit, number>> = { ms: 3, us: 6, ns: 9 };

export const INT_RANGE: Readonly<Record<16 | 32, { readonly min: number; readonly max: number }>> = {
  16: { min: -(2 ** 15), max: 2 ** 15 - 1 },
  32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
};
export const LONG_MIN = -(2n ** 63n);
export const LONG_MAX = 2n ** 63n - 1n;
