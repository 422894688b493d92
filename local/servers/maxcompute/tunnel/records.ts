import type { Value } from '../arrow/build.ts';
import type { ByteReader } from '../arrow/byte-reader.ts';
import { crc32c } from '../blobs/crc32c.ts';
import { badRequest } from '../errors.ts';
import type { Column } from '../tables/definition.ts';
import type { SqlType } from '../tables/types.ts';

/** Field numbers that are no columns. */
const META_COUNT = 33_554_430;
const META_CHECKSUM = 33_554_431;
const END_RECORD = 33_553_408;
const END_METRICS = 33_554_176;

/** Reads the fields of protocol buffers from a body of any size. */
class Wire {
  readonly #body: ByteReader;
  #held: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(body: ByteReader) {
    this.#body = body;
  }

  async isAtEnd(): Promise<boolean> {
    if (this.#at < this.#held.length) return false;
    this.#held = await this.#body.some(1 << 16);
    this.#at = 0;
    return this.#held.length === 0;
  }

  async varint(): Promise<bigint> {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (await this.isAtEnd()) throw new RangeError('the records end inside a number');
      const byte = this.#held[this.#at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number has too many bytes');
  }

  async signed(): Promise<bigint> {
    const raw = BigInt.asUintN(64, await this.varint());
    return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n));
  }

  /** Some clients write it as if it had a sign. */
  async unsigned32(): Promise<number> {
    return Number(BigInt.asUintN(32, await this.varint()));
  }

  async bytes(length: number): Promise<Buffer> {
    const here = this.#held.subarray(this.#at, this.#at + length);
    this.#at += here.length;
    if (here.length === length) return here;
    return Buffer.concat([here, await this.#body.take(length - here.length)]);
  }
}

/** The running checksum of a record: of values as they are in memory, not as they are on the wire. */
class Checksum {
  value = 0;

  update(bytes: Uint8Array): void {
    this.value = crc32c(bytes, this.value);
  }

  int(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value | 0);
    this.update(bytes);
  }

  long(value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    this.update(bytes);
  }
}

/**
 * The rows of an upload of the older protocol, with every record's checksum verified, and at the end their number.
 *
 * @throws {ServiceError} MalformedDataStream
 */
export async function* readRecords(body: ByteReader, columns: readonly Column[]): AsyncGenerator<readonly Value[]> {
  try {
    yield* records(body, columns);
  } catch (cause) {
    if (cause instanceof RangeError)
      throw badRequest(`the records are not readable: ${cause.message}`, 'MalformedDataStream');
    throw cause;
  }
}

async function* records(body: ByteReader, columns: readonly Column[]): AsyncGenerator<readonly Value[]> {
  const wire = new Wire(body);
  const sums = new Checksum();
  let count = 0;
  let row: Value[] = columns.map(() => null);
  let sum = new Checksum();
  while (!(await wire.isAtEnd())) {
    const field = Number((await wire.varint()) >> 3n);
    if (field === END_RECORD) {
      const wanted = await wire.unsigned32();
      if (wanted !== sum.value) throw new RangeError(`record ${count} has checksum ${sum.value}, ${wanted} is given`);
      sums.int(wanted);
      yield row;
      count += 1;
      row = columns.map(() => null);
      sum = new Checksum();
    } else if (field === META_COUNT) {
      const wanted = Number(await wire.signed());
      if (wanted !== count) throw new RangeError(`there are ${count} records, ${wanted} are announced`);
    } else if (field === META_CHECKSUM) {
      const wanted = await wire.unsigned32();
      if (wanted !== sums.value)
        throw new RangeError(`the checksum of all records is ${sums.value}, ${wanted} is given`);
      return;
    } else if (field === END_METRICS) {
      await wire.bytes(Number(await wire.varint()));
    } else {
      const column = columns[field - 1];
      if (!column) throw new RangeError(`field ${field} is no column`);
      sum.int(field);
      row[field - 1] = await readValue(wire, column.type, sum);
    }
  }
  throw new RangeError('the records have no end');
}

async function readValue(wire: Wire, type: SqlType, sum: Checksum): Promise<Value> {
  switch (type.kind) {
    case 'boolean': {
      const value = (await wire.varint()) !== 0n;
      sum.update(Uint8Array.of(Number(value)));
      return value;
    }
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'datetime':
    case 'date':
    case 'interval_year_month': {
      const value = await wire.signed();
      sum.long(value);
      return value;
    }
    case 'float':
    case 'double': {
      const bytes = await wire.bytes(type.kind === 'float' ? 4 : 8);
      sum.update(bytes);
      return type.kind === 'float' ? bytes.readFloatLE(0) : bytes.readDoubleLE(0);
    }
    case 'timestamp':
    case 'timestamp_ntz':
    case 'interval_day_time': {
      const seconds = await wire.signed();
      const nanos = Number(await wire.signed());
      sum.long(seconds);
      sum.int(nanos);
      return { seconds, nanos };
    }
    case 'array':
    case 'vector':
      return list(wire, type.element, sum, type.kind === 'array');
    case 'map': {
      const keys = await list(wire, type.key, sum, true);
      return { keys, values: await list(wire, type.value, sum, true) };
    }
    case 'struct': {
      const members: Value[] = [];
      for (const member of type.members) members.push(await optional(wire, member.type, sum));
      return members;
    }
    default: {
      const bytes = Buffer.from(await wire.bytes(Number(await wire.varint())));
      sum.update(bytes);
      return bytes;
    }
  }
}

async function list(wire: Wire, element: SqlType, sum: Checksum, mayBeNull: boolean): Promise<Value[]> {
  const length = Number(await wire.varint());
  const values: Value[] = [];
  for (let index = 0; index < length; index++) {
    values.push(mayBeNull ? await optional(wire, element, sum) : await readValue(wire, element, sum));
  }
  return values;
}

const optional = async (wire: Wire, type: SqlType, sum: Checksum): Promise<Value> =>
  (await wire.varint()) !== 0n ? null : readValue(wire, type, sum);
