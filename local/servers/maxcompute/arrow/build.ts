import { type Data, DataType, makeData } from 'apache-arrow';
import type { SqlType } from '../tables/types.ts';
import { type ArrowForm, arrowType } from './types.ts';

export interface SecondsAndNanos {
  readonly seconds: bigint;
  readonly nanos: number;
}

/**
 * A value as rows bring it: whole numbers, dates (days) and datetimes (milliseconds) as bigint, texts and decimals as UTF-8 bytes,
 * lists as arrays, structs as arrays of their members, maps as keys and values.
 */
export type Value =
  | null
  | bigint
  | number
  | boolean
  | Uint8Array
  | SecondsAndNanos
  | readonly Value[]
  | { readonly keys: readonly Value[]; readonly values: readonly Value[] };

const NANOS_PER_SECOND = 1_000_000_000n;

/** A column in the form tables are stored in. */
export function buildColumn(type: SqlType, values: readonly Value[], form: ArrowForm): Data {
  const { length } = values;
  const base = { type: arrowType(type, form), offset: 0, length, ...validity(values) };
  switch (type.kind) {
    case 'array':
    case 'vector': {
      const lists = values.map((value) => (value ?? []) as readonly Value[]);
      const child = buildColumn(type.element, lists.flat(), form);
      return makeData({ ...base, valueOffsets: offsets(lists.map((list) => list.length)), child } as never);
    }
    case 'map': {
      const maps = values.map((value) => (value ?? { keys: [], values: [] }) as { keys: Value[]; values: Value[] });
      const keys = buildColumn(
        type.key,
        maps.flatMap((map) => map.keys),
        form,
      );
      const inner = buildColumn(
        type.value,
        maps.flatMap((map) => map.values),
        form,
      );
      const entries = {
        type: base.type.children[0]!.type,
        offset: 0,
        length: keys.length,
        nullCount: 0,
        nullBitmap: null,
      };
      const child = makeData({ ...entries, children: [keys, inner] } as never);
      return makeData({ ...base, valueOffsets: offsets(maps.map((map) => map.keys.length)), child } as never);
    }
    case 'struct': {
      const children = type.members.map((member, at) =>
        buildColumn(
          member.type,
          values.map((value) => (value as readonly Value[] | null)?.[at] ?? null),
          form,
        ),
      );
      return makeData({ ...base, children } as never);
    }
    case 'interval_day_time': {
      const parts = values.map((value) => (value ?? { seconds: 0n, nanos: 0 }) as SecondsAndNanos);
      const [seconds, nanos] = base.type.children;
      const plain = { offset: 0, length, nullCount: 0, nullBitmap: null };
      const children = [
        makeData({ ...plain, type: seconds!.type, data: BigInt64Array.from(parts, (part) => part.seconds) } as never),
        makeData({ ...plain, type: nanos!.type, data: Int32Array.from(parts, (part) => part.nanos) } as never),
      ];
      return makeData({ ...base, children } as never);
    }
    case 'timestamp':
    case 'timestamp_ntz': {
      const parts = values.map((value) => (value ?? { seconds: 0n, nanos: 0 }) as SecondsAndNanos);
      const data = BigInt64Array.from(parts, ({ seconds, nanos }) => seconds * NANOS_PER_SECOND + BigInt(nanos));
      return makeData({ ...base, data } as never);
    }
    case 'decimal': {
      const words = (base.type as DataType & { bitWidth: number }).bitWidth / 32;
      const data = new Uint32Array(length * words);
      values.forEach((value, row) => {
        if (value !== null)
          setWords(data, row * words, words, scaled(String(Buffer.from(value as Uint8Array)), type.scale ?? 18));
      });
      return makeData({ ...base, data } as never);
    }
    case 'boolean': {
      const data = new Uint8Array(Math.ceil(length / 64) * 8);
      values.forEach((value, row) => {
        if (value === true) data[row >> 3]! |= 1 << (row & 7);
      });
      return makeData({ ...base, data } as never);
    }
    default:
      return flat(base, values);
  }
}

function flat(base: { readonly type: DataType; readonly length: number }, values: readonly Value[]): Data {
  const { type, length } = base;
  if (DataType.isUtf8(type) || DataType.isBinary(type)) {
    const texts = values.map((value) => (value ?? new Uint8Array(0)) as Uint8Array);
    return makeData({
      ...base,
      valueOffsets: offsets(texts.map((text) => text.length)),
      data: Buffer.concat(texts),
    } as never);
  }
  const { ArrayType } = type as DataType & { ArrayType: new (length: number) => { [row: number]: bigint | number } };
  const data = new ArrayType(length);
  const isWide = data instanceof BigInt64Array;
  values.forEach((value, row) => {
    const given = (value ?? 0) as bigint | number;
    data[row] = isWide ? BigInt(given) : Number(given);
  });
  return makeData({ ...base, data } as never);
}

function validity(values: readonly Value[]) {
  const nullCount = values.reduce<number>((count, value) => (value === null ? count + 1 : count), 0);
  if (nullCount === 0) return { nullCount, nullBitmap: null };
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 64) * 8);
  values.forEach((value, row) => {
    if (value !== null) nullBitmap[row >> 3]! |= 1 << (row & 7);
  });
  return { nullCount, nullBitmap };
}

function offsets(lengths: readonly number[]): Int32Array {
  const made = new Int32Array(lengths.length + 1);
  lengths.forEach((length, index) => {
    made[index + 1] = made[index]! + length;
  });
  return made;
}

function scaled(text: string, scale: number): bigint {
  const [, sign, whole, fraction = '', exponent = '0'] = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new RangeError(`not a decimal: ${text}`);
  const shift = scale - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return sign === '-' ? -value : value;
}

function setWords(to: Uint32Array, at: number, words: number, value: bigint): void {
  let rest = BigInt.asUintN(words * 32, value);
  for (let word = 0; word < words; word++) {
    to[at + word] = Number(rest & 0xffff_ffffn);
    rest >>= 32n;
  }
}
