import type { ColumnType, Field, Value } from '../records/column-type.ts';
import { unscaledOf } from '../records/decimal.ts';
import type { Schema } from '../records/schema.ts';
import { daysOfDate, microsOfTimestamp, nanosOfTime, nanosOfTimestamp } from '../records/temporal.ts';

/** How the values of one type are written in Avro. */
export interface AvroField {
  readonly schema: unknown;
  /** Of what is not null; what the library takes, with unions wrapped. */
  encode(value: Exclude<Value, null>): unknown;
}

/** The name as it is, where Avro allows others only. */
export const SOURCE_NAME = 'landfall.name';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Makes the schema of a file and the encoders of its columns. Names of records are numbered, since each may be used once. */
export class AvroSchemas {
  #records = 0;

  record(schema: Schema): { schema: unknown; fields: (AvroField & { name: string })[] } {
    const { names, fields } = this.#fields(schema.columns);
    return {
      schema: {
        type: 'record',
        name: 'record',
        namespace: 'landfall',
        ...(schema.description && { doc: schema.description }),
        fields,
      },
      fields: schema.columns.map((column, at) => ({ name: names[at]!, ...this.#encoders.get(column)! })),
    };
  }

  readonly #encoders = new Map<Field, AvroField>();

  #fields(columns: readonly Field[]) {
    const names = avroNames(columns);
    const fields = columns.map((column, at) => {
      const field = column.nullable ? this.#nullable(column.type) : this.#type(column.type);
      this.#encoders.set(column, field);
      return {
        name: names[at],
        type: field.schema,
        ...(column.nullable && { default: null }),
        ...(column.description !== undefined && { doc: column.description }),
        ...(names[at] !== column.name && { [SOURCE_NAME]: column.name }),
      };
    });
    return { names, fields };
  }

  #nullable(type: ColumnType): AvroField {
    const { schema, encode } = this.#type(type);
    const branch = branchName(schema);
    return { schema: ['null', schema], encode: (value) => ({ [branch]: encode(value) }) };
  }

  #type(type: ColumnType): AvroField {
    switch (type.kind) {
      case 'boolean':
      case 'int':
      case 'long':
      case 'float':
      case 'double':
        return { schema: type.kind, encode: (value) => value };
      case 'bytes':
        return { schema: 'bytes', encode: (value) => Buffer.from(value as Uint8Array) };
      case 'decimal':
        return {
          schema: { type: 'bytes', logicalType: 'decimal', precision: type.precision, scale: type.scale },
          encode: (value) => signedBytes(unscaledOf(value as string)),
        };
      case 'date':
        return { schema: { type: 'int', logicalType: 'date' }, encode: (value) => daysOfDate(value as string) };
      case 'time':
        return timeField(type.unit);
      case 'timestamp':
        return timestampField(type);
      case 'list': {
        const item = this.#nullable(type.item);
        return {
          schema: { type: 'array', items: item.schema },
          encode: (value) => (value as readonly Value[]).map((one) => (one === null ? null : item.encode(one))),
        };
      }
      case 'map':
        return this.#map(type);
      case 'struct':
        return this.#struct(type.fields);
      case 'string':
        if (type.format === 'uuid')
          return { schema: { type: 'string', logicalType: 'uuid' }, encode: (value) => value };
        return TEXT;
      case 'json':
        // Not one of Avro's own logical types: for others it is a string.
        return { schema: { type: 'string', logicalType: 'json' }, encode: (value) => value };
      default:
        return TEXT;
    }
  }

  #map(type: ColumnType & { kind: 'map' }): AvroField {
    const value = this.#nullable(type.value);
    if (type.key.kind === 'string') {
      return {
        schema: { type: 'map', values: value.schema },
        encode: (map) =>
          Object.fromEntries(
            [...(map as ReadonlyMap<string, Value>)].map(([key, one]) => [
              key,
              one === null ? null : value.encode(one),
            ]),
          ),
      };
    }
    // Avro's maps have keys of text: others are a list of entries, marked as others mark it too.
    const key = this.#type(type.key);
    const entry = {
      type: 'record',
      name: this.#recordName(),
      fields: [
        { name: 'key', type: key.schema },
        { name: 'value', type: value.schema, default: null },
      ],
    };
    return {
      schema: { type: 'array', logicalType: 'map', items: entry },
      encode: (map) =>
        [...(map as ReadonlyMap<Exclude<Value, null>, Value>)].map(([one, item]) => ({
          key: key.encode(one),
          value: item === null ? null : value.encode(item),
        })),
    };
  }

  #struct(columns: readonly Field[]): AvroField {
    const name = this.#recordName();
    const { names, fields } = this.#fields(columns);
    const encoders = columns.map((column) => this.#encoders.get(column)!);
    return {
      schema: { type: 'record', name, fields },
      encode: (value) => {
        const given = value as Readonly<Record<string, Value>>;
        return Object.fromEntries(
          columns.map((column, at) => {
            const one = given[column.name] ?? null;
            return [names[at], one === null ? null : encoders[at]!.encode(one)];
          }),
        );
      },
    };
  }

  #recordName(): string {
    this.#records += 1;
    return `record${this.#records}`;
  }
}

const TEXT: AvroField = { schema: 'string', encode: (value) => value };

function timeField(unit: 'ms' | 'us' | 'ns'): AvroField {
  if (unit === 'ms')
    return {
      schema: { type: 'int', logicalType: 'time-millis' },
      encode: (value) => Number(nanosOfTime(value as string) / 1_000_000n),
    };
  // Avro has no finer time than microseconds; the name says what the number is.
  const [logicalType, nanos] = unit === 'us' ? (['time-micros', 1000n] as const) : (['time-nanos', 1n] as const);
  return { schema: { type: 'long', logicalType }, encode: (value) => nanosOfTime(value as string) / nanos };
}

function timestampField({ unit, zoned }: ColumnType & { kind: 'timestamp' }): AvroField {
  const prefix = zoned ? '' : 'local-';
  if (unit === 'ns')
    return {
      schema: { type: 'long', logicalType: `${prefix}timestamp-nanos` },
      encode: (value) => nanosOfTimestamp(value as string),
    };
  if (unit === 'us')
    return {
      schema: { type: 'long', logicalType: `${prefix}timestamp-micros` },
      encode: (value) => microsOfTimestamp(value as string),
    };
  return {
    schema: { type: 'long', logicalType: `${prefix}timestamp-millis` },
    encode: (value) => nanosOfTimestamp(value as string) / 1_000_000n,
  };
}

/** As few bytes as hold it, the highest first. */
function signedBytes(value: bigint): Buffer {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes += 1;
  return Buffer.from(
    BigInt.asUintN(bytes * 8, value)
      .toString(16)
      .padStart(bytes * 2, '0'),
    'hex',
  );
}

function branchName(schema: unknown): string {
  if (typeof schema === 'string') return schema;
  const { type, name } = schema as { type: string; name?: string };
  return name === undefined ? type : `landfall.${name}`;
}

/** Letters, digits and underscores, no name twice. */
function avroNames(columns: readonly Field[]): string[] {
  const taken = new Set(columns.map(({ name }) => name).filter((name) => NAME.test(name)));
  return columns.map(({ name }) => {
    if (NAME.test(name)) return name;
    const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d|$)/, '_');
    let free = plain;
    for (let count = 2; taken.has(free); count++) free = `${plain}_${count}`;
    taken.add(free);
    return free;
  });
}
