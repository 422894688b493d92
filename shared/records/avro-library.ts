import avro from 'avsc';
import { isObject } from '../core/json.ts';

/** A long as a `bigint`: the library's own is a number, and refuses what a number cannot hold. */
const LONG = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => Number(value),
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

/**
 * A type of Avro, whose values are plain: a long is a `bigint`, a union is wrapped (`{ branch: value }`), and what logical
 * types mean is left to the caller.
 */
export function avroType(schema: unknown): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema, {
    typeHook: (one) => (isLong(one) ? LONG : undefined),
    wrapUnions: 'always',
    omitRecordMethods: true,
  });
}

/** Alone, or with a logical type around it. */
function isLong(schema: unknown): boolean {
  return schema === 'long' || (isObject(schema) && schema.type === 'long');
}
