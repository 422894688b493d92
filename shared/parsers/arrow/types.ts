import { type DataType, Type } from 'apache-arrow';
import { BOOLEAN, BYTES, type ColumnType, DATE, DOUBLE, FLOAT, INT, LONG, STRING } from '../../records/column-type.ts';
import { UnsupportedInputError } from '../errors.ts';

const SHORT = { kind: 'int', bits: 16 } as const satisfies ColumnType;
/** By Arrow's numbers: seconds fit into milliseconds. */
const UNITS = ['ms', 'ms', 'us', 'ns'] as const;

/** @param at names the column @throws {UnsupportedInputError} there is nothing that holds such values */
export function columnTypeOf(type: DataType, at: string, isNested = false): ColumnType {
  const { children } = type;
  switch (type.typeId) {
    case Type.Bool:
      return BOOLEAN;
    case Type.Int:
      return intOf(type as never, at);
    case Type.Float:
      return (type as unknown as { readonly precision: number }).precision === 2 ? DOUBLE : FLOAT;
    case Type.Utf8:
    case Type.LargeUtf8:
      return STRING;
    case Type.Binary:
    case Type.LargeBinary:
      return BYTES;
    case Type.Decimal: {
      const { precision, scale } = type as unknown as { readonly precision: number; readonly scale: number };
      return { kind: 'decimal', precision, scale };
    }
    case Type.Date:
      return (type as unknown as { readonly unit: number }).unit === 0
        ? DATE
        : { kind: 'timestamp', unit: 'ms', zoned: false };
    case Type.Timestamp: {
      const { unit } = type as unknown as { readonly unit: number };
      if (isZoned(type) && isNested)
        throw new UnsupportedInputError(`${at} is ${type} within another type, which is not read`);
      return { kind: 'timestamp', unit: UNITS[unit]!, zoned: isZoned(type) };
    }
    case Type.List:
      return { kind: 'list', item: columnTypeOf(children[0]!.type, `${at}[]`, true) };
    case Type.Map: {
      const [key, value] = children[0]!.type.children as { readonly type: DataType }[];
      return {
        kind: 'map',
        key: columnTypeOf(key!.type, `${at} key`, true),
        value: columnTypeOf(value!.type, `${at} value`, true),
      };
    }
    case Type.Struct:
      return {
        kind: 'struct',
        fields: children.map(
          (field: { readonly name: string; readonly type: DataType; readonly nullable: boolean }) => ({
            name: field.name,
            type: columnTypeOf(field.type, `${at}.${field.name}`, true),
            nullable: field.nullable,
          }),
        ),
      };
    default:
      throw new UnsupportedInputError(`${at} is ${type}, which is not read`);
  }
}

function intOf(
  { bitWidth, isSigned }: { readonly bitWidth: number; readonly isSigned: boolean },
  at: string,
): ColumnType {
  if (!isSigned) throw new UnsupportedInputError(`${at} is an unsigned integer, which is not read`);
  return bitWidth === 64 ? LONG : bitWidth === 32 ? INT : SHORT;
}

const isZoned = (type: DataType): boolean => {
  const { timezone } = type as unknown as { readonly timezone?: string | null };
  return timezone !== undefined && timezone !== null && timezone !== '';
};

/** An instant ends with its zone. */
export function finisherOf(type: DataType): ((value: unknown) => unknown) | undefined {
  return type.typeId === Type.Timestamp && isZoned(type) ? (value) => `${value}Z` : undefined;
}
