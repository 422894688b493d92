import { type Data, Vector } from 'apache-arrow';
import type { Run } from '../arrow/gather.ts';
import { badRequest } from '../errors.ts';
import type { SqlType } from '../tables/types.ts';
import type { Comparison, Literal, Predicate } from './predicate.ts';

type Key = bigint | number | string;
/** Unknown, as a comparison with null is, is undefined. */
type Truth = boolean | undefined;
type Test = (row: number) => Truth;

export interface FilterColumn {
  readonly name: string;
  readonly type: SqlType;
  /** As tables are stored; or one text for all rows, of a partition column. */
  readonly values: Data | string;
}

/**
 * The rows of a batch for which the predicate holds, as runs.
 *
 * @throws {ServiceError} InvalidArgument for a column that is not there, or a literal that is none of the column's type
 */
export function matching(predicate: Predicate, columns: readonly FilterColumn[], rows: number): Run[] {
  const test = testOf(predicate, columns);
  const runs: Run[] = [];
  let start: number | undefined;
  for (let row = 0; row <= rows; row++) {
    const holds = row < rows && test(row) === true;
    if (holds) start ??= row;
    else if (start !== undefined) {
      runs.push([start, row]);
      start = undefined;
    }
  }
  return runs;
}

function testOf(predicate: Predicate, columns: readonly FilterColumn[]): Test {
  switch (predicate.op) {
    case 'and':
    case 'or': {
      const tests = predicate.parts.map((part) => testOf(part, columns));
      const settles = predicate.op === 'or';
      return (row) => {
        let result: Truth = !settles;
        for (const test of tests) {
          const truth = test(row);
          if (truth === settles) return settles;
          if (truth === undefined) result = undefined;
        }
        return result;
      };
    }
    case 'not': {
      const test = testOf(predicate.part, columns);
      return (row) => {
        const truth = test(row);
        return truth === undefined ? undefined : !truth;
      };
    }
    case 'null': {
      const { values } = columnOf(predicate.column, columns);
      return typeof values === 'string' ? () => false : (row) => !values.getValid(row);
    }
    case 'compare': {
      const key = keysOf(columnOf(predicate.column, columns));
      const literal = key.of(predicate.literal);
      return literal === undefined ? () => undefined : compared(key.at, predicate.by, literal);
    }
    case 'in': {
      const key = keysOf(columnOf(predicate.column, columns));
      const literals = predicate.literals.map((literal) => key.of(literal));
      const wanted = new Set(literals);
      return (row) => {
        const value = key.at(row);
        if (value === undefined) return undefined;
        if (wanted.has(value)) return true;
        return wanted.has(undefined) ? undefined : false;
      };
    }
  }
}

function compared(at: (row: number) => Key | undefined, by: Comparison, literal: Key): Test {
  const tests: Readonly<Record<Comparison, (value: Key) => boolean>> = {
    '=': (value) => value === literal,
    '!=': (value) => value !== literal,
    '<': (value) => value < literal,
    '<=': (value) => value <= literal,
    '>': (value) => value > literal,
    '>=': (value) => value >= literal,
  };
  const holds = tests[by];
  return (row) => {
    const value = at(row);
    return value === undefined ? undefined : holds(value);
  };
}

function columnOf(name: string, columns: readonly FilterColumn[]): FilterColumn {
  const column = columns.find((one) => one.name === name);
  if (!column) throw badRequest(`the filter predicate names ${name}, which is no column`);
  return column;
}

interface Keys {
  readonly at: (row: number) => Key | undefined;
  /** @returns undefined for null */
  readonly of: (literal: Literal) => Key | undefined;
}

/** Values and literals of a column in one form that compares. */
function keysOf({ name, type, values }: FilterColumn): Keys {
  const convert = literalReader(type, name);
  const of = (literal: Literal) => (literal.kind === 'null' ? undefined : convert(literal));
  if (typeof values === 'string') {
    const key = convert({ kind: 'text', text: values });
    return { of, at: () => key };
  }
  if (type.kind === 'decimal') {
    const words = values.values as Uint32Array;
    const { stride } = values;
    return { of, at: (row) => (values.getValid(row) ? decimalAt(words, row, stride) : undefined) };
  }
  if (['date', 'datetime', 'timestamp', 'timestamp_ntz'].includes(type.kind)) {
    const raw = values.values as BigInt64Array | Int32Array;
    return { of, at: (row) => (values.getValid(row) ? BigInt(raw[row]!) : undefined) };
  }
  const vector = new Vector([values]);
  return {
    of,
    at: (row) => {
      const value: unknown = vector.get(row);
      if (value === null) return undefined;
      return typeof value === 'boolean'
        ? Number(value)
        : typeof value === 'number' && isWhole(type)
          ? BigInt(value)
          : (value as Key);
    },
  };
}

const isWhole = ({ kind }: SqlType): boolean => ['tinyint', 'smallint', 'int'].includes(kind);

function decimalAt(words: Uint32Array, row: number, stride: number): bigint {
  let value = 0n;
  for (let word = stride - 1; word >= 0; word--) value = (value << 32n) | BigInt(words[row * stride + word]!);
  return BigInt.asIntN(stride * 32, value);
}

const DAY_MS = 86_400_000;

function literalReader(type: SqlType, name: string): (literal: Literal) => Key {
  const fail = (text: string): never => {
    throw badRequest(`the filter predicate compares ${name} (${type.kind}) with ${text}`);
  };
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      // A whole column compares with a fraction as a number does.
      return ({ text }) =>
        /^[+-]?\d+$/.test(text) ? BigInt(text) : Number.isNaN(Number(text)) ? fail(text) : Number(text);
    case 'float':
    case 'double':
      return ({ text }) =>
        Number.isNaN(Number(text)) ? fail(text) : type.kind === 'float' ? Math.fround(Number(text)) : Number(text);
    case 'boolean':
      return ({ text }) => (/^(true|false)$/i.test(text) ? Number(/^true$/i.test(text)) : fail(text));
    case 'string':
    case 'char':
    case 'varchar':
      return ({ text }) => text;
    case 'decimal':
      return ({ text }) => scaled(text, type.scale ?? 18) ?? fail(text);
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'timestamp_ntz':
      return ({ text }) => {
        const [, day, time = '00:00:00', fraction = ''] =
          /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?)?$/.exec(text) ?? [];
        const at = Date.parse(`${day}T${time}Z`);
        if (Number.isNaN(at)) return fail(text);
        if (type.kind === 'date') return BigInt(Math.floor(at / DAY_MS));
        const nanos = BigInt(at) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
        return type.kind === 'datetime' ? nanos / 1_000_000n : nanos;
      };
    default:
      return ({ text }) => fail(text);
  }
}

/** A decimal text as a whole number of the column's smallest unit; finer digits than it has are cut. */
function scaled(text: string, scale: number): bigint | undefined {
  const [, sign, whole, fraction = ''] = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const value = BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0'));
  return sign === '-' ? -value : value;
}
