import { isObject } from '../../core/json.ts';
import {
  BOOLEAN,
  BYTES,
  type ColumnType,
  DATE,
  DOUBLE,
  decimal,
  FLOAT,
  INT,
  JSON_TEXT,
  LONG,
  STRING,
  type TimeUnit,
  type Value,
} from '../../records/column-type.ts';
import { decimalOfUnscaled } from '../../records/decimal.ts';
import { dateOfDays, timeOfNanos, timestampOfMicros, timestampOfNanos } from '../../records/temporal.ts';
import { valueToJson } from '../../records/value-json.ts';
import { UNKNOWN, widen } from '../../records/widen.ts';
import { signedOf, uuidOf } from '../parquet/decode.ts';

/** How the values of one Avro type become ours. Null is told apart before. */
export interface AvroDecoder {
  readonly type: ColumnType;
  readonly nullable: boolean;
  decode(raw: unknown): Value;
}

export interface AvroMember {
  /** Of the column. */
  readonly name: string;
  /** What it is called in the file. */
  readonly member: string;
  readonly description?: string;
}

export interface AvroFields {
  readonly isRecord: boolean;
  readonly fields: readonly (AvroDecoder & AvroMember)[];
}

const asIs = (raw: unknown) => raw as Value;

/** Reads a schema, as JSON; named types are known from where they are defined on. */
export class AvroTypes {
  readonly #named = new Map<string, unknown>();
  /** Names that are being read: a type that holds itself has no columns. */
  readonly #open = new Set<string>();

  decoder(schema: unknown, namespace = ''): AvroDecoder {
    if (Array.isArray(schema)) return this.#union(schema, namespace);
    if (typeof schema === 'string') return this.#primitive(schema, namespace);
    if (!isObject(schema)) throw new Error('a type is no type');
    const logical = logicalDecoder(schema);
    if (isObject(schema) && typeof schema.name === 'string') this.#named.set(fullName(schema, namespace), schema);
    if (logical) return { nullable: false, ...logical };
    switch (schema.type) {
      case 'record':
      case 'error':
        return this.#record(schema, namespace);
      case 'enum':
        return {
          type: { kind: 'enum', values: schema.symbols as string[], open: false },
          nullable: false,
          decode: asIs,
        };
      case 'fixed':
        return { type: BYTES, nullable: false, decode: bytesOf };
      case 'array': {
        if (schema.logicalType === 'map') return this.#entries(schema, namespace);
        const item = this.decoder(schema.items, namespace);
        const decode = orNull(item);
        return {
          type: { kind: 'list', item: item.type },
          nullable: false,
          decode: (raw) => (raw as unknown[]).map(decode),
        };
      }
      case 'map': {
        const value = this.decoder(schema.values, namespace);
        const decode = orNull(value);
        return {
          type: { kind: 'map', key: STRING, value: value.type },
          nullable: false,
          decode: (raw) => new Map(Object.entries(raw as object).map(([key, one]) => [key, decode(one)])),
        };
      }
      default:
        return this.decoder(schema.type, namespace);
    }
  }

  /** The fields of a record type, which the columns are made of. */
  fields(schema: unknown): AvroFields {
    // What is no record is in a column of its own.
    if (!isObject(schema) || !Array.isArray(schema.fields))
      return { isRecord: false, fields: [{ name: 'value', member: '', ...this.decoder(schema) }] };
    const namespace = namespaceOf(schema, '');
    const name = fullName(schema, '');
    this.#named.set(name, schema);
    this.#open.add(name);
    const fields = (schema.fields as Record<string, unknown>[]).map((field) => ({
      name: nameOf(field),
      member: String(field.name),
      ...this.decoder(field.type, namespace),
      ...(typeof field.doc === 'string' && { description: field.doc }),
    }));
    return { isRecord: true, fields };
  }

  #record(schema: Record<string, unknown>, namespace: string): AvroDecoder {
    const name = fullName(schema, namespace);
    if (this.#open.has(name)) throw new Error(`the type ${name} holds itself`);
    this.#open.add(name);
    const inner = namespaceOf(schema, namespace);
    const fields = (schema.fields as Record<string, unknown>[]).map((field) => {
      const decoder = this.decoder(field.type, inner);
      return { name: nameOf(field), member: String(field.name), decoder, decode: orNull(decoder) };
    });
    this.#open.delete(name);
    return {
      type: {
        kind: 'struct',
        fields: fields.map((field) => ({
          name: field.name,
          type: field.decoder.type,
          nullable: field.decoder.nullable,
        })),
      },
      nullable: false,
      decode: (raw) => {
        const given = raw as Record<string, unknown>;
        return Object.fromEntries(fields.map((field) => [field.name, field.decode(given[field.member])]));
      },
    };
  }

  /** Maps whose keys are not text, as several writers have them: a list of records of a key and a value. */
  #entries(schema: Record<string, unknown>, namespace: string): AvroDecoder {
    const entry = this.decoder(schema.items, namespace);
    const [key, value] = entry.type.kind === 'struct' ? entry.type.fields : [];
    if (!key || !value) return this.decoder({ ...schema, logicalType: undefined }, namespace);
    const decode = (raw: unknown) => {
      const { [key.name]: name, [value.name]: one } = entry.decode(raw) as Record<string, Value>;
      return [name!, one!] as const;
    };
    return {
      type: { kind: 'map', key: key.type, value: value.type },
      nullable: false,
      decode: (raw) => new Map((raw as unknown[]).map(decode)),
    };
  }

  #primitive(name: string, namespace: string): AvroDecoder {
    const known = PRIMITIVES[name];
    if (known) return { nullable: false, ...known };
    if (name === 'null') return { type: UNKNOWN, nullable: true, decode: () => null };
    const schema =
      this.#named.get(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`) ?? this.#named.get(name);
    if (schema === undefined) throw new Error(`there is no type ${name}`);
    return this.decoder(schema, namespace);
  }

  /** Values of a union come as `{ branch: value }`. With several branches they are json, unless one type holds them all. */
  #union(branches: readonly unknown[], namespace: string): AvroDecoder {
    const decoders = branches.map((branch) => ({
      name: branchName(branch, namespace),
      ...this.decoder(branch, namespace),
    }));
    const nullable = decoders.some((one) => one.nullable);
    const others = decoders.filter(({ name }) => name !== 'null');
    const byName = new Map(others.map((one) => [one.name, one]));
    const branchOf = (raw: unknown) => {
      const [name, value] = Object.entries(raw as object)[0] as [string, unknown];
      const decoder = byName.get(name) ?? byName.get(name.split('.').at(-1)!);
      if (!decoder) throw new Error(`a union has no branch ${name}`);
      return { decoder, value: decoder.decode(value) };
    };
    if (others.length === 1) return { type: others[0]!.type, nullable, decode: (raw) => branchOf(raw).value };
    const type = others.reduce((all, one) => widen(all, one.type), UNKNOWN);
    if (type.kind === 'long') return { type, nullable, decode: (raw) => BigInt(branchOf(raw).value as number) };
    if (type.kind === 'double' && others.every((one) => one.type.kind !== 'long'))
      return { type, nullable, decode: (raw) => Number(branchOf(raw).value) };
    return {
      type: JSON_TEXT,
      nullable,
      decode: (raw) => {
        const { decoder, value } = branchOf(raw);
        return valueToJson(value, decoder.type);
      },
    };
  }
}

const PRIMITIVES: Readonly<Record<string, Pick<AvroDecoder, 'type' | 'decode'> | undefined>> = {
  __proto__: null as never,
  boolean: { type: BOOLEAN, decode: asIs },
  int: { type: INT, decode: asIs },
  long: { type: LONG, decode: asIs },
  float: { type: FLOAT, decode: asIs },
  double: { type: DOUBLE, decode: asIs },
  string: { type: STRING, decode: asIs },
  bytes: { type: BYTES, decode: bytesOf },
};

function bytesOf(raw: unknown): Uint8Array {
  return new Uint8Array(raw as Uint8Array);
}

export const orNull =
  ({ decode }: AvroDecoder) =>
  (raw: unknown): Value =>
    raw === null || raw === undefined ? null : decode(raw);

/** @returns undefined for a logical type that is not known, or does not go with its type: those are ignored */
function logicalDecoder(schema: Record<string, unknown>): Pick<AvroDecoder, 'type' | 'decode'> | undefined {
  const { type, logicalType, precision, scale = 0 } = schema;
  if (logicalType === 'decimal' && (type === 'bytes' || type === 'fixed')) {
    if (
      typeof precision !== 'number' ||
      typeof scale !== 'number' ||
      precision < 1 ||
      precision > 38 ||
      scale > precision
    )
      return undefined;
    return { type: decimal(precision, scale), decode: (raw) => decimalOfUnscaled(signedOf(raw as Uint8Array), scale) };
  }
  if (logicalType === 'json' && type === 'string') return { type: JSON_TEXT, decode: asIs };
  if (logicalType === 'uuid' && type === 'string') return { type: { kind: 'string', format: 'uuid' }, decode: asIs };
  if (logicalType === 'uuid' && type === 'fixed')
    return { type: { kind: 'string', format: 'uuid' }, decode: (raw) => uuidOf(raw as Uint8Array) };
  if (type === 'int' && logicalType === 'date') return { type: DATE, decode: (raw) => dateOfDays(raw as number) };
  if (type === 'int' && logicalType === 'time-millis') return timeDecoder('ms', 1_000_000n);
  if (type === 'long' && logicalType === 'time-micros') return timeDecoder('us', 1000n);
  if (type === 'long' && logicalType === 'time-nanos') return timeDecoder('ns', 1n);
  const match = /^(local-)?timestamp-(millis|micros|nanos)$/.exec(String(logicalType));
  if (type !== 'long' || !match) return undefined;
  const zoned = match[1] === undefined;
  const unit = ({ millis: 'ms', micros: 'us', nanos: 'ns' } as const)[match[2] as 'millis' | 'micros' | 'nanos'];
  const decode = (raw: unknown) => {
    if (unit === 'ns') return timestampOfNanos(raw as bigint, zoned);
    return timestampOfMicros(unit === 'us' ? (raw as bigint) : (raw as bigint) * 1000n, zoned);
  };
  return { type: { kind: 'timestamp', unit, zoned }, decode };
}

const timeDecoder = (unit: TimeUnit, nanos: bigint) => ({
  type: { kind: 'time', unit } as const,
  decode: (raw: unknown) => timeOfNanos(BigInt(raw as number) * nanos),
});

/** Our writer keeps a name that Avro does not allow beside the one it has in the file. */
const nameOf = (field: Record<string, unknown>) => String(field['landfall.name'] ?? field.name);

function namespaceOf(schema: Record<string, unknown>, outer: string): string {
  const name = String(schema.name);
  if (name.includes('.')) return name.slice(0, name.lastIndexOf('.'));
  return typeof schema.namespace === 'string' ? schema.namespace : outer;
}

function fullName(schema: Record<string, unknown>, outer: string): string {
  const name = String(schema.name);
  const namespace = namespaceOf(schema, outer);
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function branchName(branch: unknown, namespace: string): string {
  if (typeof branch === 'string') return branch;
  if (!isObject(branch)) return '';
  return typeof branch.name === 'string' ? fullName(branch, namespace) : String(branch.type);
}
